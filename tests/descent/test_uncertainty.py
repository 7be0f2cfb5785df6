"""Ensembles and samples against posteriors in closed form; members against separate runs."""

import signal
import threading
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reconic import descent as rd
from reconic.descent.uncertainty import moments

M, D, SIGMA, WIDTH = 6, 3, 0.3, 0.8
RNG = np.random.default_rng(7)


class Gaussian:
    """y = A x + noise of deviation SIGMA, prior x of deviation WIDTH about 0; posterior dense."""

    def __init__(self, dtype):
        def normal(*shape):
            real = RNG.standard_normal((2, *shape))
            return real[0] + 1j * real[1] if dtype is complex else real[0]

        self.A = A = normal(M, D)
        self.y = A @ normal(D) + SIGMA * normal(M)
        self.hessian = A.conj().T @ A / SIGMA**2 + np.eye(D) / WIDTH**2
        self.covariance = np.linalg.inv(self.hessian)  # E (x - mean)(x - mean)ᴴ
        self.mean = self.covariance @ A.conj().T @ self.y / SIGMA**2
        self.variables = {"x": np.zeros(D, dtype), "known": np.ones(2)}
        self.data = {"y": self.y, "prior": np.zeros(D, dtype)}
        self.loss = M * rd.l2("y") / SIGMA**2 + D * rd.l2("prior") / WIDTH**2
        self.temperature = 1 if dtype is complex else 2  # the loss is a sum of squares over σ²
        self.step = 1 / np.linalg.eigvalsh(2 * self.hessian)[-1]  # of the loss, |x|² ↦ 2 x

    def forward(self, variables, batch):
        return {"y": self.A @ variables["x"], "prior": variables["x"]}

    def settings(self, **langevin):
        return {"x": rd.langevin(**langevin), "known": rd.frozen()}

    def sample(self, steps, n_samples, burn_in=300, **settings):
        return rd.sample(
            self.forward, self.variables, self.data, self.loss, steps,
            temperature=self.temperature, n_samples=n_samples, burn_in=burn_in, **settings,
        )  # fmt: skip


PROBLEMS = {dtype: Gaussian(dtype) for dtype in (float, complex)}


@pytest.fixture(params=[float, complex], ids=["real", "complex"])
def problem(request):
    return PROBLEMS[request.param]


def check_mean_and_std(found, mean, covariance, n_independent):
    """Within five standard errors: σ/√n of a mean, σ/√(2n) of a deviation."""
    std = np.sqrt(np.diag(covariance).real)
    np.testing.assert_array_less(np.abs(found.mean["x"] - mean), 5 * std / n_independent**0.5)
    np.testing.assert_array_less(np.abs(found.std["x"] - std), 5 * std / (2 * n_independent) ** 0.5)


@pytest.mark.slow
def test_fits_to_perturbed_data_are_draws_from_the_posterior(problem):
    n = 1000
    found = rd.ensemble(
        problem.forward, problem.variables, problem.data, problem.loss,
        {"x": rd.sgd(problem.step), "known": rd.frozen()},
        n=n, epochs=600, resample=rd.gaussian_noise({"y": SIGMA, "prior": WIDTH}),
    )  # fmt: skip
    check_mean_and_std(found, problem.mean, problem.covariance, n)
    whiten = np.linalg.inv(np.linalg.cholesky(problem.covariance))
    white = (found.members["x"] - problem.mean) @ whiten.T
    assert np.abs(white.conj().T @ white / n - np.eye(D)).max() < 5 * (2 / n) ** 0.5
    assert np.all(found.std["known"] == 0)
    assert found.losses.shape == (n,)
    assert found.history["l2"].shape == (n, 600)
    np.testing.assert_array_equal(found.of(lambda v: v["x"]).std, found.std["x"])
    doubled = found.of(lambda v: {"power": abs(v["x"]) ** 2})
    np.testing.assert_allclose(
        doubled.std["power"], (np.abs(found.members["x"]) ** 2).std(0, ddof=1)
    )


def stationary(problem, step):
    """Covariance of the unadjusted chain x ← x - h H (x - μ) + noise, exact at any step h.

    And the number of independent samples that n correlated ones are worth, at the least.
    """
    turn = np.eye(D) - 2 * step * problem.hessian
    covariance = problem.covariance @ np.linalg.inv(np.eye(D) - step * problem.hessian)
    slowest = np.linalg.eigvalsh(turn).max()
    return covariance, lambda n: n * (1 - slowest) / (1 + slowest)


@pytest.mark.slow
def test_langevin_samples_have_the_mean_and_deviation_of_their_chain(problem):
    covariance, worth = stationary(problem, problem.step)
    n = 40_000
    found = problem.sample(problem.settings(learning_rate=problem.step), n // 4, n_chains=4)
    check_mean_and_std(found, problem.mean, covariance, worth(n))
    assert np.all(found.r_hat["x"] < 1.01)
    assert np.all(found.std["known"] == 0)
    assert np.all(found.r_hat["known"] == 1)
    assert found.losses.shape == (4, n // 4 + 300)


@pytest.mark.slow
def test_adjusted_samples_have_those_of_the_posterior_and_find_their_step(problem):
    n = 20_000
    steps = problem.settings(learning_rate=problem.step / 50, adjust=True)
    found = problem.sample(steps, n // 4, burn_in=1500, n_chains=4)
    # At 57 per cent accepted in 3 or 6 dimensions the slowest of them turns in some 40 steps.
    check_mean_and_std(found, problem.mean, problem.covariance, n / 40)
    assert found.acceptance["x"] == pytest.approx([0.574] * 4, abs=0.08)  # a stochastic search


def apart(variables, batch):
    return {"a": 100 * variables["a"], "b": variables["b"]}


@pytest.mark.slow
def test_preconditioned_steps_serve_variables_of_very_different_scales():
    start = {"a": np.zeros(2), "b": np.zeros(2)}
    data = {"a": np.array([100.0, -300.0]), "b": np.array([1.0, 2.0])}
    found = rd.sample(
        apart, start, data, rd.l2("a") + rd.l2("b"), rd.langevin(1.0, precondition=True),
        temperature=0.01, n_samples=2000, burn_in=500, thin=10, n_chains=4,
    )  # fmt: skip
    for name, scale in (("a", 0.01), ("b", 1.0)):  # σ² = T; 0.1 of it bias, 3 % of σ
        assert found.std[name] == pytest.approx(0.1 * scale, rel=0.1)
        assert found.mean[name] == pytest.approx(scale * data[name], abs=0.01 * scale)


def alone(variables, batch):
    return variables + 0 * batch["y"]


@pytest.mark.slow
def test_a_constraint_holds_in_every_sample():
    """Half-normal: mean σ (2/π)^½, deviation σ (1 - 2/π)^½; the projection's error is O(h^½)."""
    settings = {"temperature": 2.0, "n_samples": 20_000, "burn_in": 200, "n_chains": 2, "keep": 50}
    found = rd.sample(
        alone, np.ones(4), {"y": np.zeros(4)}, 4 * rd.l2("y"),
        rd.langevin(0.002, constraint="nonnegative"), thin=10, **settings,
    )  # fmt: skip
    assert np.all(found.kept >= 0)
    assert found.mean.mean() == pytest.approx((2 / np.pi) ** 0.5, rel=0.1)
    assert found.std.mean() == pytest.approx((1 - 2 / np.pi) ** 0.5, rel=0.1)


@pytest.mark.slow
def test_batches_stand_for_all_the_data():
    """Batches of equal measurements: the chain is that of all data, whose deviation is known."""
    data = {"y": np.tile(np.arange(3.0), (7, 1))}  # one of seven is left out of each epoch
    step = 0.2
    found = rd.sample(
        alone, np.zeros(3), data, rd.l2("y"), rd.langevin(3 / 2 * step),
        temperature=rd.gaussian_temperature(rd.l2("y"), data, 0.5), batch_size=2,
        n_samples=10_000, burn_in=100, n_chains=4,
    )  # fmt: skip
    std = 0.5 / 7**0.5 / (1 - step / 2) ** 0.5
    assert found.std == pytest.approx(std, rel=5 / (2 * 40_000 * step / 2) ** 0.5)
    assert found.mean == pytest.approx(np.arange(3.0), abs=5 * std / (40_000 * step / 2) ** 0.5)


def noisy(variables, batch, key):
    drop = jax.random.uniform(key, batch["y"].shape) < 0.8
    return {"y": drop * (variables["x"] + 0 * batch["y"])}


Y = RNG.standard_normal((7, D))


def shifted(key, variables):
    return {"x": variables["x"] + jax.random.normal(key, (D,))}


def members(n=4, epochs=9, **settings):
    return rd.ensemble(
        noisy, {"x": np.zeros(D)}, {"y": Y}, rd.l2("y"), rd.adam(0.05),
        n=n, epochs=epochs, batch_size=3, start=shifted, **settings,
    )  # fmt: skip


@pytest.mark.slow
def test_each_member_is_the_fit_of_its_seed():
    """In its own order, with its own keys, and its own best."""
    starts = []

    def noted(key, variables):
        starts.append(shifted(key, variables))
        return starts[-1]

    found = rd.ensemble(
        noisy, {"x": np.zeros(D)}, {"y": Y}, rd.l2("y"), rd.adam(0.05),
        n=3, epochs=9, batch_size=3, start=noted, resample=rd.bootstrap,
    )  # fmt: skip
    assert len(set(found.seeds)) == 3
    for i, seed in enumerate(found.seeds):
        key = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(seed), 2**31 - 1))[1]
        alike = rd.reconstruct(
            noisy, starts[i], rd.bootstrap(key, {"y": jnp.asarray(Y)}), rd.l2("y"), rd.adam(0.05),
            epochs=9, batch_size=3, seed=seed,
        )  # fmt: skip
        np.testing.assert_allclose(found.members["x"][i], alike.best["x"], rtol=1e-9)
        np.testing.assert_allclose(found.history["total"][i], alike.history["total"], rtol=1e-9)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_the_same_members_in_parts():
    found, same, few = members(), members(), members(at_once=2)
    np.testing.assert_array_equal(same.members["x"], found.members["x"])
    np.testing.assert_array_equal(same.history["l2"], found.history["l2"])
    np.testing.assert_allclose(few.members["x"], found.members["x"], rtol=1e-12)  # rounding
    np.testing.assert_allclose(few.history["l2"], found.history["l2"], rtol=1e-12)
    assert not np.array_equal(members(seed=1).members["x"], found.members["x"])
    problem = PROBLEMS[float]
    steps = problem.settings(learning_rate=problem.step)
    one, same = (problem.sample(steps, 50, 10, n_chains=4, keep=5) for _ in range(2))
    np.testing.assert_array_equal(one.mean["x"], same.mean["x"])
    np.testing.assert_array_equal(one.kept["x"], same.kept["x"])
    assert one.kept["x"].shape == (4, 5, D)
    np.testing.assert_array_equal(one.kept["x"][:, -1], one.variables["x"])
    assert len(np.unique(one.kept["x"])) == 4 * 5 * D


def cliff(variables, batch):
    return jnp.where(variables > 4, jnp.nan, variables) + 0 * batch["y"]


@pytest.mark.slow
def test_a_member_that_fails_is_named_and_left_out():
    def ensemble(starts):
        values = iter(starts)
        return rd.ensemble(
            cliff, jnp.zeros(2), {"y": np.full(2, 9.0)}, rd.l2("y"), rd.sgd(0.1),
            n=4, epochs=8, start=lambda key, v: v + next(values),
        )  # fmt: skip

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = ensemble([-8.0, 2.0, -9.0, -8.5])
    (text,) = (str(w.message) for w in seen)
    assert "ensemble: member 1: Step " in text
    assert "l2 is nan" in text
    assert "left out" in text
    assert len(found.losses) == len(found.seeds) == 3
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.history["l2"]).all()
    with pytest.raises(FloatingPointError, match=r"ensemble: member 1: .* Take shorter steps"):
        ensemble([-8.0, 2.0, 3.0, 2.5])
    with pytest.raises(FloatingPointError, match=r"sample: chain 0: Step .*l2 is nan"):
        rd.sample(
            cliff, jnp.zeros(2), {"y": np.full(2, 9.0)}, rd.l2("y"), rd.langevin(0.1),
            temperature=1e-9, n_samples=100, burn_in=10,
        )  # fmt: skip


@pytest.mark.slow
def test_ctrl_c_and_a_time_limit_return_what_there_is():
    problem = PROBLEMS[float]
    steps = problem.settings(learning_rate=problem.step)
    problem.sample(steps, 20, 10, n_chains=4)  # compiled, so that the seconds below are of steps
    timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    found = problem.sample(steps, 10**8, 10, n_chains=4)
    assert found.stopped == "interrupted"
    assert 2 < found.n_samples < 10**8
    assert found.losses.shape[1] == found.n_samples + 10
    assert np.isfinite(found.std["x"]).all()
    members()
    few = members(epochs=10**8, time_limit=1.0)
    assert few.stopped == "the time limit is over"
    assert 0 < few.history["l2"].shape[1] < 10**8


def test_moments_are_those_of_all_values():
    """Of a stream with weights, in several chains, against NumPy on all values at once."""
    x = RNG.standard_normal((2, 50, 3)) + 1j * RNG.standard_normal((2, 50, 3)) + 1e3
    weights = RNG.random((2, 50))
    sums = jax.vmap(lambda a: moments.start([a]))(jnp.asarray(x[:, 0]))
    step = jax.vmap(lambda s, a, w: moments.add(s, [a], w))
    for i in range(50):
        sums = step(sums, jnp.asarray(x[:, i]), jnp.asarray(weights[:, i], jnp.float32))
        sums = step(sums, jnp.full((2, 3), jnp.nan), jnp.zeros(2, jnp.float32))  # counts nothing
    (mean,), (std,) = moments.mean_and_std(moments.pooled(sums))
    flat, w = x.reshape(100, 3), weights.astype(np.float32).ravel()
    want = np.average(flat, axis=0, weights=w)
    np.testing.assert_allclose(mean, want, rtol=1e-6)  # the weights add in single precision
    freedom = w.sum() - (w**2).sum() / w.sum()
    want = np.sqrt((w[:, None] * np.abs(flat - want) ** 2).sum(0) / freedom)
    np.testing.assert_allclose(std, want, rtol=1e-5)


def test_r_hat_is_that_of_the_textbook():
    x = RNG.standard_normal((3, 40, 2)) + np.array([0, 1, 3.0])[:, None, None]
    sums = jax.vmap(lambda a: moments.start([a]))(jnp.asarray(x[:, 0]))
    for i in range(40):
        sums = jax.vmap(lambda s, a: moments.add(s, [a], jnp.ones(())))(sums, jnp.asarray(x[:, i]))
    within, between = x.var(1, ddof=1).mean(0), 40 * x.mean(1).var(0, ddof=1)
    want = np.sqrt((39 / 40 * within + between / 40) / within)
    np.testing.assert_allclose(moments.r_hat(sums)[0], want, rtol=1e-5)


@pytest.mark.slow
def test_a_schedule_weighs_the_samples():
    """Steps that shrink to nothing: only the first sample counts."""
    settings = {"temperature": 1.0, "n_samples": 30, "burn_in": 0, "keep": 30}
    found = rd.sample(
        alone, np.zeros(3), {"y": np.ones(3)}, rd.l2("y"), rd.langevin(0.1),
        schedule=lambda n: 1e-12**n, **settings,
    )  # fmt: skip
    np.testing.assert_allclose(found.mean, found.kept[0, 0], atol=1e-9)
    assert np.ptp(found.kept[0], axis=0).max() < 1e-5
    made = rd.sample(
        alone, np.zeros(3), {"y": np.ones(3)}, rd.l2("y"), rd.langevin(0.1),
        of=lambda v: {"square": v**2}, **settings,
    )  # fmt: skip
    assert made.kept["square"].shape == (1, 30, 3)
    np.testing.assert_allclose(made.mean["square"], made.kept["square"][0].mean(0), rtol=1e-6)
    np.testing.assert_allclose(made.std["square"], made.kept["square"][0].std(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("dtype", [float, complex])
def test_noise_has_the_deviation_asked_for(dtype):
    data = {"y": jnp.ones((200, 200), dtype), "z": jnp.zeros(3)}
    noise = rd.gaussian_noise({"y": 0.1})(jax.random.PRNGKey(0), data)
    residual = np.asarray(noise["y"] - data["y"])
    assert np.mean(np.abs(residual) ** 2) ** 0.5 == pytest.approx(0.1, rel=0.02)
    assert residual.dtype == dtype
    assert noise["z"] is data["z"]
    loss = 3 * rd.l2("y") + rd.tv()
    n = 40_000
    likelihood = np.sum(np.abs(residual) ** 2) / 0.1**2 / (1 if dtype is complex else 2)
    temperature = rd.gaussian_temperature(loss, data, 0.1)
    assert 3 * np.sum(np.abs(residual) ** 2) / n / temperature == pytest.approx(likelihood)


def test_figures_show_each_image_beside_its_deviation(tmp_path):
    spread = rd.Spread(
        {"object": np.ones((4, 5)), "gain": 3.0}, {"object": np.ones((4, 5)), "gain": 1}
    )
    figure = spread.plot(tmp_path / "spread.png", truth={"object": np.zeros((4, 5))})
    titles = [a.get_title() for a in figure.axes if a.get_title()]
    assert titles == ["object", "Standard deviation", "|Error|"]
    assert (tmp_path / "spread.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="must have an image, an array of two axes or more"):
        rd.Spread(np.ones(3), np.ones(3)).plot()
    with pytest.raises(ValueError, match=r"must have one shape, got \(4, 5\), \(5, 4\)"):
        spread.plot(truth={"object": np.zeros((5, 4))})


def problem_with(call, **settings):
    start = settings.pop("variables", np.zeros(3))
    data = settings.pop("data", {"y": np.ones(3)})
    steps = settings.pop("steps", rd.adam(0.1) if call is rd.ensemble else rd.langevin(0.1))
    common = {"n": 3, "epochs": 2} if call is rd.ensemble else {
        "temperature": 1.0, "n_samples": 5, "burn_in": 2}  # fmt: skip
    return call(settings.pop("forward", alone), start, data, rd.l2("y"), steps,
                **{**common, **settings})  # fmt: skip


@pytest.mark.parametrize(("call", "settings", "says"), [
    (rd.ensemble, {}, "members must differ, got neither `start` nor `resample`"),
    (rd.ensemble, {"n": 1}, "`n` must be at least 2, got 1"),
    (rd.ensemble, {"epochs": 0}, "`epochs` must be at least 1, got 0"),
    (rd.ensemble, {"data": [{"y": np.ones(3)}]}, "must be arrays in memory, got list"),
    (rd.ensemble, {"start": lambda key, v: v[:2]}, "must keep their tree and shapes"),
    (rd.ensemble, {"resample": lambda key, d: {"y": d["y"][:2]}}, r"keep their shapes .*\(3,\)"),
    (rd.ensemble, {"resample": rd.gaussian_noise({"x": 1})}, "entries of the data, y, got x"),
    (rd.sample, {"n_samples": 1}, "`n_samples` must be at least 2, got 1"),
    (rd.sample, {"temperature": 0.0}, "`temperature` must be positive, got 0.0"),
    (rd.sample, {"keep": 6}, "`keep` must be at most n_samples=5, got 6"),
    (rd.sample, {"steps": rd.adam(0.1)}, r"must be langevin\(…\) or frozen\(\), got OptaxRule"),
    (rd.sample, {"steps": rd.langevin(0.1, precondition=True), "burn_in": 0}, "needs `burn_in`"),
    (rd.sample, {"steps": rd.langevin(0.1, adjust=True), "forward": noisy,
                 "variables": {"x": np.zeros(3)}}, "needs the same loss in every step"),
])  # fmt: skip
def test_mistakes_are_named(call, settings, says):
    with pytest.raises((ValueError, TypeError, KeyError), match=says):
        problem_with(call, **settings)


def test_mistakes_of_the_settings_are_named():
    with pytest.raises(ValueError, match="`learning_rate` must be positive, got 0"):
        rd.langevin(0)
    with pytest.raises(ValueError, match="`constraint` must be left out with adjust=True"):
        rd.langevin(0.1, adjust=True, constraint="nonnegative")
    with pytest.raises(ValueError, match="must have one term l2 without weights, got 0 among l1"):
        rd.gaussian_temperature(rd.l1("y"), {"y": Y}, 0.1)
    with pytest.raises(ValueError, match="`sigma` must be positive, got 0"):
        rd.gaussian_temperature(rd.l2("y"), {"y": Y}, 0)
    with pytest.raises(ValueError, match="must have one leading axis of measurements"):
        rd.bootstrap(jax.random.PRNGKey(0), {"y": jnp.ones(3), "z": jnp.ones(4)})
