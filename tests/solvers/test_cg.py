import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity
from reconic.solvers import cg, operator_norm
from reconic.systems import CartesianMRI
from reconic.testing import random_like

LAM = 0.1


@pytest.fixture
def A(rng):
    return CartesianMRI.example(rng, np.zeros(1))


def regularised(A, lam=LAM):
    return A.N + lam * Identity(A.in_shape)


def test_cg_is_the_dense_solution(A, dense, like, normal):
    b = normal(3, *A.in_shape)
    matrix = dense(regularised(A))
    want = np.linalg.solve(matrix, b.reshape(3, -1).T).T.reshape(b.shape)
    M = regularised(A.map(lambda a: from_numpy(a, like)))
    found = cg(M, from_numpy(b, like), max_iter=200, tol=1e-12)
    # error <= condition (about 1e2 here) x relative residual
    np.testing.assert_allclose(to_numpy(found.x), want, atol=1e-9)
    assert bool(np.all(to_numpy(found.converged)))
    assert to_numpy(found.residual).shape == (3,)


def test_residual_is_the_true_one(A, normal):
    b = normal(2, *A.in_shape)
    M = regularised(A)
    found = cg(M, b, max_iter=7, tol=0)
    true = np.linalg.norm((b - M(found.x)).reshape(2, -1), axis=1)
    np.testing.assert_allclose(
        found.residual, true / np.linalg.norm(b.reshape(2, -1), axis=1), rtol=1e-8
    )
    np.testing.assert_array_equal(found.n_iter, [7, 7])
    assert not found.converged.any()


def test_stopping_is_per_sample_and_free_of_scale(A, normal):
    M = regularised(A)
    b = normal(2, *A.in_shape)
    b[1] = 0
    b[1, 0, 0] = 1e6
    both = cg(M, b, tol=1e-5, max_iter=100)
    alone = [cg(M, v, tol=1e-5, max_iter=100) for v in b]
    tiny = cg(M, 2.0**-30 * b, tol=1e-5, max_iter=100)
    np.testing.assert_array_equal(both.n_iter, [int(s.n_iter) for s in alone])
    np.testing.assert_array_equal(both.n_iter, tiny.n_iter)
    np.testing.assert_allclose(both.x[0], alone[0].x, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(2.0**30 * tiny.x, both.x)  # a power of two: no rounding


def test_warm_start(A, normal):
    M, b = regularised(A), normal(*A.in_shape)
    exact = cg(M, b, max_iter=500, tol=1e-13).x
    again = cg(M, b, exact, max_iter=500, tol=1e-10)
    assert int(again.n_iter) == 0
    np.testing.assert_array_equal(again.x, exact)


def test_zero_right_hand_side(A, like):
    M = regularised(A.map(lambda a: from_numpy(a, like)))
    found = cg(M, from_numpy(np.zeros(A.in_shape, complex), like))
    assert float(np.abs(to_numpy(found.x)).max()) == 0
    assert bool(to_numpy(found.converged))


def test_exact_preconditioner_needs_one_iteration(normal, rng):
    diagonal = rng.uniform(1, 1e3, 50)
    b = normal(50)
    found = cg(lambda x: diagonal * x, b, precond=lambda r: r / diagonal, tol=1e-12)
    assert int(found.n_iter) == 1
    np.testing.assert_allclose(found.x, b / diagonal, rtol=1e-12)
    assert int(cg(lambda x: diagonal * x, b, tol=1e-12).n_iter) > 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_iter": -1}, r"must not be negative, got -1"),
        ({"x0": np.ones(3, complex)}, r"`x0` must have the shape of `b`, \(8, 6\), got \(3,\)"),
    ],
)
def test_messages(A, settings, message):
    with pytest.raises(ValueError, match=message):
        cg(regularised(A), np.ones(A.in_shape, complex), **settings)


# --- gradients: implicit against the dense solve, differentiated by autograd ---------------------


def torch_gradients(A, y, w, solve):
    import torch

    maps = torch.tensor(A.maps, requires_grad=True)
    lam = torch.tensor(LAM, dtype=torch.float64, requires_grad=True)
    data = torch.tensor(y, requires_grad=True)
    B = CartesianMRI(maps, torch.tensor(A.mask))
    loss = torch.real(torch.sum(torch.tensor(w).conj() * solve(B, lam, data)))
    return [g.numpy() for g in torch.autograd.grad(loss, (maps, lam, data))]


def by_cg(B, lam, y):
    return cg(regularised(B, lam), B.adjoint(y), max_iter=300, tol=1e-13).x


def by_dense(B, lam, y):
    import torch

    n = int(np.prod(B.in_shape))
    eye = torch.eye(n, dtype=torch.complex128)
    matrix = torch.stack([B(e.reshape(B.in_shape)).ravel() for e in eye], 1)
    return torch.linalg.solve(matrix.mH @ matrix + lam * eye, matrix.mH @ y.ravel()).reshape(
        B.in_shape
    )


def by_unrolled_cg(B, lam, y):
    import torch

    M, b = regularised(B, lam), B.adjoint(y)
    x, r = torch.zeros_like(b), b
    p = r
    for _ in range(48):  # as many as unknowns: exact up to rounding
        q = M(p)
        alpha = torch.sum(r.abs() ** 2) / torch.sum((p.conj() * q).real)
        x, r_new = x + alpha * p, r - alpha * q
        p, r = r_new + torch.sum(r_new.abs() ** 2) / torch.sum(r.abs() ** 2) * p, r_new
    return x


@pytest.mark.parametrize("oracle", [by_dense, by_unrolled_cg])
def test_torch_gradients(A, normal, oracle):
    pytest.importorskip("torch")
    y, w = normal(*A.out_shape), normal(*A.in_shape)
    for got, want in zip(
        torch_gradients(A, y, w, by_cg), torch_gradients(A, y, w, oracle), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


def test_jax_gradients_are_torchs_conjugates(A, normal):
    jax = pytest.importorskip("jax")
    pytest.importorskip("torch")
    jnp = jax.numpy
    y, w = normal(*A.out_shape), normal(*A.in_shape)

    def loss(maps, lam, data):
        return jnp.real(
            jnp.sum(w.conj() * by_cg(CartesianMRI(maps, jnp.asarray(A.mask)), lam, data))
        )

    got = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(jnp.asarray(A.maps), LAM, jnp.asarray(y))
    for g, want in zip(got, torch_gradients(A, y, w, by_dense), strict=True):
        np.testing.assert_allclose(np.conj(g), want, rtol=1e-6, atol=1e-8)


def test_graph_does_not_grow_with_iterations(A, normal):
    torch = pytest.importorskip("torch")
    y = torch.tensor(normal(*A.out_shape))

    def saved_bytes(max_iter):
        lam = torch.tensor(LAM, dtype=torch.float64, requires_grad=True)
        B = A.map(torch.tensor)
        total = []
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda t: total.append(t.nbytes) or t, lambda t: t
        )
        with hooks:
            cg(regularised(B, lam), B.adjoint(y), max_iter=max_iter, tol=0).x.abs().sum()
        return sum(total)

    assert saved_bytes(3) == saved_bytes(30) > 0


def test_warm_start_does_not_change_the_gradient(A, normal):
    torch = pytest.importorskip("torch")
    y, w = normal(*A.out_shape), normal(*A.in_shape)
    start = torch.tensor(normal(*A.in_shape))

    def warm(B, lam, data):
        return cg(regularised(B, lam), B.adjoint(data), start, max_iter=300, tol=1e-13).x

    for got, want in zip(
        torch_gradients(A, y, w, warm), torch_gradients(A, y, w, by_cg), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_cg_runs_under_jit_and_vmap(A, normal):
    jax = pytest.importorskip("jax")
    b = normal(3, *A.in_shape)
    B = A.map(jax.numpy.asarray)
    one = jax.jit(lambda S, v: cg(regularised(S), v, tol=1e-12, max_iter=100).x)
    want = cg(regularised(A), b, tol=1e-12, max_iter=100).x
    np.testing.assert_allclose(jax.vmap(one, in_axes=(None, 0))(B, b), want, atol=1e-9)


def test_operator_norm_is_the_largest_singular_value(A, dense, like):
    x = random_like(like, (2, *A.in_shape), np.random.default_rng(5))
    got = operator_norm(A.map(lambda a: from_numpy(a, like)), x, max_iter=2000, tol=1e-13)
    want = np.linalg.norm(dense(A), 2)
    np.testing.assert_allclose(to_numpy(got), [want, want], rtol=1e-8)


def test_nan_does_not_pass_for_a_solution(A, normal, like):
    """Neither forwards nor, as the gradient is a solve too, backwards; other samples are fine."""
    b = normal(2, *A.in_shape)
    alone = cg(regularised(A), b[1:], tol=1e-5, max_iter=50)
    b[0, 1, 1] = np.nan
    M = regularised(A.map(lambda a: from_numpy(a, like)))
    found = cg(M, from_numpy(b, like), tol=1e-5, max_iter=50)
    assert np.isnan(to_numpy(found.x)[0]).all()
    assert not to_numpy(found.converged)[0]
    # rounding grows along the iterations, to far less than the tolerance of the solve
    np.testing.assert_allclose(to_numpy(found.x)[1], alone.x[0], rtol=1e-6, atol=1e-7)
