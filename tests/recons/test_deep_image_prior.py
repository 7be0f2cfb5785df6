"""Deep image prior: fits one scan, stops in time, and says nothing about what A does not see."""

import pytest
import torch
from tiny import one_thread as one_thread
from tiny import tiny_arrays

from reconic.metrics import nrmse
from reconic.networks import Hourglass
from reconic.recons import DeepImagePrior, ZeroFilled
from reconic.systems import CartesianMRI


def scan(noise=0.0):
    arrays = {k: torch.from_numpy(v) for k, v in tiny_arrays(1, seed=3).items()}
    support = (arrays["imgs"] != 0)[:, None]
    A = CartesianMRI(arrays["maps"] * support, arrays["masks"])
    torch.manual_seed(0)
    return arrays["imgs"], A(arrays["imgs"]) + noise * torch.randn_like(arrays["ksp"]), A


def prior(**options):
    torch.manual_seed(0)
    network = Hourglass(width=8, n_levels=2)
    return DeepImagePrior(network, **{"n_steps": 20, "lr": 0.01, "memory": 5, **options})


def test_comes_near_the_image():
    x, y, A = scan()
    recon = prior(n_steps=150)
    with torch.no_grad():
        x_hat = recon(y, A)
    assert float(nrmse(x_hat, x)) < 0.8 * float(nrmse(ZeroFilled()(y, A), x))
    assert recon.report["n_steps"] > 20


def test_is_zero_where_the_maps_are():
    x, y, A = scan()
    assert not prior()(y, A)[x == 0].any()


def test_is_the_same_each_time_and_leaves_no_trace():
    _, y, A = scan()
    recon = prior()
    before = [p.clone() for p in recon.parameters()]
    with torch.inference_mode():
        first = recon(y.clone(), A.map(torch.clone)).clone()
    torch.testing.assert_close(recon(y, A), first)
    assert all(torch.equal(a, b) for a, b in zip(before, recon.parameters(), strict=True))


def test_stops_before_it_fits_noise():
    _, y, A = scan(noise=0.5)
    recon = prior(n_steps=400, every=5, patience=3)
    recon(y, A)
    assert recon.report["n_steps"] < 300


def test_last_correction_is_data_consistency():
    _, y, A = scan(noise=0.1)
    plain, corrected = prior(lam=None), prior(lam=0.3)
    first, last = corrected.trace(y, A)
    torch.testing.assert_close(first, plain(y, A))
    rhs = A.adjoint(y) + 0.3 * first
    # CG stops at a relative residual of 1e-4
    torch.testing.assert_close(A.normal(last) + 0.3 * last, rhs, rtol=0, atol=1e-3)


def test_refuses_a_correction_without_weight():
    with pytest.raises(ValueError, match="DeepImagePrior: `lam` must be positive, got 0"):
        prior(lam=0.0)


@pytest.mark.parametrize("options", [{"jitter": -1.0}, {"memory": 0}], ids=str)
def test_refuses_what_is_out_of_range(options):
    with pytest.raises(ValueError, match="DeepImagePrior: `jitter` must not be negative"):
        prior(**options)
