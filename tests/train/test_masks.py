"""Masks drawn at random: shapes, densities, and dependence on the random numbers alone."""

import numpy as np
import pytest

from reconic.train.masks import PoissonDisc, RandomMask, UniformLines, VariableDensityLines

SHAPE = (48, 40)
KINDS = [PoissonDisc, VariableDensityLines, UniformLines]


def draw(mask, seed=0, shape=SHAPE):
    return mask(shape, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_acceleration_and_centre(kind):
    mask = draw(kind(acceleration=4.0, n_calib=8))
    assert mask.shape == SHAPE
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0, 1}
    assert mask.mean() == pytest.approx(1 / 4, abs=0.5 / SHAPE[0])  # whole lines: half of one
    assert np.all(mask[20:28, 16:24] == 1)


@pytest.mark.parametrize("kind", [PoissonDisc, VariableDensityLines])
def test_the_random_numbers_alone_decide(kind):
    mask = kind(acceleration=4.0, n_calib=8)
    np.testing.assert_array_equal(draw(mask, 1), draw(mask, 1))
    assert not np.array_equal(draw(mask, 1), draw(mask, 2))


def test_acceleration_of_a_range_is_uniform_in_its_logarithm():
    mask = VariableDensityLines(acceleration=(2.0, 8.0), n_calib=4, axis=1)
    found = np.array([1 / draw(mask, seed, (8, 200)).mean() for seed in range(400)])
    assert 2 <= found.min() < 2.2
    assert 7.5 < found.max() <= 8.4  # 200 / 8 lines, rounded
    # the mean of a uniform logarithm; its standard error is log(4)/sqrt(12 · 400) = 0.02
    assert np.log(found).mean() == pytest.approx(np.log(4), abs=0.08)


@pytest.mark.parametrize(("per_frame", "shape"), [(False, (1, 16, 12)), (True, (3, 16, 12))])
def test_frames_share_a_mask_or_have_their_own(per_frame, shape):
    mask = draw(PoissonDisc(2.0, per_frame, n_calib=4), shape=(3, 16, 12))
    assert mask.shape == shape
    if per_frame:
        assert not np.array_equal(mask[0], mask[1])


def test_lines_lie_along_the_other_axis():
    assert np.all(np.ptp(draw(UniformLines(n_calib=8, axis=0)), axis=1) == 0)
    assert np.all(np.ptp(draw(UniformLines(n_calib=8, axis=1)), axis=0) == 0)


def test_options_reach_the_function():
    corner = draw(PoissonDisc(2.0, n_calib=8, ellipse=False, slope=0.0))[:6, :6]
    assert corner.any()
    assert not draw(PoissonDisc(2.0, n_calib=8))[:3, :3].any()
    flat, steep = (
        np.mean([draw(VariableDensityLines(4.0, n_calib=2, power=p), s)[:10] for s in range(20)])
        for p in (0.0, 6.0)
    )
    assert flat > 2 * steep


class EveryOther(RandomMask):
    def draw(self, shape, acceleration, rng):
        return np.indices(shape).sum(0) % 2


def test_a_mask_of_ones_own():
    assert draw(EveryOther()).mean() == 0.5


@pytest.mark.parametrize("acceleration", [0.5, (4.0, 2.0), (0.5, 2.0)])
def test_acceleration_out_of_range(acceleration):
    with pytest.raises(ValueError, match=r"PoissonDisc: `acceleration` must be at least 1"):
        PoissonDisc(acceleration)
