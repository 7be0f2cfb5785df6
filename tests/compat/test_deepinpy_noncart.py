"""DeepInPy's non-Cartesian data and configurations: coordinates under `masks`, in SigPy's units."""

import json

import h5py
import numpy as np
import pytest
import torch
from tiny import tiny_arrays, write_h5

from reconic.cli import main
from reconic.train import load_run

SHAPE = (16, 12)
TEXT = """{
  "name": "noncart",
  "data_file": "DATA",
  "logdir": "LOGS",
  "use_sigpy": true,
  "noncart": true,
  "recon": "RECON",
  "latent_channels": 4,
  "num_blocks": 2,
  "num_unrolls": 1,
  "num_admm": 2,
  "num_epochs": 1,
  "batch_size": 1,
}"""  # with the comma too many that its own example has


def dft(coordinates, shape=SHAPE):
    """Matrix of SigPy's NUFFT (samples, voxels): exp(-2πi k (r - N//2) / N) / √voxels."""
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    r = np.stack([g.ravel() / n for g, n in zip(grids, shape, strict=True)])
    return np.exp(-2j * np.pi * coordinates.reshape(-1, len(shape)) @ r) / np.sqrt(np.prod(shape))


@pytest.fixture
def arrays():
    """Three examples of four coils, spokes in SigPy's units."""
    made = tiny_arrays(3, seed=3, shape=SHAPE, centre=4)
    rng = np.random.default_rng(0)
    radius = np.linspace(-0.5, 0.5, 20, endpoint=False)[:, None]
    angle = rng.uniform(0, np.pi, (3, 14, 1))
    direction = np.stack([np.sin(angle), np.cos(angle)], axis=-1)  # (example, spoke, 1, 2)
    made["masks"] = (radius * direction * SHAPE).astype(np.float32)
    coils = made["maps"] * made["imgs"][:, None]
    flat = coils.reshape(*coils.shape[:2], -1)
    ksp = [dft(k) @ c.T for k, c in zip(made["masks"], flat, strict=True)]
    made["ksp"] = np.stack([y.T.reshape(4, 14, 20) for y in ksp]).astype(np.complex64)
    return made


@pytest.fixture
def old(tmp_path, arrays):
    """Write data and a configuration of DeepInPy."""

    def write(recon="cgsense", data=arrays):
        text = TEXT.replace("DATA", str(write_h5(tmp_path / "data.h5", data)))
        text = text.replace("LOGS", str(tmp_path / "logs")).replace("RECON", recon)
        path = tmp_path / "example_noncart.json"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("n_sample_axes", [1, 2])
def test_data_are_read_as_they_are(old, arrays, prepared, n_sample_axes):
    if n_sample_axes == 1:
        arrays["ksp"] = arrays["ksp"].reshape(3, 4, -1)
        arrays["masks"] = arrays["masks"].reshape(3, -1, 2)
    made = prepared(old(data=arrays))
    made["data"].system = made["system"]
    batch = next(iter(made["data"].val_dataloader()))
    y, A = made["system"].measured(batch)
    assert A.n_sample_axes == n_sample_axes
    error = np.linalg.norm(A(batch["x"]) - y) / np.linalg.norm(y)
    assert error < 3e-5  # single precision, and the transforms' tolerance of 1e-5


def test_cgsense_solves_the_normal_equations(old, arrays, prepared):
    made = prepared(old())
    made["data"].system = made["system"]
    y, A = made["system"].measured(next(iter(made["data"].val_dataloader())))
    lam = 0.1
    recon = type(made["recon"])(lam, max_iter=200, tol=1e-7)
    found = recon(y, A)[0].detach().numpy()
    columns = dft(arrays["masks"][0])[None] * arrays["maps"][0].reshape(4, 1, -1)
    M = columns.reshape(-1, columns.shape[-1]).astype(complex)
    normal = M.conj().T @ M + lam * np.eye(M.shape[1])
    expected = np.linalg.solve(normal, M.conj().T @ arrays["ksp"][0].ravel()).reshape(SHAPE)
    # the transforms' tolerance of 1e-5 over λ, where the data do not see the image
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("recon", ["modl", "dbp"])
def test_its_example_trains(old, tmp_path, capsys, recon):
    path = old(recon)
    quick = ["--trainer.enable_progress_bar", "false", "--data.num_workers", "0"]
    assert main(["train", "--config", str(path), *quick]) in (None, 0)
    folder = tmp_path / "logs" / "noncart" / "version_0"
    found = json.loads((folder / "results.json").read_text())
    assert all(np.isfinite(v) for scores in found.values() for v in scores.values())
    assert "zero-filled" in found
    with torch.no_grad():
        assert load_run(folder)
    with h5py.File(tmp_path / "data.h5") as file:
        assert set(file) == {"imgs", "ksp", "maps", "masks"}  # as it was
