"""Images of DeepInPy's recons from its configurations, data files and weights."""

import deepinpy_oracle as oracle
import numpy as np
import pytest
import torch
from tiny import tiny_arrays

from reconic.train.data import collate

LAM = 0.3
N_ITER = 60  # enough for CG to converge on these sizes
CONVERGED = {"cg_max_iter": N_ITER, "cg_eps": 1e-7, "num_unrolls": 2, "num_admm": 3}


def reconstructed(made):
    """Images of all training examples, in one batch."""
    data = made["data"].dataset("train")
    batch = collate([data[i] for i in range(len(data))])
    with torch.no_grad():
        return made["recon"].eval()(batch["y"], made["system"](batch)).numpy()


def assert_close(found, expected):
    """Within what single precision and CG's tolerance leave of 60 convolutions and solves."""
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert error < 2e-5


def with_frames(arrays, *lengths):
    """Examples with axes of frames: modulated images, one set of maps, masks that differ."""
    rng = np.random.default_rng(2)
    shape = arrays["imgs"].shape
    change = rng.standard_normal((len(arrays["imgs"]), *lengths, 1, 1)) + 1j
    imgs = arrays["imgs"].reshape(shape[0], *[1] * len(lengths), *shape[1:]) * change
    maps = arrays["maps"].reshape(*arrays["maps"].shape[:2], *[1] * len(lengths), *shape[1:])
    maps = np.broadcast_to(maps, (*maps.shape[:2], *lengths, *shape[1:]))
    masks = (rng.random((shape[0], *lengths, *shape[1:])) < 0.5).astype(np.float32)
    ksp = oracle.fftmod(oracle.fft2(oracle.fftmod(maps * imgs[:, None])))
    noise = rng.standard_normal(ksp.shape) + 1j * rng.standard_normal(ksp.shape)
    made = {"imgs": imgs, "maps": maps, "masks": masks, "ksp": ksp, "noise": noise}
    return {k: v.astype(np.complex64 if k != "masks" else np.float32) for k, v in made.items()}


def single_coil():
    made = tiny_arrays(3, seed=5, shape=(16, 12), n_coils=1, centre=4)
    ones = {"maps": np.ones_like(made["maps"])}
    full = oracle.fftmod(oracle.fft2(oracle.fftmod(made["imgs"][:, None])))
    noise = np.zeros_like(full)
    return {**made, **ones, "ksp": full.astype(np.complex64), "noise": noise}


LAYOUTS = {
    "coils": (lambda arrays: arrays, 1),
    "one-coil": (lambda arrays: single_coil(), 1),
    "frames": (lambda arrays: with_frames(arrays, 3), 3),
    "one-frame": (lambda arrays: with_frames(arrays, 1), 1),
    "frames-and-echoes": (lambda arrays: with_frames(arrays, 2, 2), 4),
}
NETWORKS = {
    "ResNet": (oracle.resnet, lambda rng, n: oracle.resnet_state(rng, n, 5, 3)),
    "ResNet-norm": (oracle.resnet, lambda rng, n: oracle.resnet_state(rng, n, 5, 3, True)),
    "ResNet5Block": (oracle.resnet5block, lambda rng, n: oracle.resnet5block_state(rng, n, 5)),
    "ResNet5Block-norm": (
        oracle.resnet5block,
        lambda rng, n: oracle.resnet5block_state(rng, n, 5, True),
    ),
}


def keys_of(network):
    name, _, norm = network.partition("-")
    return {"network": name, "batch_norm": bool(norm), "latent_channels": 5, "num_blocks": 3}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stdev", [0.0, 0.1])
def test_cgsense(old, prepared, arrays, layout, stdev):
    data = LAYOUTS[layout][0](arrays)
    path = old({"l2lam": LAM}, data, recon="cgsense", stdev=stdev, **CONVERGED)
    _, maps, masks, y = oracle.examples(data, stdev)
    expected = oracle.cgsense(oracle.Model(maps, masks), y, LAM, N_ITER)
    assert_close(reconstructed(prepared(path)), expected)


@pytest.mark.parametrize("n_iter", [1, 3])
def test_cgsense_that_has_not_converged(old, prepared, arrays, n_iter):
    path = old({"l2lam": LAM}, recon="cgsense", cg_max_iter=n_iter, cg_eps=0)
    _, maps, masks, y = oracle.examples(arrays)
    expected = oracle.cgsense(oracle.Model(maps, masks), y, LAM, n_iter)
    assert_close(reconstructed(prepared(path)), expected)


@pytest.mark.parametrize(
    ("network", "layout"),
    [*((network, "coils") for network in NETWORKS), *(("ResNet", layout) for layout in LAYOUTS)][
        1:
    ],
)
@pytest.mark.parametrize("recon", ["resnet", "modl", "dbp"])
def test_with_a_network(old, prepared, arrays, rng, recon, network, layout):
    make_data, channels = LAYOUTS[layout]
    data = make_data(arrays)
    apply, make_state = NETWORKS[network]
    weights = make_state(rng, channels)
    place = "network" if recon == "resnet" else "denoiser"
    state = {f"{place}.{key}": value for key, value in weights.items()}
    lam = {} if recon == "resnet" else {"l2lam": np.array([LAM])}
    stdev = 0.1 if recon == "dbp" else 0.0
    path = old(state | lam, data, recon=recon, stdev=stdev, **keys_of(network), **CONVERGED)

    _, maps, masks, y = oracle.examples(data, stdev)
    A, D = oracle.Model(maps, masks), oracle.denoiser(apply, weights)
    expected = {
        "resnet": lambda: D(A.adjoint(y)),
        "modl": lambda: oracle.modl(A, y, D, LAM, 2, N_ITER),
        "dbp": lambda: oracle.dbp(A, y, D, LAM, 2, 3, stdev, N_ITER),
    }[recon]()
    assert_close(reconstructed(prepared(path)), expected)


@pytest.mark.parametrize("option", ["fully_sampled", "inverse_crime", "adjoint_data"])
@pytest.mark.parametrize("layout", ["coils", "frames"])
def test_options_of_the_data(old, prepared, arrays, option, layout):
    data = LAYOUTS[layout][0](arrays)
    if option == "fully_sampled":
        full = oracle.fftmod(oracle.fft2(oracle.fftmod(data["maps"] * data["imgs"][:, None])))
        data = {**data, "ksp": full.astype(np.complex64)}
    path = old({"l2lam": LAM}, data, recon="cgsense", stdev=0.2, **{option: True}, **CONVERGED)
    options = {} if option == "adjoint_data" else {option: True}
    _, maps, masks, y = oracle.examples(data, 0.2, **options)
    expected = oracle.cgsense(oracle.Model(maps, masks), y, LAM, N_ITER)
    assert_close(reconstructed(prepared(path)), expected)


def test_inverse_crime_needs_no_kspace(old, prepared, arrays):
    data = {key: arrays[key] for key in ("imgs", "maps", "masks")}
    path = old({"l2lam": LAM}, data, recon="cgsense", inverse_crime=True, **CONVERGED)
    _, maps, masks, y = oracle.examples(data, inverse_crime=True)
    expected = oracle.cgsense(oracle.Model(maps, masks), y, LAM, N_ITER)
    assert_close(reconstructed(prepared(path)), expected)


def test_a_skip_that_changes_no_width_needs_no_convolution(old, prepared, arrays, rng):
    weights = oracle.resnet_state(rng, 1, 2, 3)
    assert not any("conv0" in key for key in weights)
    state = {f"network.{key}": value for key, value in weights.items()}
    path = old(state, recon="resnet", latent_channels=2)
    _, maps, masks, y = oracle.examples(arrays)
    D = oracle.denoiser(oracle.resnet, weights)
    assert_close(reconstructed(prepared(path)), D(oracle.Model(maps, masks).adjoint(y)))


def test_volumes(old, prepared, rng):
    """DeepInPy's mode of three space axes, which does not run there, against a dense solution."""
    shape, n = (1, 2, 4, 6, 4), 4 * 6 * 4
    draw = rng.standard_normal
    maps = (draw(shape) + 1j * draw(shape)).astype(np.complex64)
    imgs = (draw((1, 4, 6, 4)) + 1j * draw((1, 4, 6, 4))).astype(np.complex64)
    masks = (rng.random((1, 4, 6, 4)) < 0.6).astype(np.float32)
    axes = (-3, -2, -1)

    def forward(x):
        centred = np.fft.ifftshift(maps[0] * x, axes=axes)
        k = np.fft.fftn(centred, axes=axes, norm="ortho")
        return masks[0] * np.fft.fftshift(k, axes=axes)

    matrix = np.stack([forward(e.reshape(4, 6, 4)).ravel() for e in np.eye(n)], axis=1)
    y = forward(imgs[0])
    data = {"imgs": imgs, "maps": maps, "masks": masks, "ksp": y[None].astype(np.complex64)}
    path = old({"l2lam": LAM}, data, recon="cgsense", num_spatial_dimensions=3, **CONVERGED)
    normal = matrix.conj().T @ matrix + LAM * np.eye(n)
    expected = np.linalg.solve(normal, matrix.conj().T @ y.ravel()).reshape(1, 4, 6, 4)
    assert_close(reconstructed(prepared(path)), expected)
