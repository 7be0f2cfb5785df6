"""FISTA, ADMM and PDHG against optimality conditions, closed forms and each other."""

import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity
from reconic.priors import L1, L2Ball, Wavelet
from reconic.solvers import admm, fista, operator_norm, pdhg
from reconic.systems import CartesianMRI

LAM = 0.3


@pytest.fixture
def A(rng):
    A = CartesianMRI.example(rng, np.zeros(1))
    norm = operator_norm(A, rng.standard_normal(A.in_shape) + 0j, max_iter=2000, tol=1e-13)
    return A.replace(maps=A.maps / norm)  # ‖A‖ = 1


@pytest.fixture
def y(A, normal):
    return normal(2, *A.out_shape)


def prox(x, t):
    return L1().prox(x, LAM * t)


def by_fista(A, y, **settings):
    return fista(A.N, A.H(y), prox, step=0.99, **{"max_iter": 3000, "tol": 1e-11, **settings})


def by_admm(A, y, **settings):
    options = {"max_iter": 3000, "tol": 1e-10, "cg_iter": 60, "cg_tol": 1e-12, **settings}
    return admm(A.N, A.H(y), prox, rho=0.2, **options)


def by_pdhg(A, y, **settings):
    def prox_f(v, t):  # of ½‖v - y‖²
        return (v + t * y) / (1 + t)

    options = {"max_iter": 20000, "tol": 1e-11, **settings}
    return pdhg(A, prox_f, prox, 0 * A.H(y), norm=1.01, **options)


SOLVERS = pytest.mark.parametrize("solve", [by_fista, by_admm, by_pdhg])


@SOLVERS
def test_solution_is_optimal(A, y, solve):
    # 0 ∈ Aᴴ(Ax - y) + λ ∂|x|: the gradient is -λ x/|x| where x is not zero, at most λ where it is
    found = solve(A, y)
    x = found.x
    slope = A.H(y - A(x)) / LAM
    zero = np.abs(x) < 1e-9
    assert 0.1 < zero.mean() < 0.9
    np.testing.assert_allclose(slope[~zero], x[~zero] / np.abs(x[~zero]), atol=1e-6)
    assert np.abs(slope[zero]).max() <= 1 + 1e-6
    assert found.converged.all()
    assert found.x.shape == (2, *A.in_shape)


@SOLVERS
def test_same_on_every_library(A, y, solve, like):
    B = A.map(lambda a: from_numpy(a, like))
    settings = {"max_iter": 20, "tol": 0}
    found = solve(B, from_numpy(y, like), **settings)
    np.testing.assert_allclose(to_numpy(found.x), solve(A, y, **settings).x, atol=1e-10)
    np.testing.assert_array_equal(to_numpy(found.n_iter), [20, 20])
    assert not to_numpy(found.converged).any()


@SOLVERS
def test_samples_stop_on_their_own(A, y, solve):
    y = y * np.array([1.0, 0.5])[:, None, None, None]
    both = solve(A, y, tol=1e-4)
    for i in range(2):
        alone = solve(A, y[i : i + 1], tol=1e-4)
        assert alone.n_iter[0] == both.n_iter[i]
        np.testing.assert_allclose(alone.x[0], both.x[i], atol=1e-12)
        assert both.residual[i] <= 1e-4


@SOLVERS
def test_zero_data(A, y, solve):
    found = solve(A, 0 * y)
    assert np.abs(found.x).max() == 0
    assert found.converged.all()


@SOLVERS
def test_jit(A, y, solve):
    jax = pytest.importorskip("jax")
    B = A.map(jax.numpy.asarray)
    found = jax.jit(lambda S, v: solve(S, v, max_iter=30, tol=0).x)(B, jax.numpy.asarray(y))
    np.testing.assert_allclose(found, solve(A, y, max_iter=30, tol=0).x, atol=1e-10)


def test_without_data_term_it_is_one_proximal_step(normal):
    x = normal(4, 5)
    eye = Identity((4, 5))
    found = fista(eye, x, prox, step=1.0)
    np.testing.assert_allclose(found.x, L1().prox(x, LAM))


def test_momentum_pays(A, y):
    fast, slow = by_fista(A, y, tol=1e-8), by_fista(A, y, tol=1e-8, accelerated=False)
    np.testing.assert_allclose(fast.x, slow.x, atol=1e-5)  # tolerance over 1 - rate
    assert fast.n_iter.max() < slow.n_iter.max() / 2


def test_plain_steps_are_ista(A, y):
    x = np.zeros((2, *A.in_shape))
    for _ in range(5):
        x = prox(x - 0.99 * A.H(A(x) - y), 0.99)
    np.testing.assert_allclose(by_fista(A, y, accelerated=False, max_iter=5, tol=0).x, x)


def test_steps_for_each_sample(A, y):
    steps = np.array([0.5, 0.9])
    both = fista(A.N, A.H(y), prox, step=steps, max_iter=4, tol=0)
    alone = fista(A.N, A.H(y[1]), prox, step=0.9, max_iter=4, tol=0)
    np.testing.assert_allclose(both.x[1], alone.x, atol=1e-13)


def test_pdhg_is_its_recursion(A, y):
    x = bar = 0 * A.H(y)
    u, tau, sigma = 0 * y, 0.5 / 1.01, 2 / 1.01  # a ratio of 1/4, at a norm of 1.01
    for _ in range(4):
        u = (u + sigma * (A(bar) - y)) / (1 + sigma)  # proximal map of the conjugate of ½‖v - y‖²
        x, old = prox(x - tau * A.H(u), tau), x
        bar = 2 * x - old
    np.testing.assert_allclose(by_pdhg(A, y, ratio=0.25, max_iter=4, tol=0).x, x, atol=1e-13)


def test_pdhg_meets_a_constraint(A, y):
    """The sparsest image within ε of the measurements: basis pursuit denoising."""
    consistent = A(A.H(y))
    eps = 0.2 * np.linalg.norm(consistent.reshape(2, -1), axis=1)
    ball, sparse = L2Ball(eps, consistent, n_axes=3), Wavelet("haar", 1)
    start = 0 * A.H(y)
    found = pdhg(A, ball.prox, sparse.prox, start, norm=1.01, max_iter=20000, tol=1e-9)
    misfit = np.linalg.norm((A(found.x) - consistent).reshape(2, -1), axis=1)
    np.testing.assert_allclose(misfit, eps, rtol=1e-4)  # active: a smaller ball costs sparsity
    assert np.all(sparse(found.x) < sparse(A.H(y)))


def test_torch_differentiates_through_the_iterations(A, y):
    torch = pytest.importorskip("torch")
    B, data = A.map(torch.tensor), torch.tensor(y)

    def f(lam):
        x = fista(
            B.N, B.H(data), lambda v, t: L1().prox(v, lam * t), step=0.99, max_iter=9, tol=0
        ).x
        return torch.view_as_real(x).square().sum()

    lam = torch.tensor(LAM, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(f(lam), lam)
    with torch.no_grad():
        want = (f(lam + 1e-6) - f(lam - 1e-6)) / 2e-6
    torch.testing.assert_close(slope, want, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda A, y: by_fista(A, y, max_iter=-1), r"fista: .* must not be negative, got -1"),
        (lambda A, y: by_admm(A, y, tol=-1), r"admm: .* must not be negative, got 3000 and -1"),
        (lambda A, y: by_pdhg(A, y, ratio=0), r"pdhg: .* `ratio` must be positive, got .* and 0"),
    ],
)
def test_messages(A, y, call, message):
    with pytest.raises(ValueError, match=message):
        call(A, y)
