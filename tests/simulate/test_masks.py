"""Masks: exact acceleration, full centre, direction, density, and the discs' distances."""

import numpy as np
import pytest

from reconic.simulate import poisson_disc, uniform_1d, variable_density_1d
from reconic.simulate.masks import throw_darts


def _rng(seed=0):
    return np.random.default_rng(seed)


def _variable(*args, **kwargs):
    return variable_density_1d(*args, rng=_rng(), **kwargs)


@pytest.mark.parametrize("kind", [_variable, uniform_1d])
@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize(
    ("shape", "acceleration", "n_calib"),
    [((64, 48), 4, 8), ((51, 37), 3, 5), ((40, 40), 2.5, 0), ((32, 30), 1, 4)],
)
def test_lines_are_whole_counted_and_centred(kind, axis, shape, acceleration, n_calib):
    mask = kind(shape, acceleration, n_calib, axis)
    lines = mask.max(axis=1 if axis in (0, -2) else 0)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert mask.sum() == lines.sum() * mask.size / lines.size  # every line is whole
    assert lines.sum() == round(shape[axis] / acceleration)
    start = shape[axis] // 2 - n_calib // 2
    assert lines[start : start + n_calib].all()


def test_variable_density_falls_with_distance():
    lines = sum(
        variable_density_1d((200, 1), 5, 1, rng=_rng(seed), power=3)[:, 0] for seed in range(50)
    )
    inner, outer = lines[60:140].mean(), np.r_[lines[:60], lines[140:]].mean()
    assert inner > 4 * outer


def test_uniform_lines_are_evenly_spaced():
    chosen = np.flatnonzero(uniform_1d((128, 4), 4, 8)[:, 0])
    steps = np.diff(chosen)
    for side in (steps[:11], steps[-11:]):  # 24 lines beside the centre, so 11 gaps on either side
        assert side.max() - side.min() <= 1


@pytest.mark.parametrize("ellipse", [True, False])
@pytest.mark.parametrize(("shape", "acceleration"), [((96, 80), 4), ((115, 90), 8), ((64, 64), 3),
                                                     ((61, 75), 12)])  # fmt: skip
def test_poisson_disc_has_the_acceleration_and_the_centre(shape, acceleration, ellipse):
    mask = poisson_disc(shape, acceleration, 10, rng=_rng(), ellipse=ellipse)
    assert mask.sum() == round(mask.size / acceleration)
    y, x = (n // 2 - 5 for n in shape)
    assert mask[y : y + 10, x : x + 10].all()
    corner = mask[: shape[0] // 8, : shape[1] // 8].sum()
    assert (corner == 0) == ellipse


@pytest.mark.parametrize("seed", range(5))
def test_no_dart_lies_in_the_disc_of_another(seed):
    rng = _rng(seed)
    radius = rng.uniform(1, 5, size=(40, 33))
    taken = throw_darts(radius, rng.permutation(radius.size))
    points = np.stack(np.divmod(taken, 33), axis=-1)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    own = radius.ravel()[taken]
    assert (distance >= np.minimum(own[:, None], own[None])).all()
    # and no further dart fits: every sample lies in the disc of one taken
    grid = np.stack(np.divmod(np.arange(radius.size), 33), axis=-1)
    reached = np.linalg.norm(grid[:, None] - points[None], axis=-1) < own
    assert reached.any(axis=1).all()


def test_samples_of_a_uniform_density_keep_their_distance():
    mask = poisson_disc((90, 80), 8, 0, rng=_rng(), ellipse=False, slope=0)
    points = np.argwhere(mask)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    # discs that cannot be added to have r^2 of about 0.7 * 8; as random samples some touch
    assert distance.min() >= 2


@pytest.mark.parametrize("slope", [1, 3, 6])
def test_density_falls_with_distance_as_the_slope_says(slope):
    # radius 1 + slope * k: the density at k = 0.9 is ((1 + s 0.3) / (1 + s 0.9))^2 of k = 0.3's;
    # a little more, since the discs of few samples near the centre pack less well
    mask = poisson_disc((256, 256), 10, 0, rng=_rng(), ellipse=True, slope=slope)
    k = np.hypot(*np.meshgrid(*[(np.arange(256) - 128) / 128] * 2))
    ratio = mask[np.abs(k - 0.9) < 0.05].mean() / mask[np.abs(k - 0.3) < 0.05].mean()
    ideal = ((1 + 0.3 * slope) / (1 + 0.9 * slope)) ** 2
    assert 0.9 * ideal < ratio < 1.6 * ideal


def test_one_seed_one_mask():
    first, second = (poisson_disc((48, 40), 4, 6, rng=_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first != poisson_disc((48, 40), 4, 6, rng=_rng(8))).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform_1d((32, 32), 8, 8), "uniform_1d: `n_calib` must be at most the 4 lines"),
        (lambda: _variable((32, 32), 0.5), "`acceleration` must be at least 1, got 0.5"),
        (lambda: _variable((32, 32), float("nan")), "`acceleration` must be at least 1, got nan"),
        (lambda: _variable((32, 32), 2, 4, 2), "`axis` must be 0 or 1, got 2"),
        (lambda: _variable((32, 90), 2, 40), "`n_calib` must be at most the 16 lines"),
        (lambda: _variable((32, 32), 2, -1), "`n_calib` must be at least 0, got -1"),
        (lambda: poisson_disc((32, 20), 1, 24, rng=_rng()), "at most the smaller side 20, got 24"),
        (lambda: uniform_1d((32,), 2, 4), r"`shape` must be two positive sizes"),
        (lambda: poisson_disc((32, 32), 8, 16, rng=_rng()), r"must leave between 256 samples"),
        (lambda: poisson_disc((32, 32), 1, 4, rng=_rng()), "Change `acceleration`, `n_calib` or"),
    ],
)
def test_impossible_masks_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
