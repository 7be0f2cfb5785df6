"""Noise2Noise: pairs of independent noise, of repeats and made of one acquisition."""

import pytest
import torch

from reconic.systems import CartesianMRI
from reconic.train import KSpaceLoss, Noise2Noise


def noise_only(sigma=2.0, shape=(2, 4, 64, 64)):
    torch.manual_seed(0)
    A = CartesianMRI(torch.ones(shape, dtype=torch.complex64), torch.ones(shape[0], *shape[-2:]))
    return sigma * torch.randn(shape, dtype=torch.complex64), A


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_made_pair_has_independent_noise_of_known_level(alpha):
    y, A = noise_only()
    loss = Noise2Noise(alpha=alpha, fraction=0, sigma=2.0)
    first, second = (part.y for part in loss.recorrupted(y, A))

    def mean(v):
        return float(v.mean())

    # 32768 samples: means scatter by 0.6 %
    assert mean(first.abs() ** 2) == pytest.approx(4 * (1 + alpha**2), rel=0.03)
    assert mean(second.abs() ** 2) == pytest.approx(4 * (1 + alpha**-2), rel=0.03)
    scale = 4 * ((1 + alpha**2) * (1 + alpha**-2)) ** 0.5
    assert mean((first.conj() * second).real) == pytest.approx(0, abs=0.03 * scale)


def test_samples_left_out_are_as_measured_in_the_second_alone(spy, batch):
    _, y, A = batch
    first, second = Noise2Noise(fraction=0.3, sigma=0.05).recorrupted(y, A)
    left_out = (A.mask - first.A.mask)[:, None] * torch.ones_like(y.real) > 0
    assert left_out.any()
    assert not first.y[left_out].any()
    assert torch.equal(second.y[left_out], y[left_out])
    assert second.A is A
    assert not second.y[A.mask[:, None].expand(y.shape) == 0].any()


def test_step_predicts_the_second_from_the_first(spy, batch):
    _, y, A = batch
    loss = Noise2Noise(sigma=0.05)
    torch.manual_seed(2)
    step = loss.step(spy, None, y, A)
    torch.manual_seed(2)
    first, second = loss.recorrupted(y, A)
    assert torch.equal(spy.calls[0][0], first.y)
    torch.testing.assert_close(step.loss, KSpaceLoss()(step.x_hat, None, *second))


def test_repeats_take_turns(spy, batch):
    _, y, A = batch
    loss = Noise2Noise(axis=1)  # two pairs of coils, as two repeats are stored
    torch.manual_seed(0)
    seen = set()
    for _ in range(20):
        first, second = loss.repeats(y, A)
        torch.testing.assert_close(first.y + second.y, y)
        assert not (first.y.abs() * second.y.abs()).any()
        seen.add(tuple((first.y[0].abs().sum((1, 2)) > 0).tolist()))
    assert seen == {(True, True, False, False), (False, False, True, True)}
    x = torch.randn_like(spy(y, A))
    torch.testing.assert_close(first.A(x) + second.A(x), A(x))
    assert torch.isfinite(loss.step(spy, None, y, A).loss)


@pytest.mark.parametrize("axis", [0, 4, -1])
def test_refuses_an_axis_without_repeats(spy, batch, axis):
    _, y, A = batch
    with pytest.raises(ValueError, match=r"Noise2Noise: `axis` must be one of y \(3, 4, 32, 24\)"):
        Noise2Noise(axis=axis).step(spy, None, y, A)


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"fraction": 1.0}, {"sigma": -1.0}], ids=str)
def test_refuses_what_is_out_of_range(options):
    with pytest.raises(ValueError, match="Noise2Noise: `alpha` must be positive"):
        Noise2Noise(**options)
