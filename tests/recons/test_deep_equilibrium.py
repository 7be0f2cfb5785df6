import numpy as np
import pytest
import torch

from reconic.networks import CNN
from reconic.recons import (
    CGSense,
    DataConsistency,
    DeepEquilibrium,
    Denoise,
    GradientStep,
)
from reconic.recons.base import typical_magnitude
from reconic.solvers import operator_norm
from reconic.systems import CartesianMRI


@pytest.fixture
def A(rng):
    A = CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)
    start = torch.tensor(rng.standard_normal(A.in_shape) + 0j)
    return A.replace(maps=A.maps / operator_norm(A, start, max_iter=2000, tol=1e-13))  # ‖A‖ = 1


@pytest.fixture
def y(A, normal):
    return A(torch.tensor(normal(2, *A.in_shape)))


def make(n=1, **settings):
    torch.manual_seed(0)
    network = CNN(width=4, n_layers=2, zero_init=False).double()
    with torch.no_grad():
        for p in network.parameters():
            p *= 0.3  # near the identity: a contraction
    blocks = [Denoise(network), DataConsistency(0.3, 60, 1e-12)]
    if n == 2:
        blocks = [GradientStep(0.9), Denoise(network)]
    options = {"max_iter": 100, "tol": 1e-11, "contraction": 0.8, **settings}
    return DeepEquilibrium(blocks, **options).double()


def many_passes(recon, y, A, n=110):
    """The plain iteration, with a graph through all passes."""
    from reconic.recons.base import Problem

    scale = typical_magnitude(A.H(y), 2)[:, None, None]
    problem = Problem(y / scale[..., None], A, A.H(y) / scale)
    x = problem.adjoint
    for _ in range(n):
        x = recon.contraction * x
        for block in recon.blocks:
            x = block(x, problem)
    return x * scale


@pytest.mark.parametrize("kind", [1, 2])
def test_is_where_many_passes_end(A, y, kind):
    recon = make(kind)
    with torch.no_grad():
        want = many_passes(recon, y, A)
    torch.testing.assert_close(recon(y, A), want, rtol=1e-8, atol=1e-9)
    assert recon.report["change"] < 1e-11
    assert recon.report["n_passes"] < 100


@pytest.mark.parametrize("kind", [1, 2])
def test_gradient_is_that_of_many_passes(A, y, kind):
    recon = make(kind)
    slopes = [
        torch.autograd.grad(f().abs().square().sum(), list(recon.parameters()))
        for f in (lambda: recon(y, A), lambda: many_passes(recon, y, A, 70))
    ]
    for got, want in zip(*slopes, strict=True):  # 0.8^70 is 2e-7, and the network contracts
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-8)


def test_first_fixed_point_is_cgsense(A, y):
    identity = torch.nn.Identity()
    cases = [
        ([Denoise(identity), DataConsistency(0.3, 100, 1e-13)], 0.3 * 0.2),
        ([GradientStep(0.9), Denoise(identity)], 0.2 / (0.8 * 0.9)),
    ]
    for blocks, lam in cases:
        recon = DeepEquilibrium(blocks, max_iter=300, tol=1e-12, contraction=0.8).double()
        want = CGSense(lam, 300, 1e-13).double()(y, A)
        if isinstance(blocks[0], GradientStep):
            want = want / 0.8  # its fixed point is (AᴴA + λ)⁻¹ Aᴴy / c
        torch.testing.assert_close(recon(y, A), want, rtol=1e-7, atol=1e-8)


def test_memory_does_not_grow_with_passes(A, y):
    def saved_bytes(max_iter):
        total = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: total.append(t.nbytes) or t, lambda t: t
        ):
            make(max_iter=max_iter, tol=0.0)(y, A)
        return sum(total)

    assert saved_bytes(3) == saved_bytes(40) > 0


def test_learns(A, y, normal):
    """A few steps of training bring the image nearer to what it should be."""
    recon = make(2, tol=1e-5, max_iter=30)
    x = torch.tensor(normal(2, *A.in_shape))
    optimizer = torch.optim.Adam(recon.parameters(), 0.01)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = (recon(A(x), A) - x).abs().square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.98 * losses[0]


def test_reports_means_of_its_passes(A, y):
    recon = make()
    recon(y, A)
    assert recon.report["lam"].item() == pytest.approx(0.3)
    assert "lam/0" not in recon.report


def test_zero_data(A, y):
    assert torch.isfinite(torch.view_as_real(make(max_iter=20)(0 * y, A))).all()


@pytest.mark.parametrize(
    ("blocks", "contraction", "message"),
    [([], 0.9, "got 0.9 and 0 blocks"), ([GradientStep()], 1.5, "got 1.5 and 1 blocks")],
)
def test_messages(blocks, contraction, message):
    with pytest.raises(ValueError, match=f"`contraction` must be above 0 and .* {message}"):
        DeepEquilibrium(blocks, contraction=contraction)
