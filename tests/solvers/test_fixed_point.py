import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.solvers import fixed_point


@pytest.fixture
def problem(rng, normal):
    """x = Mx + b with ‖M‖ = 0.95 for each of three samples, and its dense solution."""
    M = normal(30, 30)
    M = 0.95 * M / np.linalg.norm(M, 2)
    b = normal(3, 30)
    return M, b, np.linalg.solve(np.eye(30) - M, b.T).T


def affine(M, b):
    return lambda x: (M @ x[..., None])[..., 0] + b


@pytest.mark.parametrize("memory", [1, 2, 6])
def test_finds_the_fixed_point(problem, memory, like):
    M, b, want = problem
    f = affine(from_numpy(M, like), from_numpy(b, like))
    x0 = from_numpy(0 * b, like)
    found = fixed_point(f, x0, max_iter=2000, tol=1e-12, memory=memory, n_core=1)
    np.testing.assert_allclose(to_numpy(found.x), want, atol=1e-9)  # tol / (1 - 0.95), and more
    assert to_numpy(found.converged).all()
    assert to_numpy(found.residual).max() <= 1e-12


def test_memory_pays(problem):
    M, b, _ = problem
    M = 0.95 * (M + M.conj().T) / np.linalg.norm(M + M.conj().T, 2)  # eigenvalues up to ±0.95
    n = [fixed_point(affine(M, b), 0 * b, max_iter=2000, tol=1e-8, memory=m, n_core=1).n_iter.max()
         for m in (1, 6)]  # fmt: skip
    assert n[1] < n[0] / 2


def test_memory_of_one_is_the_plain_iteration(problem):
    M, b, _ = problem
    x = 0 * b
    for _ in range(7):
        x = affine(M, b)(x)
    found = fixed_point(affine(M, b), 0 * b, max_iter=7, tol=0, memory=1, n_core=1)
    np.testing.assert_allclose(found.x, x, rtol=1e-12)
    np.testing.assert_array_equal(found.n_iter, [7, 7, 7])
    assert not found.converged.any()


def test_samples_stop_on_their_own(problem):
    M, b, _ = problem
    scale = np.array([0.2, 0.6, 1.0])[:, None]  # contractions of different strength

    def solve(scale, b):
        return fixed_point(
            lambda x: scale * affine(M, b)(x), 0 * b, tol=1e-6, max_iter=500, n_core=1
        )

    both = solve(scale, b)
    for i in range(3):
        alone = solve(scale[i], b[i])
        assert alone.n_iter == both.n_iter[i]
        np.testing.assert_allclose(alone.x, both.x[i], atol=1e-10)


def test_a_fixed_point_at_zero_and_at_the_start(problem):
    M, b, want = problem
    zero = fixed_point(affine(M, 0 * b), 0 * b, n_core=1)
    assert np.abs(zero.x).max() == 0
    assert zero.converged.all()
    again = fixed_point(affine(M, b), want, tol=1e-9, n_core=1)
    np.testing.assert_array_equal(again.n_iter, [1, 1, 1])


def test_gradient_is_that_of_the_dense_solution(problem):
    torch = pytest.importorskip("torch")
    M, b, _ = problem
    M, b = torch.tensor(M, requires_grad=True), torch.tensor(b, requires_grad=True)
    w = torch.tensor(np.random.default_rng(1).standard_normal((3, 30)))

    def slopes(x):
        return torch.autograd.grad(torch.sum(w * x.real) + x.abs().square().sum(), (M, b))

    got = slopes(
        fixed_point(affine(M, b), torch.zeros_like(b), tol=1e-13, max_iter=900, n_core=1).x
    )
    want = slopes(torch.linalg.solve(torch.eye(30) - M, b.T).T)
    for g, v in zip(got, want, strict=True):
        torch.testing.assert_close(g, v, rtol=1e-7, atol=1e-8)


def test_graph_does_not_grow_with_iterations(problem):
    torch = pytest.importorskip("torch")
    M, b, _ = problem
    M, b = torch.tensor(M, requires_grad=True), torch.tensor(b)

    def saved_bytes(max_iter):
        total = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: total.append(t.nbytes) or t, lambda t: t
        ):
            fixed_point(affine(M, b), 0 * b, max_iter=max_iter, tol=0, n_core=1)
        return sum(total)

    assert saved_bytes(3) == saved_bytes(60) > 0


def test_no_graph_is_made_where_none_is_recorded(problem):
    torch = pytest.importorskip("torch")
    M, b, _ = problem
    calls = []

    def f(x):
        calls.append(1)
        return affine(torch.tensor(M), torch.tensor(b))(x)

    with torch.no_grad():
        found = fixed_point(f, torch.zeros_like(torch.tensor(b)), max_iter=4, tol=0, n_core=1)
    assert len(calls) == 4
    assert not found.x.requires_grad


def test_jit(problem):
    jax = pytest.importorskip("jax")
    M, b, want = problem
    solve = jax.jit(
        lambda m, v: fixed_point(affine(m, v), 0 * v, max_iter=900, tol=1e-12, n_core=1)
    )
    found = solve(jax.numpy.asarray(M), jax.numpy.asarray(b))
    np.testing.assert_allclose(found.x, want, atol=1e-9)


@pytest.mark.parametrize("settings", [{"max_iter": 0}, {"memory": 0}, {"tol": -1.0}])
def test_messages(settings):
    with pytest.raises(ValueError, match=r"fixed_point: `max_iter` and `memory` must be at least"):
        fixed_point(lambda x: x, np.ones(3), **settings)


def test_of_an_expansion_the_best_image_is_kept(problem, like):
    _, b, _ = problem
    rises = from_numpy(b, like)
    found = fixed_point(lambda x: 2 * x * x + rises, 0 * rises, max_iter=8, n_core=1)
    assert np.isfinite(to_numpy(found.x)).all()
    assert np.isfinite(to_numpy(found.residual)).all()
    assert not to_numpy(found.converged).any()
