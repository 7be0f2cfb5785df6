import shutil
import subprocess

import numpy as np
import pytest
import torch

from reconic.io import read_cfl, write_cfl
from reconic.metrics import psnr
from reconic.networks import CNN
from reconic.priors import L1, TV, CycleSpin, NonNegative, Wavelet
from reconic.recons import (
    ADMM,
    CGSense,
    CompressedSensing,
    Denoise,
    Proximal,
    ProximalGradient,
    ZeroFilled,
)
from reconic.recons.base import Problem, typical_magnitude
from reconic.solvers import operator_norm
from reconic.systems import CartesianMRI

LAM = 0.1


@pytest.fixture
def A(rng):
    A = CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)
    start = torch.tensor(rng.standard_normal(A.in_shape) + 0j)
    return A.replace(maps=A.maps / operator_norm(A, start, max_iter=2000, tol=1e-13))  # ‖A‖ = 1


@pytest.fixture
def y(A, normal):
    return A(torch.tensor(normal(2, *A.in_shape)))


def network():
    return CNN(width=4, n_layers=2, zero_init=False).double()


def scaled(A, y):
    """Adjoint and measurements at the scale that recons see."""
    scale = typical_magnitude(A.H(y), 2)
    return A.H(y) / scale[:, None, None], scale


def assert_optimal(A, y, x, lam, atol):
    """0 ∈ Aᴴ(Ax - y) + λ ∂|x| at the scale that recons see."""
    b, scale = scaled(A, y)
    x = (x / scale[:, None, None]).detach().numpy()
    slope = (b - A.normal(torch.tensor(x))).numpy() / lam
    zero = np.abs(x) < 1e-8
    assert 0.05 < zero.mean() < 0.95
    np.testing.assert_allclose(slope[~zero], x[~zero] / np.abs(x[~zero]), atol=atol)
    assert np.abs(slope[zero]).max() <= 1 + atol


def test_compressed_sensing_is_optimal(A, y):
    recon = CompressedSensing(L1(), LAM, max_iter=3000, tol=1e-11).double()
    assert_optimal(A, y, recon(y, A), LAM, atol=1e-6)
    assert recon.report["lam"].item() == pytest.approx(LAM)
    assert 10 < recon.report["n_fista"].item() < 3000


def test_proximal_gradient_converges_to_the_same(A, y):
    recon = ProximalGradient(Proximal(L1(), LAM), 400, momentum=True).double()
    assert_optimal(A, y, recon(y, A), LAM, atol=1e-3)  # after 400 passes


def test_admm_converges_to_the_same(A, y):
    rho = 0.3  # the weight of P is λ/ρ
    recon = ADMM(Proximal(L1(), LAM / rho), 150, rho, cg_iter=50, cg_tol=1e-9).double()
    seen = []  # x is not exactly sparse, z is: what the last proximal step gives
    recon.proximal[-1].register_forward_hook(lambda *call: seen.append(call[-1]))
    with torch.no_grad():
        recon(y, A)
    _, scale = scaled(A, y)
    assert_optimal(A, y, seen[-1] * scale[:, None, None], LAM, atol=1e-3)


def test_proximal_gradient_is_its_recursion(A, y):
    D = network()
    recon = ProximalGradient(Denoise(D), 3, step_size=0.8).double()
    b, scale = scaled(A, y)
    x = b
    for _ in range(3):
        x = D(x - 0.8 * (A.H(A(x)) - b))
    torch.testing.assert_close(recon(y, A), x * scale[:, None, None])


def test_momentum_is_nesterovs(A, y):
    D = network()
    recon = ProximalGradient(Denoise(D), 3, step_size=0.8, momentum=True).double()
    b, scale = scaled(A, y)
    x = z = b
    for weight in (0, 1 / 4, 2 / 5):
        x, old = D(z - 0.8 * (A.H(A(z)) - b)), x
        z = x + weight * (x - old)
    torch.testing.assert_close(recon(y, A), x * scale[:, None, None])


def test_admm_is_its_recursion(A, y, dense):
    D = network()
    recon = ADMM(Denoise(D), 3, rho=0.2, cg_iter=300, cg_tol=1e-13).double()
    b, scale = scaled(A, y)
    matrix = torch.tensor(dense(A.map(lambda a: a.numpy()).N) + 0.2 * np.eye(48))
    x, u = b, torch.zeros_like(b)
    for _ in range(3):
        z = D(x + u)
        u = u + x - z
        rhs = (b + 0.2 * (z - u)).reshape(2, -1)
        x = torch.linalg.solve(matrix, rhs.T).T.reshape(b.shape)
    torch.testing.assert_close(recon(y, A), x * scale[:, None, None], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("recipe", [ProximalGradient, ADMM])
def test_passes_of_their_own(recipe, A, y):
    shared, own = (recipe(Denoise(network()), 3, shared=s) for s in (True, False))
    n = sum(p.numel() for p in network().parameters())
    assert [sum(p.numel() for p in r.parameters()) for r in (shared, own)] == [n + 3, 3 * n + 3]
    assert len(own.double().trace(y, A)) == 3


@pytest.mark.parametrize("recipe", [ProximalGradient, ADMM])
@pytest.mark.parametrize("start", ["adjoint", "cgsense"])
@pytest.mark.parametrize("make", [lambda: Denoise(network()), lambda: Proximal(Wavelet("haar", 1))])
def test_gradients_reach_every_parameter(recipe, start, make, A, y):
    recon = recipe(make(), 2, shared=False, start=start).double()
    recon(y, A).abs().sum().backward()
    for name, p in recon.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name


def test_start_at_cgsense(A, y):
    still = ProximalGradient(Proximal(L1(), 1e-30), 1, step_size=1e-30, start="cgsense").double()
    want = CGSense(0.01, max_iter=6, tol=1e-3).double()(y, A)
    torch.testing.assert_close(still(y, A), want)


def test_learned_weights_are_reported(A, y):
    recon = ADMM(Proximal(TV(5), 0.02), 2, rho=0.3).double()
    recon(y, A)
    assert recon.report["weight"].item() == pytest.approx(0.02)
    assert recon.report["lam/1"].item() == pytest.approx(0.3)


def test_fixed_penalty_has_no_gradient():
    recon = ADMM(Denoise(torch.nn.Identity()), learned=False)
    assert not any(p.requires_grad for p in recon.parameters())


def test_lam_learns(A, y):
    recon = CompressedSensing(L1(), LAM, max_iter=30, tol=0.0).double()

    def f():
        return recon(y, A).abs().square().sum()

    theta = recon.lam.theta
    (slope,) = torch.autograd.grad(f(), theta)
    with torch.no_grad():
        theta += 1e-6
        up = f()
        theta -= 2e-6
        down = f()
    torch.testing.assert_close(slope, (up - down) / 2e-6, rtol=1e-5, atol=1e-6)


def test_a_constraint_as_a_block(A, y):
    x = ProximalGradient(Proximal(NonNegative()), 3).double()(y, A)
    assert x.imag.abs().max() == 0
    assert x.real.min() == 0


def test_sparse_image_is_recovered(rng):
    """An image of few wavelet coefficients, far better than zeros in k-space give it."""
    x = torch.zeros(1, 32, 32, dtype=torch.complex128)
    x[:, 8:16, 4:12], x[:, 16:24, 16:20] = 1, 2j
    mask = torch.tensor((rng.random((32, 32)) < 0.5) * 1.0)
    mask[12:20, 12:20] = 1
    A = CartesianMRI(torch.ones(1, 32, 32, dtype=torch.complex128), mask)
    recon = CompressedSensing(Wavelet("haar", 3), 2e-3, max_iter=500, tol=1e-5).double()
    with torch.no_grad():
        errors = [float((r(A(x), A) - x).norm() / x.norm()) for r in (ZeroFilled(), recon)]
    assert errors[1] < 0.02 < 0.3 < errors[0]


@pytest.mark.parametrize("scale", [1e-6, 1e5])
@pytest.mark.parametrize(
    "make",
    [
        lambda: CompressedSensing(Wavelet("haar", 1)),
        lambda: ProximalGradient(Proximal(TV(5)), 2),
        lambda: ADMM(Proximal(L1()), 2),
    ],
)
def test_scale_of_the_data_does_not_matter(make, A, y, scale):
    recon = make().double()
    torch.testing.assert_close(recon(scale * y, A) / scale, recon(y, A), rtol=1e-7, atol=1e-9)
    assert torch.isfinite(torch.view_as_real(recon(0 * y, A))).all()


@pytest.mark.parametrize("recipe", [ProximalGradient, ADMM])
def test_messages(recipe):
    with pytest.raises(ValueError, match=f"{recipe.__name__}: `n_unrolls` must be at least 1, got"):
        recipe(Proximal(L1()), 0)


def test_problem_is_left_as_it_was(A, y):
    problem = Problem(y, A, A.H(y))
    x = A.H(y)
    Proximal(L1(), 0.1).double()(x, problem)
    torch.testing.assert_close(x, A.H(y))


def test_nothing_is_invented_where_no_coil_sees(rng):
    maps = torch.tensor(rng.standard_normal((4, 16, 16)) + 0j)
    maps[:, :, 9:] = 0
    A = CartesianMRI(maps, torch.tensor((rng.random((16, 16)) < 0.6) * 1.0))
    x = torch.ones(1, 16, 16, dtype=torch.complex128)
    found = CompressedSensing(Wavelet("db2", 2)).double()(A(x), A)
    assert found[..., 9:].abs().max() == 0
    assert found[..., :9].abs().min() > 0


@pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
def test_wavelets_are_as_good_as_barts(tmp_path, rng):
    """Each at the best of a few λ; BART with its random shifts, ours with four."""
    x = torch.zeros(1, 64, 64, dtype=torch.complex64)
    x[:, 12:52, 8:56] = 0.5 * torch.exp(2j * torch.linspace(0, 1, 48))
    x[:, 20:36, 16:32], x[:, 30:44, 34:48] = 1, 0.2j
    rows = torch.linspace(-1, 1, 64)[:, None]
    maps = torch.stack([1 + s * rows + 1j * t * rows.T for s, t in ((1, 1), (1, -1), (-1, 0.5))])
    mask = torch.tensor((rng.random((64, 64)) < 0.25).astype(np.float32))
    mask[26:38, 26:38] = 1
    A = CartesianMRI(maps / maps.abs().square().sum(0).sqrt(), mask)
    noise = torch.tensor(rng.standard_normal((2, 3, 64, 64)).astype(np.float32))
    y = A(x) + 0.02 * mask * torch.complex(*noise)
    b = A.H(y)
    scale = typical_magnitude(b, 2).item()
    for name, a in (("y", y[0] / scale), ("maps", A.maps)):
        write_cfl(tmp_path / name, a.numpy()[:, None])

    def ours(lam):
        return CompressedSensing(CycleSpin(Wavelet("db2")), lam, tol=1e-4)(y, A)

    def barts(lam):
        command = f"bart pics -w1 -i200 -R W:3:0:{lam} y maps x"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        return scale * torch.tensor(read_cfl(tmp_path / "x").squeeze())

    with torch.no_grad():
        best = [max(psnr(f(s).reshape(x.shape), x).item() for s in (0.005, 0.01, 0.02, 0.04))
                for f in (ours, barts)]  # fmt: skip
    assert best[0] > best[1] - 0.1, best
    assert best[0] > psnr(CGSense(0.02)(y, A).detach(), x).item() + 2


@pytest.mark.parametrize("recipe", [ProximalGradient, ADMM])
def test_checkpointing_changes_memory_alone(recipe, A, y):
    D, found, kept = network(), [], []
    for checkpointing in (False, True):
        recon = recipe(Denoise(D), 4, checkpointing=checkpointing).double()
        total = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, total=total: total.append(t.nbytes) or t, lambda t: t
        ):
            loss = recon(y, A).abs().square().sum()
        found.append(torch.autograd.grad(loss, list(recon.parameters())))
        kept.append(sum(total))
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want)
    assert kept[1] < kept[0] / 3
