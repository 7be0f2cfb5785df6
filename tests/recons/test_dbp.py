import numpy as np
import pytest
import torch

from reconic.networks import CNN
from reconic.operator import Identity
from reconic.recons import DeepBasisPursuit
from reconic.systems import CartesianMRI


class Half(torch.nn.Module):
    """A denoiser whose result is known."""

    def forward(self, x):
        return 0.5 * x


@pytest.fixture
def A(rng):
    return CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)


@pytest.fixture
def y(A, normal):
    clean = A(torch.tensor(normal(2, *A.in_shape)))
    return clean + A.mask * torch.tensor(0.1 * normal(2, *A.out_shape))


def converged(n_admm=400, **options):
    return DeepBasisPursuit(
        Half(), 1, n_admm, cg_iter=60, cg_tol=1e-12, admm_tol=1e-8, **options
    ).double()


def nearest_feasible(matrix, y, r, epsilon):
    """argmin ‖x - r‖² with ‖y - Ax‖ ≤ ε, by bisection on the multiplier of the constraint."""

    def solve(mu):
        normal = np.eye(len(r)) + mu * matrix.conj().T @ matrix
        return np.linalg.solve(normal, r + mu * matrix.conj().T @ y)

    def misfit(mu):
        return np.linalg.norm(y - matrix @ solve(mu))

    if misfit(0) <= epsilon:
        return r
    low, high = 1e-6, 1e9
    for _ in range(200):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if misfit(middle) > epsilon else (low, middle)
    return solve(high)


@pytest.mark.parametrize(
    ("sigma", "lam"), [(0.12, 0.1), (0.12, 0.03), (0.5, 1.0), (5.0, 1.0)]
)  # the last σ allows r itself
def test_one_pass_is_the_nearest_image_that_fits_the_data(A, y, dense, sigma, lam):
    found = converged(sigma=sigma, lam=lam)(y, A).detach()
    matrix = dense(A.map(lambda a: a.numpy()))
    epsilon = sigma * np.sqrt(4 * A.mask.sum().item())
    for one, r, x in zip(y, 0.5 * A.H(y), found, strict=True):
        want = nearest_feasible(matrix, one.numpy().ravel(), r.numpy().ravel(), epsilon)
        # ADMM stops at 1e-10 of ‖y‖, which its linear rate turns into some 1e-8 of the image
        np.testing.assert_allclose(x.numpy().ravel(), want, atol=1e-6)
        assert np.linalg.norm(matrix @ x.numpy().ravel() - one.numpy().ravel()) <= epsilon + 1e-6


def admm(matrix, y, epsilon, lam, n_unrolls, n_admm):
    """The recursion as the paper's authors run it, on vectors, with exact solves."""
    n = matrix.shape[1]
    x = matrix.conj().T @ y
    z, u = matrix @ x, np.zeros_like(y)
    for _ in range(n_unrolls):
        r = 0.5 * x
        for _ in range(n_admm):
            rhs = matrix.conj().T @ (z - u) / lam + r
            x = np.linalg.solve(matrix.conj().T @ matrix / lam + np.eye(n), rhs)
            v = matrix @ x + u - y
            z = y + v * min(1, epsilon / np.linalg.norm(v))
            u = u + matrix @ x - z
    return x


def test_is_its_recursion(A, y, dense):
    dbp = DeepBasisPursuit(Half(), 3, 4, 0.12, lam=0.3, cg_iter=300, cg_tol=1e-14, admm_tol=0)
    found = dbp.double()(y, A).detach()
    matrix = dense(A.map(lambda a: a.numpy()))
    epsilon = 0.12 * np.sqrt(4 * A.mask.sum().item())
    for one, x in zip(y, found, strict=True):
        want = admm(matrix, one.numpy().ravel(), epsilon, 0.3, 3, 4)
        np.testing.assert_allclose(x.numpy().ravel(), want, atol=1e-9)


def test_feasible_start_is_the_smallest_image_that_fits_the_data(A, y, dense):
    identity = torch.nn.Identity()
    options = {"cg_iter": 60, "cg_tol": 1e-12, "admm_tol": 1e-9}
    found = DeepBasisPursuit(identity, 1, 400, 0.5, 1.0, **options, start="feasible").double()(y, A)
    matrix = dense(A.map(lambda a: a.numpy()))
    epsilon = 0.5 * np.sqrt(4 * A.mask.sum().item())
    for one, x in zip(y, found.detach(), strict=True):
        want = nearest_feasible(matrix, one.numpy().ravel(), np.zeros(48), epsilon)
        np.testing.assert_allclose(x.numpy().ravel(), want, atol=1e-6)


def test_a_sample_does_not_depend_on_its_batch(A, y):
    dbp = DeepBasisPursuit(Half(), 2, 60, 0.5, lam=1.0, admm_tol=1e-2).double()
    both = dbp(torch.stack([y[0], 0.01 * y[1]]), A)
    n_admm = dbp.report["n_admm"]
    alone = [dbp(y[:1], A), dbp(0.01 * y[1:], A)]
    torch.testing.assert_close(both, torch.cat(alone))
    assert n_admm < 60  # both stopped early, one of them at once


def test_noise_level_is_estimated_from_outer_k_space(rng, normal):
    maps = torch.tensor(normal(1, 4, 40, 36))
    mask = torch.tensor((rng.random((1, 40, 36)) < 0.6) * 1.0)
    A = CartesianMRI(maps, mask)
    y = A(torch.zeros(1, 40, 36, dtype=torch.complex128)) + mask * torch.tensor(
        0.2 * normal(1, 4, 40, 36) / np.sqrt(2)
    )
    dbp = DeepBasisPursuit(Half(), 1, 1).double()
    dbp(y, A)
    # 1100 outer samples: the median of |noise|² scatters by 4 %, its root by 2 %
    want = torch.linalg.vector_norm(y).item()
    assert dbp.report["epsilon"].item() == pytest.approx(want, rel=0.08)


def test_weights_and_missing_coils_count(A, y):
    y = torch.cat([y[:, :3], 0 * y[:, 3:]], 1)
    A = A.replace(mask=2 * A.mask)
    dbp = DeepBasisPursuit(Half(), 1, 1, sigma=0.3).double()
    dbp(y, A)
    want = 0.3 * np.sqrt(3 * (A.mask**2).sum().item())
    assert dbp.report["epsilon"].item() == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_scale_of_the_data_does_not_matter(A, y, scale):
    one = DeepBasisPursuit(Half(), 2, 3, sigma=0.1).double()(y, A)
    other = DeepBasisPursuit(Half(), 2, 3, sigma=0.1 * scale).double()(scale * y, A)
    torch.testing.assert_close(other / scale, one, rtol=1e-7, atol=1e-9)


def test_zero_data_gives_a_finite_image_and_gradient(A, y):
    dbp = DeepBasisPursuit(CNN(width=4, n_layers=2, zero_init=False), 2, sigma=0.1).double()
    x = dbp(0 * y, A)
    assert torch.isfinite(torch.view_as_real(x)).all()
    x.abs().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in dbp.parameters())


def test_gradient_against_finite_differences(A, y):
    dbp = DeepBasisPursuit(
        CNN(width=2, n_layers=2, zero_init=False), 2, 2, 0.12, cg_iter=300, cg_tol=1e-14, admm_tol=0
    ).double()

    def loss():
        return dbp(y, A).abs().square().sum()

    for theta in (dbp.consistency.lam.theta, dbp.denoise.network.layers[0].bias):
        slope = torch.autograd.grad(loss(), theta)[0].sum()
        h = 1e-6
        with torch.no_grad():
            theta += h
            up = loss()
            theta -= 2 * h
            down = loss()
            theta += h
        torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-5, atol=1e-7)


def test_report_in_the_units_of_the_data(A, y):
    dbp = DeepBasisPursuit(Half(), 2, 200, sigma=0.2, lam=0.1, cg_iter=50).double()
    x = dbp(y, A).detach()
    misfit = torch.linalg.vector_norm(y - A(x), dim=(1, 2, 3)).mean()
    assert dbp.report["residual"].item() == pytest.approx(misfit.item(), rel=1e-6)
    assert dbp.report["residual"] <= 1.01 * dbp.report["epsilon"]
    assert dbp.report["lam"].item() == pytest.approx(0.1)
    assert set(dbp.report) >= {"n_cg/0", "n_cg/1", "n_admm/1"}


def test_messages(y):
    with pytest.raises(ValueError, match=r"`n_unrolls` and `n_admm` must be at least 1, got 0"):
        DeepBasisPursuit(Half(), 0)
    with pytest.raises(ValueError, match=r"`sigma` must not be negative, got -1"):
        DeepBasisPursuit(Half(), sigma=-1)
    with pytest.raises(ValueError, match=r"`sigma` must be given for Identity, got None"):
        DeepBasisPursuit(Half())(y[:, 0], Identity((8, 6)))
