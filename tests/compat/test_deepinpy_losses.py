import numpy as np
import pytest
import torch

from reconic.compat.deepinpy import AsMeasured, SummedError, SummedMisfit
from reconic.networks import CNN
from reconic.recons import MoDL, ResNetRecon
from reconic.systems import CartesianMRI


@pytest.fixture
def problem(rng, normal):
    A = CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)
    x_hat, x = (torch.tensor(normal(3, *A.in_shape)) for _ in range(2))
    return A, x_hat, x, A(x) + torch.tensor(normal(3, *A.out_shape))


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("magnitude", [False, True])
def test_losses_are_sums_averaged_over_the_batch(problem, norm, magnitude):
    A, x_hat, x, y = problem
    power = {"l1": 1, "l2": 2}[norm]
    pairs = {SummedError: (x_hat, x), SummedMisfit: (A(x_hat), y)}
    for kind, (a, b) in pairs.items():
        a, b = a.numpy(), b.numpy()
        error = np.abs(np.abs(a) - np.abs(b)) if magnitude else np.abs(a - b)
        found = kind(norm, magnitude)(x_hat, x, y, A)
        assert found.item() == pytest.approx(np.sum(error**power) / 3, rel=1e-12)


def test_what_needs_a_true_image(problem):
    A, x_hat, _, y = problem
    assert SummedError.needs_truth
    assert not SummedMisfit.needs_truth
    assert torch.isfinite(SummedMisfit()(x_hat, None, y, A))


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("magnitude", [False, True])
def test_gradients_are_finite_where_there_is_no_error(problem, norm, magnitude):
    A, x_hat, *_ = problem
    x_hat = x_hat.clone()
    x_hat[:, 0] = 0
    x_hat.requires_grad_()
    SummedError(norm, magnitude)(x_hat, x_hat.detach(), A(x_hat), A).backward()
    assert torch.isfinite(torch.view_as_real(x_hat.grad)).all()


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_as_measured_gives_networks_the_data_as_they_are(problem, scale):
    A, *_, y = problem
    torch.manual_seed(0)
    network = CNN(width=4, n_layers=2, zero_init=False).double()
    recon = AsMeasured(ResNetRecon(network))
    expected = network(A.H(y * scale))
    assert torch.equal(recon(y * scale, A), expected)
    assert torch.equal(recon.trace(y * scale, A)[-1], expected)


def test_as_measured_changes_nothing_where_images_are_in_proportion(problem):
    A, *_, y = problem
    torch.manual_seed(0)
    network = CNN(width=4, n_layers=2, zero_init=False, bias=False)
    modl = MoDL(network, n_unrolls=2, cg_iter=100, cg_tol=1e-10).double()
    torch.testing.assert_close(AsMeasured(modl)(y, A), modl(y, A), rtol=1e-7, atol=1e-8)
    assert len(AsMeasured(modl).trace(y, A)) == 2
