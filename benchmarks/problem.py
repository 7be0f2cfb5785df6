"""The problem that all solve: 8 coils, 256², a 2-D Poisson disc, noise; fixed by its seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconic.simulate import coil_maps, complex_noise, poisson_disc, shepp_logan
from reconic.systems import CartesianMRI


@dataclass
class Problem:
    """Multi-coil data and their truth, NumPy complex64, with the settings of the solve."""

    maps: np.ndarray  # (coil, ny, nx)
    mask: np.ndarray  # (ny, nx) float32
    y: np.ndarray  # (coil, ny, nx)
    truth: np.ndarray  # (ny, nx)
    lam: float = 1e-2
    n_iter: int = 10

    def write(self, folder: Path) -> None:
        """Write as .npy files and settings.json, for other programs."""
        for name in ("maps", "mask", "y", "truth"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / "settings.json").write_text(json.dumps({"lam": self.lam, "n_iter": self.n_iter}))


def make_problem(n: int = 256, n_coils: int = 8, seed: int = 0, lines: bool = False) -> Problem:
    """Simulate the problem at 4×, sampled by a Poisson disc or by lines along y."""
    rng = np.random.default_rng(seed)
    truth = shepp_logan((n, n)).astype(np.complex64)
    truth *= np.exp(1j * np.linspace(-1, 1, n)).astype(np.complex64)
    maps = coil_maps((n, n), n_coils, rng, geometry="ring")
    maps = np.ascontiguousarray(maps)  # as they come from a file
    mask = poisson_disc((n, n), 4, min(24, n // 4), rng=rng)
    if lines:
        columns = np.arange(n)
        mask = np.tile(1.0 * ((columns % 4 == 0) | (abs(columns - n // 2) < n // 12)), (n, 1))
        mask = mask.astype(np.float32)
    y = CartesianMRI(maps, mask)(truth)
    y = (y + complex_noise(y.shape, 0.01, rng) * mask).astype(np.complex64)
    return Problem(maps, mask, y, truth)


def nrmse(x: np.ndarray, truth: np.ndarray) -> float:
    """‖x - truth‖₂ / ‖truth‖₂."""
    return float(np.linalg.norm(x - truth) / np.linalg.norm(truth))
