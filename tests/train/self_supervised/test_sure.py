"""SURE against its closed form for a linear recon, and against the true error in the mean."""

import pytest
import torch
from tiny import tiny_arrays

from reconic.calibrate import noise_std
from reconic.recons import ZeroFilled
from reconic.systems import CartesianMRI
from reconic.train import SURE


def norm2(v, weights=1.0):
    return (weights * v.abs() ** 2).flatten(1).sum(1)


def test_closed_form_for_a_linear_recon(batch):
    _, y, A = batch
    torch.manual_seed(5)
    loss = SURE(sigma=0.2, step_size=0.5).step(ZeroFilled(), None, y, A).loss
    torch.manual_seed(5)
    b = torch.randn_like(y) * A.mask[:, None]
    follows = (b.conj() * A(A.adjoint(b))).real.flatten(1).sum(1)  # a linear map is its derivative
    n_samples = A.mask.flatten(1).sum(1) * y.shape[1]
    estimate = norm2(A(A.adjoint(y)) - y) + 0.2**2 * (2 * follows - n_samples)
    # float32: the finite difference loses three digits of seven
    torch.testing.assert_close(loss, (estimate / norm2(y)).mean(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("window", [0, 5])
def test_mean_is_the_true_error(window):
    sigma, n = 0.3, 400
    arrays = {k: torch.from_numpy(v) for k, v in tiny_arrays(1).items()}
    A = CartesianMRI(arrays["maps"], arrays["masks"])
    clean = 3 * arrays["ksp"]
    torch.manual_seed(0)
    y = clean + sigma * torch.randn(n, *clean.shape[1:], dtype=clean.dtype) * A.mask[:, None]
    loss = SURE(sigma=sigma, window=window)
    weights = loss._weights(y, A)
    x_hat = ZeroFilled()(y, A)
    truth = (norm2(A(x_hat) - clean, weights) / norm2(y, weights)).mean()
    misfit = (norm2(A(x_hat) - y, weights) / norm2(y, weights)).mean()
    estimate = loss.step(ZeroFilled(), None, y, A).loss
    # scatter of the mean over 400 draws, measured over seeds: 0.3 % of the misfit
    torch.testing.assert_close(estimate, truth, rtol=0, atol=float(0.01 * misfit))
    assert abs(misfit - truth) > 0.03 * misfit  # without its correction it would be far off


def test_weights_count_the_samples_around():
    mask = torch.zeros(1, 9, 9)
    mask[0, 4, 4] = mask[0, 4, 5] = mask[0, 0, 0] = 1
    A = CartesianMRI(torch.ones(1, 1, 9, 9, dtype=torch.complex64), mask)
    weights = SURE(window=3)._weights(A(torch.ones(1, 9, 9, dtype=torch.complex64)), A)
    assert weights.shape == (1, 1, 9, 9)
    assert weights[0, 0, 4, 4] == pytest.approx(9 / 2)
    assert weights[0, 0, 0, 0] == pytest.approx(4)  # a corner has four neighbours, itself included
    assert (weights > 0).sum() == 3


def test_noise_level_is_estimated_if_not_given(batch):
    _, y, A = batch
    torch.manual_seed(1)
    found = SURE().step(ZeroFilled(), None, y[:1], A.map(lambda a: a[:1])).loss
    torch.manual_seed(1)
    sigma = float(noise_std(y[:1], 3))
    given = SURE(sigma=sigma).step(ZeroFilled(), None, y[:1], A.map(lambda a: a[:1])).loss
    torch.testing.assert_close(found, given)


def test_reports_its_terms_and_is_finite_without_signal(spy, batch):
    _, y, A = batch
    loss = SURE()
    step = loss.step(spy, None, y, A)
    torch.testing.assert_close(loss.report["fit"] + loss.report["correction"], step.loss.detach())
    step = loss.step(spy, None, 0 * y, A)
    step.loss.backward()
    assert torch.isfinite(step.loss)
    assert torch.isfinite(spy.gain.grad)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"sigma": -1.0}, "sigma"), ({"step_size": 0}, "step_size"), ({"window": 4}, "window")],
)
def test_refuses_what_is_out_of_range(options, name):
    with pytest.raises(ValueError, match=f"SURE: .*`{name}` must"):
        SURE(**options)
