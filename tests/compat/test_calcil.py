"""CalCIL's API: its demo, its faults mended, and its helpers."""

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp
import optax
from scipy.signal import fftconvolve as scipy_convolve

from reconic.compat import calcil
from reconic.compat.calcil import (
    Loss,
    ReconIterParameters,
    ReconVarParameters,
    get_l2_loss,
    get_weight_l2_reg,
    loader_from_numpy,
    reconstruct_multivars_sgd,
    reconstruct_sgd,
)


def identity(variables, input_dict, rngs=None):
    return variables["x"] * jnp.ones_like(input_dict["y"])


def recon(tmp_path, n_epoch=20, **more):
    return ReconIterParameters(tmp_path / "save", n_epoch, log_every=5, output_every=10, **more)


def test_the_demo_ends_at_its_best_iterate(tmp_path):
    x = np.zeros((5, 5), np.float32)
    x[1, 1], x[3, 2] = 1, 2
    psf = np.zeros((5, 5), np.float32)
    psf[2, 2] = 1
    psf[[1, 3, 2, 2], [2, 2, 1, 3]] = 0.3

    def forward(variables, input_dict, rngs=None):
        return calcil.signal.fftconvolve(variables["params"]["x"], psf)[None]

    y = np.asarray(forward({"params": {"x": x}}, {}))
    loader = loader_from_numpy({"img": y}, prefix_dim=(1,))
    params, outputs, info = reconstruct_sgd(
        forward, {"params": {"x": np.zeros_like(x)}}, loader, Loss(get_l2_loss("img"), "l2"),
        ReconVarParameters(lr=0.1), recon(tmp_path, 1000),
        output_fn=lambda params, state: {"recon": params["params"]["x"]}, output_info=True,
    )  # fmt: skip
    final = np.mean((np.asarray(forward(params, {})) - y) ** 2)
    assert final < 1e-7
    assert final == pytest.approx(info["total_loss"].min(), rel=1e-3)
    assert len(outputs["recon"]) == 100
    assert {len(v) for v in info.values()} == {1000}
    assert set(info) == {"epoch", "total_loss", "elapsed time", "l2"}
    back, images = calcil.load_checkpoint_and_output(
        tmp_path / "save", lambda params: {"recon": params["params"]["x"]}
    )
    np.testing.assert_array_equal(back["params"]["x"], params["params"]["x"])
    np.testing.assert_array_equal(images["recon"], params["params"]["x"])


def fit(tmp_path, var_params, n_epoch=20, start=0.0, **more):
    loader = loader_from_numpy({"y": np.ones((4, 2), np.float32)}, (2,))
    loss = more.pop("loss", Loss(get_l2_loss("y"), "l2"))
    start = {"x": np.asarray(start)}
    return reconstruct_sgd(
        identity, start, loader, loss, var_params, recon(tmp_path, n_epoch), **more
    )


def test_a_transformation_moves_although_lr_is_zero(tmp_path):
    (params, _) = fit(tmp_path, ReconVarParameters(opt=optax.sgd(0.1)))
    assert float(params["x"]) > 0.9


def test_a_name_with_lr_zero_is_frozen(tmp_path):
    params, _ = reconstruct_multivars_sgd(
        lambda v, b, rngs=None: v["x"] + v["z"] + 0 * b["y"], {"x": np.zeros(()), "z": np.ones(())},
        {"x": ReconVarParameters(lr=0.1), "z": ReconVarParameters()},
        loader_from_numpy({"y": np.ones(4)}), Loss(get_l2_loss("y"), "l2"), recon(tmp_path, 3),
    )  # fmt: skip
    assert float(params["z"]) == 1


def test_complex_variables_converge(tmp_path):
    loader = loader_from_numpy({"y": np.full(4, 1 + 1j)})
    params, _ = reconstruct_sgd(
        lambda v, b, rngs=None: v["x"] + 0 * b["y"], {"x": np.zeros((), complex)}, loader,
        Loss(get_l2_loss("y"), "l2"), ReconVarParameters(lr=0.1, opt="sgd"), recon(tmp_path, 200),
    )  # fmt: skip
    assert complex(params["x"]) == pytest.approx(1 + 1j, abs=1e-6)


def test_losses_in_a_list_without_weights_all_count():
    f, g = (lambda out, v, b, i: 2.0 * out), (lambda out, v, b, i: 3.0 * out)
    loss = Loss([f, g], ["f", "g"])
    one = lambda variables, input_dict: 1.0  # noqa: E731
    total, terms = loss.get_loss_fn()({}, {}, one)
    assert float(total) == 5
    assert {k: float(v) for k, v in terms.items()} == {"f": 2, "g": 3, "total_loss": 5}
    for made in (loss / 2, np.float32(0.5) * loss, jnp.asarray(0.5) * loss, sum([loss, -loss / 2])):
        assert float(made.get_loss_fn()({}, {}, one)[0]) == pytest.approx(2.5)
    with pytest.raises(ValueError, match="2 functions, 1 names and 2 weights"):
        Loss([f, g], ["f"])


def test_the_loader_counts_epochs_and_steps_and_drops_what_is_left():
    loader = loader_from_numpy({"i": np.arange(7)}, (3,), random=False, aux_terms={"c": 5})
    first, second = next(loader), next(loader)
    assert [(b["epoch"], b["step"], b["batch"], b["c"]) for b in first + second] == [
        (1, 1, 0, 5), (1, 2, 1, 5), (2, 3, 0, 5), (2, 4, 1, 5)
    ]  # fmt: skip
    assert [b["i"].tolist() for b in first] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match=r"at most the 7 measurements, got \(8,\)"):
        loader_from_numpy({"i": np.arange(7)}, (8,))


def test_forward_models_see_arranged_batches_keys_and_places(tmp_path):
    seen = []

    def forward(variables, input_dict, rngs=None):
        seen.append((input_dict["y"].shape, input_dict["c"], sorted(rngs)))
        jax.debug.callback(
            lambda e, s: seen.append((int(e), int(s))), input_dict["epoch"], input_dict["step"]
        )
        noise = jax.random.normal(rngs["noise"], ())
        return variables["x"] + 0 * noise + 0 * input_dict["y"]

    loader = loader_from_numpy({"y": np.ones((4, 3))}, (2, 1), aux_terms={"c": 7})
    reconstruct_sgd(
        forward, {"x": np.zeros(())}, loader, Loss(get_l2_loss("y"), "l2"),
        ReconVarParameters(lr=0.1), recon(tmp_path, 2), rngs={"noise": jax.random.PRNGKey(0)},
    )  # fmt: skip
    jax.effects_barrier()
    assert ((2, 1, 3), 7, ["noise"]) in seen
    assert {s for s in seen if len(s) == 2} == {(1, 1), (1, 2), (2, 3), (2, 4)}


def test_any_iterator_of_lists_of_batches_will_do(tmp_path):
    def loader():
        for epoch in range(1, 100):
            yield [{"y": np.ones((2, 2)), "epoch": epoch, "step": 1, "batch": i} for i in range(2)]

    params, _ = reconstruct_sgd(
        identity, {"x": np.zeros(())}, loader(), Loss(get_l2_loss("y"), "l2"),
        ReconVarParameters(lr=0.1), recon(tmp_path, 30),
    )  # fmt: skip
    assert float(params["x"]) == pytest.approx(1, abs=0.1)


def test_intermediates_reach_the_terms_and_the_handler_the_parameters(tmp_path):
    def forward(variables, input_dict, rngs=None, mutable=None):
        assert mutable == ["intermediates"]
        return variables["x"] + 0 * input_dict["y"], {"intermediates": {"x": (variables["x"],)}}

    sown = Loss(lambda out, v, b, i: i["x"][-1] ** 2, "sown", has_intermediates=True)
    params, _ = reconstruct_sgd(
        forward, {"x": np.zeros(())}, loader_from_numpy({"y": np.ones(4)}),
        Loss(get_l2_loss("y"), "l2") + sown + 0 * Loss(get_weight_l2_reg(), "reg"),
        ReconVarParameters(lr=0.1, opt="sgd"), recon(tmp_path, 300),
        post_update_handler=lambda s: s.replace(params={"x": jnp.minimum(s.params["x"], 0.4)}),
    )  # fmt: skip
    assert float(params["x"]) == pytest.approx(0.4)  # 0.5 without the handler


def test_tensorboard_logs_are_read_without_tensorflow(tmp_path):
    fit(tmp_path, ReconVarParameters(lr=0.1), output_fn=lambda p, s: {"flat": jnp.ones((4, 4))})
    (run,) = (tmp_path / "save").glob("*/version_0")
    values, steps = calcil.load_tensorboard_log(run, "loss/total")
    assert steps == [5, 10, 15, 20]
    assert values[-1] < values[0]
    images, at = calcil.load_tensorboard_log(run, "flat", is_image=True)
    assert at == [10, 20]
    assert images[0].shape[:2] == (4, 4)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("kind", [float, complex])
def test_fftconvolve_is_scipys(mode, kind, rng):
    a, b = rng.standard_normal((6, 7)).astype(kind), rng.standard_normal((3, 4)).astype(kind)
    np.testing.assert_allclose(
        calcil.signal.fftconvolve(a, b, mode), scipy_convolve(a, b, mode), atol=1e-12
    )
    got = calcil.signal.fftconvolve(a, b[:1], mode, axes=(1,))
    np.testing.assert_allclose(got, scipy_convolve(a, b[:1], mode, axes=(1,)), atol=1e-12)


def test_helpers_of_wave_optics():
    w = calcil.physics.wave_optics
    np.testing.assert_allclose(w.genGrid(4, 0.5), [-1, -0.5, 0, 0.5])
    np.testing.assert_allclose(w.genGridNumpy(4, 0.5, True), [0, 0.5, -1, -0.5])
    pupil = w.genPupil((16, 16), 0.5, 0.3, 0.5)
    assert pupil.dtype == bool
    assert bool(pupil[0, 0])
    kernel = w.propKernel((8, 8), np.asarray([3.0, -3.0]), 1.0, 0.5, 1.33)
    np.testing.assert_allclose(kernel[1], jnp.conj(kernel[0]), atol=1e-12)
    assert w.propKernelNumpy((8, 8), 3.0, 0.2, 0.5, 0.4).shape == (1, 8, 8)
    rho, theta = w.cart2Pol(jnp.asarray(0.0), jnp.asarray(0.5))
    assert float(w.zernikePolynomial(1, -1, rho, theta)) == pytest.approx(2 * 0.5)
    assert calcil.phantom.generate_shepp_logan((16, 12)).shape == (16, 12)


def moved(tmp_path, n, **settings):
    """Where one number is after 1, …, n steps under a constant gradient of 1."""
    slope = Loss(lambda out, v, b, i: v["x"], "slope")
    runs = [
        reconstruct_sgd(
            identity, {"x": np.zeros(())}, loader_from_numpy({"y": np.ones(1)}), slope,
            ReconVarParameters(lr=0.1, **settings), recon(tmp_path / str(k), k),
            post_update_handler=lambda s: s,
        )[0] for k in range(2, n + 2)
    ]  # fmt: skip
    return [float(params["x"]) for params in runs]  # the best: one step before the last


def test_gradients_of_several_steps_are_averaged_for_one_update(tmp_path):
    # CalCIL summed them, and Adam moved in every step
    want = [0, 0, -0.1, -0.1, -0.1, -0.2]
    np.testing.assert_allclose(moved(tmp_path / "s", 6, update_every=3, opt="sgd"), want, atol=1e-6)
    np.testing.assert_allclose(moved(tmp_path / "a", 6, update_every=3), want, atol=1e-6)


def test_a_delay_holds_for_transformations_too_and_schedules_may_be_functions(tmp_path):
    got = moved(tmp_path / "d", 4, opt=optax.sgd(0.1), delay_update_n_iter=2)
    np.testing.assert_allclose(got, [0, 0, -0.1, -0.2], atol=1e-6)
    halved = optax.exponential_decay(0.1, 1, 0.5)
    got = moved(tmp_path / "h", 3, opt="sgd", schedule=halved)
    np.testing.assert_allclose(got, [-0.1, -0.15, -0.175], atol=1e-6)
    named = {"schedule": "exponential", "schedule_kwargs": {"transition_steps": 1,
                                                            "decay_rate": 0.5}}  # fmt: skip
    np.testing.assert_allclose(moved(tmp_path / "n", 3, opt="sgd", **named), got)


def test_names_that_join_to_the_same_label_keep_their_own_settings(tmp_path):
    start = {"a_b": np.zeros(()), "a": {"b": np.zeros(())}}
    params, _ = reconstruct_multivars_sgd(
        lambda v, b, rngs=None: v["a_b"] + v["a"]["b"] + 0 * b["y"], start,
        {"a_b": ReconVarParameters(lr=0.1), "a": {"b": ReconVarParameters()}},
        loader_from_numpy({"y": np.ones(4)}), Loss(get_l2_loss("y"), "l2"), recon(tmp_path, 4),
    )  # fmt: skip
    assert float(params["a"]["b"]) == 0
    assert float(params["a_b"]) > 0.1


def test_a_nan_stops_the_run_with_what_there_is(tmp_path):
    def forward(v, b, rngs=None):
        return v["x"] + jnp.where(b["step"] > 3, jnp.nan, 0) + 0 * b["y"]

    with pytest.warns(UserWarning, match="l2 is nan"):
        params, _ = reconstruct_sgd(
            forward, {"x": np.zeros(())}, loader_from_numpy({"y": np.ones(4)}),
            Loss(get_l2_loss("y"), "l2"), ReconVarParameters(lr=0.1), recon(tmp_path, 20),
        )  # fmt: skip
    assert np.isfinite(params["x"])


def test_a_loader_that_ends_early_is_an_error(tmp_path):
    lists = iter([[{"y": np.ones(2)}]] * 3)
    with pytest.raises(ValueError, match="gave no batch in epoch"):
        reconstruct_sgd(
            identity, {"x": np.zeros(())}, lists, Loss(get_l2_loss("y"), "l2"),
            ReconVarParameters(lr=0.1), recon(tmp_path, 9),
        )  # fmt: skip


def test_a_relative_folder_and_an_output_of_the_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batch = {"y": jnp.ones((1, 2))}
    _, outputs = reconstruct_sgd(
        identity, {"x": np.zeros(())}, loader_from_numpy({"y": np.ones((4, 2))}, (2,)),
        Loss(get_l2_loss("y"), "l2"), ReconVarParameters(lr=0.1),
        ReconIterParameters("./checkpoint", 4, output_every=2),
        output_fn=lambda params, state: {"seen": state.apply_fn(params, batch)},
    )  # fmt: skip
    assert [image.shape for image in outputs["seen"]] == [(1, 2), (1, 2)]
    output = lambda params, state: {"x": params["x"]}  # noqa: E731
    params, images = calcil.load_checkpoint_and_output("./checkpoint", output)
    assert images["x"] == params["x"]


@pytest.fixture
def flax_model():
    pytest.importorskip("flax")

    class Kernel(calcil.forward.Model):
        def setup(self):
            self.width = self.var(
                "width", "fixed", lambda shape, dtype: jnp.full(shape, 2.0, dtype), (1,), float
            )

        def double(self, x):
            return self.width.value * x

    class Scene(calcil.forward.Model):
        def setup(self):
            start = lambda key, shape, dtype: jax.random.normal(key, shape, dtype)  # noqa: E731
            self.x = self.var("x", "u", start, (3,), float)
            self.kernel = Kernel()

        def __call__(self, batch):
            self.sow("intermediates", "seen", self.x)
            noise = jax.random.normal(self.make_rng("noise"), ()) if self.has_rng("noise") else 0.0
            return self.kernel.double(self.x) + 0 * batch["y"] + noise

    return Scene()


def test_a_model_of_flax(flax_model, tmp_path):
    y = np.asarray([[2.0, 4.0, 6.0]])
    variables = flax_model.init(jax.random.PRNGKey(0), {"y": y})
    variables = {k: variables[k] for k in ("params", "fixed")}
    assert calcil.forward.var_list(variables) == ["params.x", "fixed.kernel.width"]
    forward = lambda v, b, rngs=None, **more: flax_model.forward(  # noqa: E731
        b, variables=v, rngs=rngs, **more
    )
    sown = lambda out, v, b, seen: jnp.sum(seen["seen"][-1])  # noqa: E731
    params, _ = reconstruct_multivars_sgd(
        forward, variables, {"params": ReconVarParameters(lr=0.05), "fixed": ReconVarParameters()},
        loader_from_numpy({"y": y}),
        Loss(get_l2_loss("y"), "l2") + 0 * Loss(sown, "seen", has_intermediates=True),
        recon(tmp_path, 400),
    )  # fmt: skip
    np.testing.assert_allclose(params["params"]["x"], [1, 2, 3], atol=1e-3)
    np.testing.assert_array_equal(params["fixed"]["kernel"]["width"], [2.0])
    by_path = flax_model.forward(jnp.ones(3), variables=variables, method_name="kernel.double")
    np.testing.assert_array_equal(by_path, [2, 2, 2])
    by_function = flax_model.forward(variables=variables, method_name=lambda m: m.x)
    np.testing.assert_array_equal(by_function, variables["params"]["x"])


def test_keys_reach_a_model_by_name(flax_model):
    variables = flax_model.init(jax.random.PRNGKey(0), {"y": np.zeros((1, 3))})
    quiet = flax_model.forward({"y": np.zeros(3)}, variables=variables)
    noisy = flax_model.forward(
        {"y": np.zeros(3)}, variables=variables, rngs={"noise": jax.random.PRNGKey(1)}
    )
    assert np.ptp(np.asarray(noisy - quiet)) < 1e-6  # one number is added
    assert abs(float((noisy - quiet)[0])) > 1e-3
    with pytest.raises(ValueError, match="`mode` must be 'update' or 'fixed', got 'x'"):
        flax_model.var("a", "x")


def test_variables_are_replaced_by_their_ids():
    forward = pytest.importorskip("reconic.compat.calcil.forward")
    from flax.core import FrozenDict

    plain = {"params": {"x": 1, "net": {"w": 2}}}
    assert forward.var_replace(plain, "params.net.w", 5) is plain
    assert plain["params"]["net"]["w"] == 5
    cold = FrozenDict(plain)
    warm = forward.var_replace(cold, "params.x", None)
    assert isinstance(warm, FrozenDict)
    assert (warm["params"]["x"], cold["params"]["x"]) == (None, 1)
    with pytest.raises(KeyError, match=r"one of params.x, params.net.w, got 'params.y'"):
        forward.var_replace(plain, "params.y", 0)


def test_dataclasses_are_pytrees_that_can_be_listed(tmp_path):
    import dataclasses
    import gc

    calcil.dataclasses.reset_dataclass_instances()

    @calcil.dataclasses.dataclass
    class Scene:
        x: object
        name: str = dataclasses.field(default="scene", metadata={"pytree_node": False})

    scene = Scene(np.zeros(2))
    assert calcil.dataclasses.get_dataclass_instances() == [scene]
    ((state, kind),) = calcil.dataclasses.get_dataclass_instances(serialize=True)
    assert (list(state), kind) == (["x"], Scene)
    assert scene.replace(x=1).x == 1
    assert jax.tree.map(lambda a: a + 1, scene).name == "scene"
    with pytest.raises(dataclasses.FrozenInstanceError):
        scene.x = 3
    params, _ = reconstruct_sgd(
        lambda v, b, rngs=None: v.x + 0 * b["y"], scene, loader_from_numpy({"y": np.ones((4, 2))}),
        Loss(get_l2_loss("y"), "l2"), ReconVarParameters(lr=0.1), recon(tmp_path, 60),
    )  # fmt: skip
    assert isinstance(params, Scene)
    np.testing.assert_allclose(params.x, 1, atol=0.05)
    del scene, params
    gc.collect()


def test_one_update_of_a_flax_state_takes_complex_numbers_downhill():
    train_state = pytest.importorskip("flax.training.train_state")
    forward = lambda v, b, rngs=None: v["x"] + 0 * b["y"]  # noqa: E731
    state = train_state.TrainState.create(
        apply_fn=forward, params={"x": jnp.zeros((), complex)}, tx=optax.sgd(0.5)
    )
    loss_fn = Loss(get_l2_loss("y"), "l2").get_loss_fn()
    state, terms = calcil.reconstruction.update_iter_sgd(
        state, {"y": np.asarray(1 + 1j)}, None, loss_fn
    )
    assert complex(state.params["x"]) == pytest.approx(1 + 1j)
    assert {k: float(v) for k, v in terms.items()} == pytest.approx({"l2": 2, "total_loss": 2})
    assert calcil.reconstruction.generate_nested_dict_keys({"b": 1, "a": {"c": 1}}) == [
        "a_c_0", "b_0"
    ]  # fmt: skip
