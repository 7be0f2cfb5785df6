"""Tiny data sets in DeepInPy's layout, made with NumPy alone, and what tests on them share."""

import h5py
import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny arrays take longer with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def centred_fft(x):
    """Centred orthonormal Fourier transform over the last two axes."""
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x, axes=axes), norm="ortho"), axes=axes)


def tiny_arrays(n, seed=0, shape=(32, 24), n_coils=4, n_zero_coils=0, centre=8):
    """Blocky images with smooth maps, random masks with a full centre, and exact k-space."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    rows, columns = np.linspace(-1, 1, ny)[:, None], np.linspace(-1, 1, nx)
    arrays = {"imgs": [], "maps": [], "masks": [], "ksp": []}
    for _ in range(n):
        blocks = rng.random((-(-ny // 4), -(-nx // 4)))
        image = np.kron(blocks, np.ones((4, 4)))[:ny, :nx]
        inside = rows**2 + columns**2 < 0.7  # background, as estimating maps needs
        image = inside * image * np.exp(1j * (rows + rng.uniform(0, 6)))
        a, b, c = rng.standard_normal((3, n_coils, 1, 1)) + 1j * rng.standard_normal(
            (3, n_coils, 1, 1)
        )
        maps = a + b * rows + c * columns
        maps = maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
        maps = np.concatenate([maps, np.zeros((n_zero_coils, *shape))])
        mask = (rng.random(shape) < 0.4) * 1.0
        side = centre // 2
        mask[ny // 2 - side : ny // 2 + side, nx // 2 - side : nx // 2 + side] = 1
        ksp = mask * centred_fft(maps * image)
        for key, value in zip(arrays, (image, maps, mask, ksp), strict=True):
            arrays[key].append(value)
    kinds = {"masks": np.float32}
    return {k: np.stack(v).astype(kinds.get(k, np.complex64)) for k, v in arrays.items()}


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
    return path


def write_splits(folder, n_train=4, n_val=3, n_test=3, **options):
    """Files for the three splits; returns the config's `data` entry."""
    paths = {}
    for seed, (split, n) in enumerate(
        {"train": n_train, "val": n_val, "test": n_test}.items(), start=1
    ):
        paths[split] = str(write_h5(folder / f"{split}.h5", tiny_arrays(n, seed, **options)))
    return paths


def tiny_config(folder, data, **changes):
    """Configuration that trains in seconds."""
    network = {"class_path": "CNN", "init_args": {"width": 8, "n_layers": 2}}
    return {
        "name": "tiny",
        "logdir": str(folder / "logs"),
        "data": {**data, "num_workers": 0},
        "recon": {"class_path": "MoDL", "init_args": {"network": network, "n_unrolls": 1}},
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1},
        **changes,
    }
