import numpy as np
import pytest
import torch

from reconic.priors import L1
from reconic.recons import ADMM, CompressedSensing, Denoise, PlugAndPlay
from reconic.recons.base import typical_magnitude
from reconic.solvers import operator_norm
from reconic.systems import CartesianMRI


class Shrink(torch.nn.Module):
    """A denoiser that is a proximal map: soft thresholding."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, x):
        return L1().prox(x, self.threshold)


@pytest.fixture
def A(rng):
    A = CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)
    start = torch.tensor(rng.standard_normal(A.in_shape) + 0j)
    return A.replace(maps=A.maps / operator_norm(A, start, max_iter=2000, tol=1e-13))  # ‖A‖ = 1


@pytest.fixture
def y(A, normal):
    return A(torch.tensor(normal(2, *A.in_shape)))


@pytest.fixture
def exact(A, y):
    """The minimiser of ½‖Ax - y‖² + 0.1 Σ|x| that the algorithms should find."""
    return CompressedSensing(L1(), 0.1, max_iter=5000, tol=1e-12).double()(y, A).detach()


def test_fista_with_a_proximal_map_is_the_convex_one(A, y, exact):
    recon = PlugAndPlay(Shrink(0.095), "fista", 800).double()  # the step is 0.95/‖A‖²
    torch.testing.assert_close(recon(y, A), exact, rtol=1e-2, atol=1e-3)


def test_admm_with_a_proximal_map_is_the_convex_one(A, y, exact):
    recon = PlugAndPlay(Shrink(0.1 / 0.3), "admm", 200, lam=0.3, cg_iter=50, cg_tol=1e-8)
    torch.testing.assert_close(recon.double()(y, A), exact, rtol=1e-3, atol=1e-4)


def test_hqs_alternates(A, y, dense):
    recon = PlugAndPlay(Shrink(0.2), "hqs", 3, lam=0.3, cg_iter=200, cg_tol=1e-13).double()
    scale = typical_magnitude(A.H(y), 2)[:, None, None]
    b = A.H(y) / scale
    matrix = torch.tensor(dense(A.map(lambda a: a.numpy()).N) + 0.3 * np.eye(48))
    z = torch.zeros_like(b)
    for _ in range(4):
        x = torch.linalg.solve(matrix, (b + 0.3 * z).reshape(2, -1).T).T.reshape(b.shape)
        z = L1().prox(x, 0.2)
    torch.testing.assert_close(recon(y, A), x * scale, rtol=1e-8, atol=1e-9)


def test_admm_starts_at_cgsense_and_is_the_unrolled_one(A, y):
    settings = {"cg_iter": 100, "cg_tol": 1e-13}
    pnp = PlugAndPlay(Shrink(0.2), "admm", 4, lam=0.3, **settings).double()
    unrolled = ADMM(Denoise(Shrink(0.2)), 4, 0.3, start="cgsense", **settings).double()
    unrolled.start.consistency = pnp.consistency
    torch.testing.assert_close(pnp(y, A), unrolled(y, A))


def test_only_the_network_is_learned():
    recon = PlugAndPlay(torch.nn.Linear(2, 2))
    assert {n for n, p in recon.named_parameters() if p.requires_grad} == {
        "denoise.network.weight",
        "denoise.network.bias",
    }


@pytest.mark.parametrize("algorithm", ["fista", "admm", "hqs"])
def test_scale_traces_and_report(A, y, algorithm):
    recon = PlugAndPlay(torch.nn.Identity(), algorithm, 3).double()
    torch.testing.assert_close(recon(1e5 * y, A) / 1e5, recon(y, A), rtol=1e-7, atol=1e-9)
    assert len(recon.trace(y, A)) == 3
    assert not any("/" in name for name in recon.report)
    assert torch.isfinite(torch.view_as_real(recon(0 * y, A))).all()


@pytest.mark.parametrize(("algorithm", "n_iter"), [("ista", 3), ("admm", 0)])
def test_messages(algorithm, n_iter):
    with pytest.raises(ValueError, match=rf"PlugAndPlay: `algorithm` .* got '{algorithm}' and"):
        PlugAndPlay(torch.nn.Identity(), algorithm, n_iter)
