"""Losses against NumPy formulas, finite differences and configs."""

import jsonargparse
import numpy as np
import pytest
import torch

from reconic.metrics import ssim
from reconic.train.losses import (
    ComplexL1,
    ComplexL2,
    KSpaceLoss,
    Loss,
    MagnitudeL1,
    MagnitudeL2,
    SSIMLoss,
    WeightedSum,
)

LOSSES = {
    "ComplexL1": ComplexL1(),
    "ComplexL2": ComplexL2(),
    "KSpaceLoss": KSpaceLoss(),
    "MagnitudeL1": MagnitudeL1(),
    "MagnitudeL2": MagnitudeL2(),
    "SSIMLoss": SSIMLoss(),
    "SSIMLoss-uniform": SSIMLoss(window="uniform"),
    "WeightedSum": WeightedSum({"a": (2.0, ComplexL1()), "b": (0.5, KSpaceLoss())}),
}


class Fourier(torch.nn.Module):
    """A stand-in for a system: undersampled orthonormal FFT."""

    def forward(self, x):
        mask = (torch.arange(x.shape[-1]) % 3 < 2).to(x.dtype)
        return mask * torch.fft.fft2(x, norm="ortho")


A = Fourier()


def batch(n=3, size=(12, 11), lead=(), seed=0):
    """Estimates, truths and measurements of random complex images of very different scales."""
    rng = np.random.default_rng(seed)
    shape = (n, *lead, *size)
    scale = 10.0 ** rng.uniform(-3, 3, (n, *[1] * (len(shape) - 1)))
    x = scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    x_hat = x + 0.3 * scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    x = torch.from_numpy(x)
    return torch.from_numpy(x_hat), x, A(x) * 1.1


def per_example(value):
    """Mean over the batch of a NumPy function of one example's estimate and reference."""
    return lambda x_hat, x: np.mean([value(a, b) for a, b in zip(x_hat, x, strict=True)])


l2 = per_example(lambda a, b: np.linalg.norm(a - b) ** 2 / np.linalg.norm(b) ** 2)
l1 = per_example(lambda a, b: np.sum(np.abs(a - b)) / np.sum(np.abs(b)))
FORMULAS = {
    "ComplexL2": lambda x_hat, x, y: l2(x_hat, x),
    "ComplexL1": lambda x_hat, x, y: l1(x_hat, x),
    "MagnitudeL2": lambda x_hat, x, y: l2(np.abs(x_hat), np.abs(x)),
    "MagnitudeL1": lambda x_hat, x, y: l1(np.abs(x_hat), np.abs(x)),
    "KSpaceLoss": lambda x_hat, x, y: l2(A(torch.from_numpy(x_hat)).numpy(), y),
    "WeightedSum": lambda x_hat, x, y: (
        2 * l1(x_hat, x) + 0.5 * l2(A(torch.from_numpy(x_hat)).numpy(), y)
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("lead", [(), (2,)], ids=["images", "frames"])
def test_against_the_formula(name, lead):
    x_hat, x, y = batch(lead=lead)
    expected = FORMULAS[name](*(a.reshape(3, -1, 12, 11).numpy() for a in (x_hat, x, y)))
    value = LOSSES[name](x_hat, x, y, A)
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_loss_is_one_minus_the_metric(window):
    x_hat, x, y = batch(lead=(2,))
    expected = [
        1 - float(ssim(x_hat[i, j].numpy(), x[i, j].numpy(), window=window))
        for i in range(3)
        for j in range(2)
    ]
    value = SSIMLoss(window=window)(x_hat, x, y, A).item()
    assert value == pytest.approx(np.mean(expected), rel=1e-12)


def test_ssim_loss_of_volumes():
    x_hat, x, y = batch(size=(8, 9, 7))
    expected = 1 - ssim(x_hat, x, n_space=3, window="uniform").mean()
    assert torch.equal(SSIMLoss(n_space=3, window="uniform")(x_hat, x, y, A), expected)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradient_against_finite_differences(loss):
    x_hat, x, y = batch(n=2)
    scale = x.abs().amax((1, 2), keepdim=True)  # finite differences need one scale
    x_hat, x, y = x_hat / scale, x / scale, y / scale
    assert torch.autograd.gradcheck(lambda a: loss(a, x, y, A), x_hat.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize(
    ("a", "b"), [(1, 1), (0, 1), (1, 0), (0, 0)], ids=["equal", "zero", "zero-truth", "both-zero"]
)
def test_value_and_gradient_are_finite_in_degenerate_cases(loss, dtype, a, b):
    x = batch()[1].to(dtype)
    x_hat = (a * x).requires_grad_()
    value = loss(x_hat, b * x, A(b * x), A)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(torch.view_as_real(x_hat.grad)).all()
    assert value.dtype == dtype.to_real()
    if a == b:
        assert value.item() == pytest.approx(0, abs=1e-5)
        assert (x_hat.grad * x.abs().amax((1, 2), keepdim=True)).abs().max() < 1e-4


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_example_weighs_the_same_at_any_scale(loss):
    x_hat, x, y = batch()
    scale = torch.tensor([1e-4, 1.0, 1e4])[:, None, None]
    value = loss(scale * x_hat, scale * x, scale * y, A)
    torch.testing.assert_close(value, loss(x_hat, x, y, A))
    alone = [loss(*(t[i : i + 1] for t in (x_hat, x, y)), A) for i in range(3)]
    torch.testing.assert_close(value, torch.stack(alone).mean())


@pytest.mark.parametrize("loss", [MagnitudeL1(), MagnitudeL2(), SSIMLoss()], ids=str)
def test_magnitude_losses_are_blind_to_the_phase(loss):
    x_hat, x, y = batch()
    phase = torch.exp(1j * torch.rand(x.shape, dtype=torch.float64))
    torch.testing.assert_close(loss(phase * x_hat, x, y, A), loss(x_hat, x, y, A))
    assert ComplexL1()(phase * x, x, y, A) > 0.1


def test_weighted_sum_reports_its_terms_detached_and_unweighted():
    x_hat, x, y = batch()
    loss = WeightedSum({"l2": (3.0, ComplexL2()), "ssim": (0.25, SSIMLoss())})
    value = loss(x_hat.requires_grad_(), x, y, A)
    assert list(loss.report) == ["l2", "ssim"]
    assert not any(term.requires_grad for term in loss.report.values())
    torch.testing.assert_close(loss.report["l2"], ComplexL2()(x_hat, x, y, A).detach())
    total = 3 * loss.report["l2"] + 0.25 * loss.report["ssim"]
    torch.testing.assert_close(value.detach(), total)
    assert ComplexL2().report == {}


CONFIG = """
loss:
  class_path: reconic.train.losses.WeightedSum
  init_args:
    terms:
      l2: [1.0, {class_path: reconic.train.losses.ComplexL2}]
      ssim: [0.1, {class_path: reconic.train.losses.SSIMLoss, init_args: {window: uniform}}]
"""


def test_can_be_spelt_in_a_config():
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Loss, "loss")
    loss = parser.instantiate(parser.parse_string(CONFIG)).loss
    assert isinstance(loss, WeightedSum)
    assert loss.weights == {"l2": 1.0, "ssim": 0.1}
    assert loss.losses["ssim"].window == "uniform"


@pytest.mark.parametrize(
    "name", ["ComplexL1", "ComplexL2", "KSpaceLoss", "MagnitudeL1", "SSIMLoss"]
)
def test_each_loss_by_class_path(name):
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Loss, "loss")
    config = parser.parse_object({"loss": {"class_path": f"reconic.train.losses.{name}"}})
    assert type(parser.instantiate(config).loss).__name__ == name


def test_refuses_no_terms():
    with pytest.raises(ValueError, match="WeightedSum: `terms` must hold at least one loss"):
        WeightedSum({})


@pytest.mark.parametrize("name", ["ComplexL1", "ComplexL2", "MagnitudeL1", "MagnitudeL2"])
def test_refuses_shapes_that_would_broadcast(name):
    x_hat, x, y = batch()
    with pytest.raises(ValueError, match=rf"{name}: `x_hat` .* \(3, 12, 11\), got \(1, 12, 11\)"):
        LOSSES[name](x_hat[:1], x, y, A)


def test_kspace_loss_refuses_measurements_of_another_shape():
    x_hat, x, y = batch()
    with pytest.raises(ValueError, match=r"KSpaceLoss: .* \(3, 1, 12, 11\), got \(3, 12, 11\)"):
        KSpaceLoss()(x_hat, x, y[:, None], A)
