"""L-BFGS, Gauss–Newton and proximal gradients against closed forms and other solvers."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reconic import descent as rd
from reconic.priors import L1, TV, NonNegative
from reconic.solvers import cg

rng = np.random.default_rng(3)
M = rng.standard_normal((12, 6)) + 1j * rng.standard_normal((12, 6))
Y = M @ (rng.standard_normal(6) + 1j * rng.standard_normal(6)) + 0.1 * rng.standard_normal(12)
LAM = 0.5


def forward(v, batch):
    return jnp.asarray(M) @ v["x"]


def ridge(method, epochs, **more):
    """min mean|Mx - y|² + λ mean|x|², of complex x."""
    start = {"x": np.zeros(6, complex)}
    loss = rd.l2("y") + LAM * rd.weight_decay("x")
    return rd.reconstruct(forward, start, {"y": Y}, loss, method, epochs=epochs, **more)


@pytest.fixture(scope="module")
def exact():
    return np.linalg.solve(M.conj().T @ M / 12 + LAM / 6 * np.eye(6), M.conj().T @ Y / 12)


@pytest.mark.parametrize(("method", "epochs"), [
    (rd.lbfgs(), 30),
    (rd.gauss_newton(), 12),
    (rd.gauss_newton(0.0, tol=1e-12), 2),
    (rd.adam(0.3, schedule="cosine", schedule_options={"decay_steps": 2000}), 2000),
    (rd.sgd(0.1), 2000),
], ids=["lbfgs", "levenberg-marquardt", "gauss-newton", "adam", "sgd"])  # fmt: skip
def test_a_complex_least_squares_problem_is_solved_as_by_the_dense_solver(method, epochs, exact):
    np.testing.assert_allclose(ridge(method, epochs).variables["x"], exact, atol=1e-5)


def test_the_same_problem_by_descent_by_cg_on_torch_and_dense(exact):
    torch = pytest.importorskip("torch")
    matrix, y = torch.from_numpy(M), torch.from_numpy(Y)
    normal = lambda x: matrix.mH @ (matrix @ x) / 12 + LAM / 6 * x  # noqa: E731
    by_cg = cg(normal, matrix.mH @ y / 12, tol=1e-12, max_iter=100).x.numpy()
    np.testing.assert_allclose(by_cg, exact, atol=1e-10)
    np.testing.assert_allclose(ridge(rd.lbfgs(), 40).best["x"], by_cg, atol=1e-6)


def test_gauss_newton_solves_a_least_squares_problem_that_is_not_linear():
    t = np.linspace(0, 2, 20)
    y = 2.0 * np.exp(-1.5 * t)

    def decay(v, batch):
        return v["a"] * jnp.exp(-v["rate"] * batch["t"])

    got = rd.reconstruct(
        decay, {"a": np.asarray(1.0), "rate": np.asarray(0.1), "n": 3}, {"y": y, "t": t},
        rd.l2("y"), rd.gauss_newton(1e-2, tol=1e-10), epochs=25,
    ).variables  # fmt: skip
    assert float(got["a"]) == pytest.approx(2, abs=1e-6)
    assert float(got["rate"]) == pytest.approx(1.5, abs=1e-6)


def test_a_damped_step_never_raises_the_loss():
    got = rd.reconstruct(
        lambda v, b: jnp.tanh(3 * v), np.asarray([0.5, -0.3]), {"y": np.asarray([0.1, 0.2])},
        rd.l2("y"), rd.gauss_newton(1e-3), epochs=30,
    )  # fmt: skip
    losses = got.history["total"]
    assert np.all(np.diff(losses) <= 1e-12)
    assert losses[-1] < 1e-8


def test_lbfgs_ends_the_demo_of_two_points_in_a_hundred_iterations():
    x = np.zeros((5, 5))
    x[1, 1], x[3, 2] = 1, 2
    psf = np.zeros((5, 5))
    psf[2, 2] = 1
    psf[[1, 3, 2, 2], [2, 2, 1, 3]] = 0.3
    otf = jnp.fft.fft2(psf, s=(9, 9))

    def blur(v, batch):
        return jnp.fft.ifft2(otf * jnp.fft.fft2(v["x"], s=(9, 9))).real

    y = np.asarray(blur({"x": x}, {}))
    start = {"x": np.zeros((5, 5), np.float32)}
    data = {"y": y.astype(np.float32)}
    newton = rd.reconstruct(blur, start, data, rd.l2("y"), rd.lbfgs(), epochs=100)
    assert newton.history["total"].min() < 1e-9
    first = rd.reconstruct(blur, start, data, rd.l2("y"), rd.adam(0.1), epochs=1000)
    assert first.history["total"].min() < 1e-7
    np.testing.assert_allclose(newton.best["x"], x, atol=1e-3)


def test_proximal_gradients_of_l1_shrink_exactly():
    y = np.asarray([3.0, -0.2, 0.5, -2.0])
    got = rd.reconstruct(
        lambda v, b: v, np.zeros(4), {"y": y}, 2.0 * rd.l2("y"),  # ½ Σ (x - y)²
        rd.proximal(L1(1), 0.4), epochs=30,
    )  # fmt: skip
    want = np.sign(y) * np.maximum(np.abs(y) - 0.4, 0)
    np.testing.assert_allclose(got.variables, want, atol=1e-9)
    assert set(got.history) >= {"l2", "prior/(the whole)", "total"}
    total = 0.5 * np.sum((want - y) ** 2) + 0.4 * np.sum(np.abs(want))
    assert got.history["total"][-1] == pytest.approx(total, abs=1e-9)


def test_proximal_gradients_solve_the_lasso():
    lam, epochs = 3.0, 400
    got = rd.reconstruct(
        forward, {"x": np.zeros(6, complex)}, {"y": Y}, 6.0 * rd.l2("y"),  # ½ ‖Mx - y‖²
        rd.proximal(L1(1), lam), epochs=epochs,
    )  # fmt: skip
    x = np.asarray(got.variables["x"])
    slope = M.conj().T @ (M @ x - Y)  # optimality: -slope is in λ ∂|x|
    moving = np.abs(x) > 1e-9
    np.testing.assert_allclose(-slope[moving], lam * x[moving] / np.abs(x[moving]), atol=1e-4)
    assert np.all(np.abs(slope[~moving]) <= lam + 1e-6)
    assert 0 < moving.sum() <= 6


def test_a_constraint_as_a_prior_and_a_tv_prior_run():
    y = rng.standard_normal((5, 6))
    got = rd.reconstruct(
        lambda v, b: v,
        -np.ones((5, 6)),
        {"y": y},
        rd.l2("y"),
        rd.proximal(NonNegative()),
        epochs=20,
    )
    np.testing.assert_allclose(got.variables, np.maximum(y, 0), atol=1e-6)
    lam = 0.3
    got = rd.reconstruct(
        lambda v, b: v, np.zeros((5, 6)), {"y": y}, 15.0 * rd.l2("y"), rd.proximal(TV(200), lam),
        epochs=20,
    )  # fmt: skip
    np.testing.assert_allclose(got.variables, TV(2000).prox(y, lam), atol=1e-3)


def test_plain_and_accelerated_steps_agree():
    run = lambda **how: rd.reconstruct(  # noqa: E731
        forward, {"x": np.zeros(6, complex)}, {"y": Y}, 6.0 * rd.l2("y"),
        rd.proximal(L1(1), 3.0, **how), epochs=600,
    ).variables["x"]  # fmt: skip
    np.testing.assert_allclose(run(), run(accelerate=False), atol=1e-5)


def test_optax_lbfgs_by_name_of_real_variables():
    got = rd.reconstruct(
        lambda v, b: v, np.zeros(3), {"y": np.ones(3)}, rd.l2("y"),
        rd.optimizer(optax.lbfgs()), epochs=5,
    )  # fmt: skip
    np.testing.assert_allclose(got.variables, 1, atol=1e-6)


@pytest.mark.parametrize(("make", "kind", "says"), [
    (lambda: rd.lbfgs(0), ValueError, "must be at least 1, got 0 and 20"),
    (lambda: rd.gauss_newton(-1), ValueError, "must not be negative"),
    (lambda: rd.proximal("l1"), TypeError, "must be a Prior.* got str"),
    (lambda: rd.proximal(L1(), -1), ValueError, "`weight` must not be negative, got -1"),
])  # fmt: skip
def test_bad_settings(make, kind, says):
    with pytest.raises(kind, match=says):
        make()
