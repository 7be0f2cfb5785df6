"""The loop against loops written by hand with Optax."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from reconic import descent as rd
from reconic.descent import loop
from reconic.descent.problem import make_problem
from reconic.descent.state import start
from reconic.operator import LinearSystem, system


def by_hand(cost, x, tx, n):
    """Iterates of a plain loop; `cost` takes real arrays."""
    state, found, step = tx.init(x), [x], jax.jit(jax.value_and_grad(cost))
    losses = []
    for _ in range(n):
        value, slope = step(x)
        update, state = tx.update(slope, state, x)
        x = optax.apply_updates(x, update)
        found.append(x)
        losses.append(value)
    return found, np.asarray(losses)


def test_it_is_the_loop_that_one_would_write(blur, fit):
    forward, x, y = blur
    got = fit(rd.adam(0.1))
    cost = lambda x: jnp.mean((forward({"x": x}, {}) - y) ** 2)  # noqa: E731
    want, losses = by_hand(cost, jnp.zeros_like(x), optax.adam(0.1), 20)
    # the same operations, fused differently: some roundings of float32
    np.testing.assert_allclose(got.variables["x"], want[-1], atol=2e-6)
    np.testing.assert_allclose(got.history["total"], losses, rtol=1e-5)
    np.testing.assert_allclose(got.best["x"], want[int(np.argmin(losses))], atol=2e-6)
    assert got.stopped is None


def test_the_best_iterate_is_kept_where_the_last_is_worse(fit):
    got = fit(rd.adam(0.5), epochs=40)
    losses = got.history["total"]
    assert losses[-1] > 1.1 * losses.min()
    want = fit(rd.sgd(1e-30), variables=got.best, epochs=1).history["total"][0]
    assert want == pytest.approx(losses.min(), rel=1e-5)


@pytest.mark.parametrize("method", ["adam", "sgd"])
def test_complex_and_mixed_variables_converge(method, rng):
    target = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    start = {"z": np.zeros(4, complex), "a": np.zeros(()), "f": np.zeros(4, np.float32)}
    got = rd.reconstruct(
        lambda v, b: v["z"] * (1 + 0.5j) + v["a"] + v["f"],
        start,
        {"y": target},
        rd.l2("y"),
        rd.optimizer(method, {"adam": 0.03, "sgd": 0.5}[method]),
        epochs=1500,
    )
    assert got.history["total"].min() < 1e-9
    dtypes = {k: v.dtype for k, v in got.variables.items()}
    assert dtypes == {"z": np.complex128, "a": np.float64, "f": np.float32}


def test_bfloat16_stays_bfloat16():
    got = rd.reconstruct(
        lambda v, b: v["w"].astype(jnp.float32) * 2,
        {"w": jnp.ones(3, jnp.bfloat16)},
        {"y": jnp.full(3, 3.0)},
        rd.l2("y"),
        rd.sgd(0.1),
        epochs=30,
    )
    assert got.variables["w"].dtype == jnp.bfloat16
    assert np.allclose(np.asarray(got.variables["w"], float), 1.5, atol=0.02)  # 8 bits


def identity(v, batch):
    return v


def value_itself(prediction, v, batch):
    return v


def slopes(n_epochs, loss=None, opt=None, **settings):
    """Values of one number after 1, 2, … epochs, by default under a constant gradient of 1."""
    loss, opt = loss or rd.term(value_itself), opt or rd.sgd(0.1, **settings)
    zero, one = np.zeros(()), {"y": np.ones(())}
    runs = [
        rd.reconstruct(identity, zero, one, loss, opt, epochs=1 + n) for n in range(n_epochs)
    ]  # fmt: skip
    return [float(fit.variables) for fit in runs]


def test_every_third_step_moves_by_the_mean_gradient():
    # not by the sum of three, which would be a learning rate of three times the one asked for
    np.testing.assert_allclose(
        slopes(7, every=3), -0.1 * np.asarray([0, 0, 1, 1, 1, 2, 2]), rtol=1e-6
    )


def test_adam_rests_between_updates():
    got = slopes(6, rd.l2("y"), rd.adam(0.1, every=3))
    np.testing.assert_allclose(got, [0, 0, 0.1, 0.1, 0.1, 0.2], atol=2e-3)


def test_start_and_stop_bound_the_updates_and_the_schedule_begins_at_the_start():
    np.testing.assert_allclose(
        slopes(6, start=2, stop=4), [0, 0, -0.1, -0.2, -0.2, -0.2], atol=1e-7
    )
    got = slopes(
        4, start=2, schedule="linear", schedule_options={"end_value": 0.0, "transition_steps": 2}
    )
    np.testing.assert_allclose(got, [0, 0, -0.1, -0.15], atol=1e-7)


def test_accumulation_is_that_of_optax_multisteps(blur):
    forward, x, y = blur
    parts = np.stack([y, 2 * y, -y, y + 1])
    got = rd.reconstruct(
        lambda v, b: forward(v, b)[None], {"x": np.zeros_like(x)}, {"y": parts}, rd.l2("y"),
        rd.adam(0.1, every=4), epochs=3, batch_size=1, shuffle=False,
    )  # fmt: skip
    tx = optax.MultiSteps(optax.adam(0.1), 4).gradient_transformation()
    v = {"x": jnp.zeros_like(x)}
    state = tx.init(v)

    @jax.jit
    def step(v, state, y):
        slope = jax.grad(lambda v: jnp.mean((forward(v, {}) - y) ** 2))(v)
        update, state = tx.update(slope, state, v)
        return optax.apply_updates(v, update), state

    for i in range(12):
        v, state = step(v, state, parts[i % 4])
    np.testing.assert_allclose(got.variables["x"], v["x"], atol=1e-6)


def test_a_frozen_variable_stays_and_no_gradient_is_computed_for_it():
    @jax.custom_vjp
    def touchy(x):
        return x

    def backward(_, g):
        raise AssertionError("a gradient was computed")

    touchy.defvjp(lambda x: (x, None), backward)
    got = rd.reconstruct(
        lambda v, b: v["a"] + touchy(v["b"]),
        {"a": np.zeros(2), "b": np.ones(2), "index": np.arange(2)},
        {"y": np.ones(2)},
        rd.l2("y"),
        {"a": rd.adam(0.1), "b": rd.frozen()},  # integers need no settings
        epochs=5,
    )
    np.testing.assert_array_equal(got.variables["b"], np.ones(2))
    np.testing.assert_array_equal(got.variables["index"], np.arange(2))


def test_variables_of_similar_names_have_settings_of_their_own():
    got = rd.reconstruct(
        lambda v, b: v["a_b"] + v["a"]["b"],
        {"a_b": np.zeros(()), "a": {"b": np.zeros(())}},
        {"y": np.ones(())},
        rd.l2("y"),
        {"a_b": rd.adam(0.1), "a": {"b": rd.frozen()}},
        epochs=3,
    )
    assert float(got.variables["a_b"]) > 0.1
    assert float(got.variables["a"]["b"]) == 0


def test_one_entry_of_settings_serves_a_tree_and_clips_its_common_norm():
    tree = {"u": np.zeros(3), "v": [np.zeros(4), np.zeros(())]}
    got = rd.reconstruct(
        lambda v, b: v["u"][0], tree, {"y": np.zeros(())},
        rd.term(lambda p, v, b: 10 * (jnp.sum(v["u"]) + jnp.sum(v["v"][0])), "slope"),
        rd.sgd(1.0, clip=0.5), epochs=1,
    ).variables  # fmt: skip
    moved = np.concatenate([got["u"], got["v"][0], [got["v"][1]]])
    assert np.linalg.norm(moved) == pytest.approx(0.5, rel=1e-5)


def test_constraints_act_after_each_update_and_functions_after_each_step_or_epoch():
    def run(opt, **more):
        data = {"y": -np.ones(4)}
        loss = rd.term(value_itself)
        fit = rd.reconstruct(
            identity, np.zeros(()), data, loss, opt, epochs=2, batch_size=1, **more
        )
        return float(fit.variables)

    def count(v):
        return jnp.round(v) + 10

    assert run(rd.sgd(0.1, constraint=lambda x: jnp.maximum(x, -0.05))) == pytest.approx(-0.05)
    assert run(rd.sgd(1e-9), after_step=count) == 80
    assert run(rd.sgd(1e-9), after_epoch=count) == 20
    with pytest.raises(ValueError, match=r"after_step: the variable .* must keep its shape"):
        run(rd.sgd(0.1), after_step=lambda v: jnp.ones(3))
    with pytest.raises(ValueError, match="after_step: the variables must keep their tree"):
        run(rd.sgd(0.1), after_step=lambda v: {"v": v})


seen = []


def watched(v, batch):
    """Forward model that notes its batches: epoch, step, rows."""
    jax.debug.callback(
        lambda i, e, s: seen.append((int(e), int(s), *np.ravel(i).tolist())),
        batch["i"], batch["epoch"], batch["step"], ordered=True,
    )  # fmt: skip
    return v * batch["i"]


def minibatches(shuffle, remainder, size=2, epochs=3, n=5, seed=4):
    """The batches that a forward model sees, and the fit."""
    seen.clear()
    fit = rd.reconstruct(
        watched, np.ones(()), {"i": np.arange(n), "y": np.zeros(n)}, rd.l2("y"), rd.sgd(1e-30),
        epochs=epochs, batch_size=size, shuffle=shuffle, remainder=remainder, seed=seed,
    )  # fmt: skip
    jax.effects_barrier()
    return list(seen), fit


def test_batches_in_order_with_and_without_the_remainder():
    seen, _ = minibatches(shuffle=False, remainder=True, epochs=2)
    assert seen == [(0, 0, 0, 1), (0, 1, 2, 3), (0, 2, 4), (1, 3, 0, 1), (1, 4, 2, 3), (1, 5, 4)]
    seen, _ = minibatches(shuffle=False, remainder=False, epochs=1)
    assert seen == [(0, 0, 0, 1), (0, 1, 2, 3)]


def test_shuffled_epochs_see_everything_once_each_in_its_own_order():
    seen, fit = minibatches(shuffle=True, remainder=True)
    orders = [[i for e, _, *rows in seen if e == epoch for i in rows] for epoch in range(3)]
    assert all(sorted(o) == list(range(5)) for o in orders)
    assert len({tuple(o) for o in orders}) > 1
    # the mean over the epoch weighs each measurement the same: mean of i² over 0..4
    np.testing.assert_allclose(fit.history["l2"], 6, rtol=1e-6)
    assert minibatches(shuffle=True, remainder=True)[0] == seen
    assert minibatches(shuffle=True, remainder=True, seed=5)[0] != seen


def test_a_random_forward_model_gets_a_key_of_its_own_in_each_step_and_the_same_bits_again():
    def forward(v, batch, key):
        return v + jax.random.normal(key, (3,))

    run = lambda seed: rd.reconstruct(  # noqa: E731
        forward, np.zeros(3), {"y": np.zeros(3)}, rd.l2("y"), rd.adam(0.1), epochs=30, seed=seed
    )
    a, b, c = run(1), run(1), run(2)
    np.testing.assert_array_equal(a.variables, b.variables)
    np.testing.assert_array_equal(a.history["total"], b.history["total"])
    assert len(np.unique(a.history["total"])) == 30
    assert not np.array_equal(a.variables, c.variables)


def test_a_second_call_with_the_same_shapes_compiles_nothing(blur):
    forward, x, y = blur

    def run(scale, n):
        loss = rd.l2("y") + scale * rd.tv("x")
        v = {"x": np.full_like(x, scale)}
        return rd.reconstruct(forward, v, {"y": scale * y}, loss, rd.adam(0.1), epochs=n)

    run(1.0, 20)
    before = loop.advance._cache_size()
    with jax.log_compiles(), pytest.MonkeyPatch.context() as patch:
        compiled = []
        patch.setattr(jax._src.dispatch.logger, "log", lambda *a, **k: compiled.append(a[1]))
        run(0.5, 33)
    assert loop.advance._cache_size() == before
    assert not [c for c in compiled if "XLA compilation" in str(c)]


def test_the_loop_needs_one_more_copy_of_the_variables_than_adam_does():
    y = jnp.ones((256, 256), jnp.float32)
    problem = make_problem(lambda v, b: jnp.sin(v), 0 * y, rd.l2("y"), rd.adam(0.1), n_batches=1)
    state = start(problem.program, problem.arrays, 0, 0, True)
    compiled = loop.advance.lower(
        problem.program, loop.Batches(1, 1), state, problem.model, {"y": y}, {}, problem.weights, 9
    ).compile()
    memory = compiled.memory_analysis()
    held = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    held += memory.output_size_in_bytes - memory.alias_size_in_bytes
    # data, x, both moments and the best; a gradient, and x while the best is chosen
    assert held < 7.5 * y.nbytes


def test_the_arrays_given_are_left_as_they_are(blur):
    forward, x, y = blur
    start = {"x": jnp.zeros_like(x)}
    fit = rd.reconstruct(forward, start, {"y": jnp.asarray(y)}, rd.l2("y"), rd.adam(0.1), epochs=3)
    np.testing.assert_array_equal(start["x"], 0)
    np.testing.assert_array_equal(np.asarray(fit.best["x"]) == 0, False)


@system
class Doubled(LinearSystem):
    scale: object

    @property
    def in_shape(self):
        return (3,)

    out_shape = in_shape

    def _forward(self, x):
        return self.scale * x


def test_a_system_is_a_forward_model_and_may_be_a_variable():
    y = np.asarray([2.0, 4.0, 6.0])
    A = Doubled(jnp.asarray([2.0, 2.0, 2.0]))
    got = rd.reconstruct(A, {"x": np.zeros(3)}, {"y": y}, rd.l2("y"), rd.adam(0.1), epochs=300)
    np.testing.assert_allclose(got.best["x"], y / 2, atol=1e-4)
    variables = {"A": Doubled(jnp.ones(3)), "x": np.asarray([1.0, 2.0, 3.0])}
    got = rd.reconstruct(
        lambda v, b: v["A"](v["x"]), variables, {"y": y}, rd.l2("y"),
        {"A": {"scale": rd.adam(0.1)}, "x": rd.frozen()}, epochs=300,
    )  # fmt: skip
    np.testing.assert_allclose(got.best["A"].scale, 2, atol=1e-4)
    with pytest.raises(ValueError, match="applied to the one array of `variables`"):
        rd.reconstruct(A, variables, {"y": y}, rd.l2("y"), rd.adam(0.1), epochs=1)


def test_leaves_that_are_no_arrays_pass_through():
    variables = {"w": np.ones(3), "activation": jnp.tanh, "name": "layer"}
    got = rd.reconstruct(
        lambda v, b: v["activation"](v["w"]), variables, {"y": np.zeros(3)}, rd.l2("y"),
        rd.adam(0.1), epochs=50,
    )  # fmt: skip
    assert got.variables["activation"] is jnp.tanh
    assert float(jnp.max(jnp.abs(got.best["w"]))) < 0.1


def test_reports_of_the_forward_model_reach_terms():
    def forward(v, batch):
        return rd.Prediction(v, {"square": v**2})

    loss = rd.l2("y") + rd.term(lambda p, v, b, reports: jnp.sum(reports["square"]), "square")
    got = rd.reconstruct(forward, np.zeros(()), {"y": np.ones(())}, loss, rd.sgd(0.1), epochs=200)
    assert float(got.variables) == pytest.approx(0.5, abs=1e-5)  # argmin (v-1)² + v²


def test_alternating_variables_take_turns():
    def forward(v, batch):
        return v["a"] + v["b"]

    loss = rd.term(lambda p, v, b: p, "sum")
    start = {"a": np.zeros(()), "b": np.zeros(())}
    opt = {"a": rd.sgd(1.0), "b": rd.sgd(1.0)}
    turns = [("a", 2), ("b", 1)]
    runs = [
        rd.reconstruct(forward, start, {"y": 0.0}, loss, opt, epochs=n, alternate=turns).variables
        for n in (1, 2, 3, 4, 6)
    ]
    got = [(float(v["a"]), float(v["b"])) for v in runs]
    assert got == [(-1, 0), (-2, 0), (-2, -1), (-3, -1), (-4, -2)]


def test_the_history_tells_terms_apart(fit):
    got = fit(loss=rd.l2("y") + 1e-2 * rd.tv("x"))
    h = got.history
    assert set(h) == {"epoch", "total", "l2", "tv", "weighted/l2", "weighted/tv"}
    assert all(len(v) == 20 for v in h.values())
    np.testing.assert_allclose(h["weighted/tv"], 1e-2 * h["tv"])
    np.testing.assert_allclose(h["total"], h["l2"] + 1e-2 * h["tv"], rtol=1e-6)


def test_a_run_leaves_a_folder_that_can_be_read_back(fit, tmp_path):
    got = fit(
        run=tmp_path / "logs" / "blur",
        images=lambda v: {"x": v["x"], "flat": jnp.ones((4, 4)), "z": v["x"] * 1j},
        loss=rd.l2("y") + 1e-3 * rd.tv("x"),
    )
    assert got.run == tmp_path / "logs" / "blur" / "version_0"
    back = rd.load(got.run)
    np.testing.assert_array_equal(back.variables["x"], got.variables["x"])
    np.testing.assert_array_equal(back.best["x"], got.best["x"])
    assert back.history.keys() == got.history.keys()
    np.testing.assert_array_equal(back.history["tv"], got.history["tv"])
    assert [e for e, _ in back.images["x"]] == list(range(2, 21, 2))
    np.testing.assert_array_equal(back.images["x"][-1][1], got.variables["x"])
    lines = [json.loads(t) for t in (got.run / "metrics.jsonl").read_text().splitlines()]
    logged = [row for row in lines if "loss/total" in row]
    assert [row["step"] for row in logged] == list(range(1, 21))
    assert logged[4]["loss/weighted/tv"] == pytest.approx(1e-3 * logged[4]["loss/tv"])
    got.plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 5000
    with pytest.raises(ValueError, match=r"`run` must be a name for new runs, got .*version_0"):
        fit(run=got.run)
    assert fit(run=tmp_path / "logs" / "blur").run.name == "version_1"


def test_images_keep_their_brightness_over_time(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = rd.reconstruct(
        lambda v, b: v, np.zeros((8, 8)), {"y": np.full((8, 8), 0.9)}, rd.l2("y"), rd.sgd(3.0),
        epochs=4, images_every=1, images=lambda v: {"x": v}, run=tmp_path / "flat",
    ).run  # fmt: skip
    events = EventAccumulator(str(run), size_guidance={"images": 0, "scalars": 0}).Reload()
    assert "x" in events.Tags()["images"]
    white = [s.value for s in events.Scalars("white/x")]
    assert all(b / a in (1, 2, 4, 8, 16) for a, b in itertools.pairwise(white))


BAD = {
    "epochs": ({"epochs": 0}, ValueError, "`epochs` must be at least 1, got 0"),
    "empty": ({"data": {}}, ValueError, "`data` must hold an array"),
    "data": ({"data": 3}, TypeError, "`data` must be a dict of arrays.* got int"),
    "loss": ({"loss": lambda p: 0}, TypeError, "`loss` must be a Loss"),
    "forward": ({"forward": lambda v: v}, TypeError, r"must take the arguments \(variables"),
    "not callable": ({"forward": 3}, TypeError, "a function .* is needed, got int"),
    "batch": ({"batch_size": 7}, ValueError, "at most the number of measurements, 6, got 7"),
    "zero batch": ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
    "entry": ({"data": {"step": np.ones(3)}}, ValueError, "must not have the entry step"),
    "shape": ({"data": {"y": np.ones((3, 2))}}, ValueError,
              r"l2\('y'\): the prediction must have the shape of the data, \(3, 2\), got \(6, 5\)"),
    "vector": ({"loss": rd.term(lambda p, v, b: p, "mine")}, ValueError,
               r"the term 'mine' must be a scalar, got shape \(6, 5\)"),
    "complex": ({"loss": rd.term(lambda p, v, b: jnp.sum(p) * 1j, "mine")}, TypeError,
                "the term 'mine' must be real, got complex64"),
    "no settings": ({"optimizers": {"z": rd.adam(0.1)}}, ValueError,
                    r"the variable x has no settings(.|\n)*x: float32 \(6, 5\)"),
    "too many": ({"optimizers": {"x": rd.adam(0.1), "psf": rd.adam(0.1)}}, ValueError,
                 r"there is no variable psf(.|\n)*x: float32 \(6, 5\)"),
    "settings": ({"optimizers": {"x": 0.1}}, TypeError, "settings of x must be an Optimizer"),
    "all frozen": ({"optimizers": rd.frozen()}, ValueError, "must be free to move"),
    "both": ({"run": "a", "resume": "b"}, TypeError, "exclude each other"),
    "turns": ({"alternate": [("q", 1)]}, KeyError, "'q' must be a variable"),
    "holdout": ({"holdout": 1.0}, ValueError, "`holdout` must be at least 0 and below 1"),
    "best": ({"keep_best": "holdout"}, ValueError, "needs `holdout`"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_anything_is_compiled(case, fit, monkeypatch):
    settings, kind, says = BAD[case]
    monkeypatch.setattr(loop.advance, "lower", None, raising=False)
    before = loop.advance._cache_size()
    with pytest.raises(kind, match=says):
        fit(**settings)
    assert loop.advance._cache_size() == before


def test_a_traced_value_error_names_the_users_line_first(fit):
    def forward(v, batch):
        if jnp.sum(v["x"]) > 0:  # the culprit
            return v["x"]
        return -v["x"]

    with pytest.raises(TypeError, match=r"^\S*test_reconstruct.py:\d+: in forward: `if jnp.sum"):
        fit(forward=forward)


@pytest.mark.parametrize(("make", "kind", "says"), [
    (lambda: rd.optimizer("adamm", 0.1), ValueError, "no optimizer 'adamm'.*'adamw?'"),
    (lambda: rd.adam(0), ValueError, "`learning_rate` must be positive, got 0. Use frozen"),
    (lambda: rd.adam(0.1, beta=3), TypeError, "beta.*It takes learning_rate, b1"),
    (lambda: rd.adam(0.1, schedule="cosin"), ValueError, "no schedule 'cosin'"),
    (lambda: rd.adam(0.1, schedule="cosine"), TypeError, "decay_steps"),
    (lambda: rd.adam(0.1, schedule=lambda n: 1), TypeError, "`learning_rate` must be left out"),
    (lambda: rd.optimizer(optax.adam(0.1), 0.1), TypeError, "has its own learning rate"),
    (lambda: rd.optimizer(3), TypeError, "got int"),
    (lambda: rd.adam(0.1, start=3, stop=3), ValueError, "got 3 and 3"),
    (lambda: rd.adam(0.1, every=0), ValueError, "`every` must be at least 1, got 0"),
    (lambda: rd.adam(0.1, clip=-1), ValueError, "`clip` must be positive, got -1"),
])  # fmt: skip
def test_bad_optimizer_settings(make, kind, says):
    with pytest.raises(kind, match=says):
        make()


def test_schedules_by_name_by_function_and_as_the_learning_rate_are_the_same():
    cosine = optax.cosine_decay_schedule(0.1, 5)
    named = slopes(3, schedule="cosine", schedule_options={"decay_steps": 5})
    assert slopes(3, opt=rd.sgd(cosine)) == named
    assert slopes(3, opt=rd.optimizer("sgd", schedule=cosine)) == named
    assert slopes(3, opt=rd.optimizer(optax.sgd(cosine))) == named


def test_a_transformation_moves_without_a_learning_rate_of_ours():
    got = rd.reconstruct(
        lambda v, b: v, np.zeros(()), {"y": np.ones(())}, rd.l2("y"),
        rd.optimizer(optax.sgd(0.5)), epochs=1,
    )  # fmt: skip
    assert float(got.variables) == 1.0
