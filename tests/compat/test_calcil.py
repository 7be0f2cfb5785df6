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
    total, terms = loss.get_loss_fn()(1.0, {}, {})
    assert float(total) == 5
    assert {k: float(v) for k, v in terms.items()} == {"f": 2, "g": 3}
    for made in (loss / 2, np.float32(0.5) * loss, jnp.asarray(0.5) * loss, sum([loss, -loss / 2])):
        assert float(made.get_loss_fn()(1.0, {}, {})[0]) == pytest.approx(2.5)
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
