"""Recons applied to one measured scan, and judged on held-out samples of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from reconic.calibrate import espirit
from reconic.io import Measurement, read_cfl, read_kspace, sampling_mask
from reconic.recons import CGSense, Recon
from reconic.recons.holdout import hold_out, holdout_error, minimise_over_lam
from reconic.systems import CartesianMRI
from reconic.train.methods import find_method

__all__ = ["Reconstruction", "Scan", "apply_method", "estimate_maps", "reconstruct_file"]


@dataclass(frozen=True)
class Reconstruction:
    """One method's image of a scan.

    Attributes:
        name: Method, as figures and tables call it.
        x: Image ([frames,] [nz,] ny, nx), complex64.
        lam: λ that the method used, None if it has none.
        holdout: Relative error of held-out samples, NaN if none were held out.
    """

    name: str
    x: np.ndarray
    lam: float | None
    holdout: float


class Scan:
    """Measured k-space with coil maps, and a split of its samples to judge methods by.

    Args:
        ksp: k-space (coil, [frames,] [nz,] ny, nx), complex64.
        maps: Coil maps ([set,] coil, …) that fit it.
        mask: Sampling mask, the axes of `ksp` after the coils.
        n_space: Number of spatial axes.
        holdout: Fraction of the samples outside the centre to hold out; 0 holds none.
        n_calib: Side of the centre, none of which is held out.
        seed: Seed of the choice.
    """

    def __init__(
        self,
        ksp: np.ndarray,
        maps: np.ndarray,
        mask: np.ndarray,
        n_space: int = 2,
        holdout: float = 0.1,
        n_calib: int = 24,
        seed: int = 0,
    ) -> None:
        self.y = torch.from_numpy(ksp)[None]
        self.maps = torch.from_numpy(maps)[None]
        self.mask = torch.from_numpy(mask)
        self.n_space = n_space
        frames = self.y.ndim - 2 - n_space
        self.A = CartesianMRI(self.maps, self.mask, n_space, frames, self.maps.ndim > self.y.ndim)
        self.split: tuple[Tensor, Tensor] | None = None
        if holdout > 0:
            kept, held = hold_out(mask, holdout, n_calib, seed)
            self.split = torch.from_numpy(kept), torch.from_numpy(held)

    def best_lam(self, make: Callable[[float], Recon] = CGSense) -> float:
        """λ of a recon, CG-SENSE if none is given, that predicts the held-out samples best.

        Raises:
            ValueError: If no samples are held out.
        """
        if self.split is None:
            raise ValueError(
                "Scan: `holdout` must be positive to choose λ by held-out samples, got 0. "
                "Give λ as a number, or hold some samples out."
            )
        kept, held = self.split

        def cost(lam: float) -> float:
            return holdout_error(make(lam), self.y, self.maps, kept, held, self.n_space)

        return minimise_over_lam(cost)[0]

    def reconstruct(self, name: str, recon: Recon) -> Reconstruction:
        """Image from all samples, and the error of the held-out ones if they are not used."""
        recon = recon.eval()
        with torch.no_grad():
            x = recon(self.y, self.A)[0]
        lam = recon.report.get("lam")
        error = math.nan
        if self.split is not None:
            error = holdout_error(recon, self.y, self.maps, *self.split, self.n_space)
        if self.A.sets:
            x = _combined(x)
        return Reconstruction(name, x.numpy(), None if lam is None else float(lam), error)


def reconstruct_file(
    ksp: str,
    method: str = "cgsense",
    lam: float | Literal["auto"] = "auto",
    maps: str | None = None,
    n_maps: int = 1,
    n_calib: int | None = None,
    n_space: int | None = None,
    index: int = 0,
    holdout: float = 0.1,
    seed: int = 0,
) -> tuple[Measurement, dict[str, Reconstruction]]:
    """Reconstruct measured k-space by one or more methods.

    Args:
        ksp: k-space: .npy (coil, [frames,] [nz,] ny, nx), BART's .cfl, or DeepInPy's HDF5.
        method: Methods with commas between: zerofilled; cgsense; wavelet (compressed sensing);
            zeroshot or dip (networks fitted to this scan); the folder of a training run; a JSON or
            YAML file with a recon that needs no training.
        lam: λ of cgsense and wavelet; auto takes the one that predicts held-out samples best.
        maps: Coil maps: a .npy or .cfl file, or espirit to estimate them even if there are some.
        n_maps: Sets of maps for ESPIRiT.
        n_calib: Side of the calibration centre; by default what is fully sampled, up to 24.
        n_space: Number of spatial axes; by default all axes after the coils.
        index: Which example of an HDF5 file.
        holdout: Fraction of the samples outside the centre to judge by; 0 judges nothing.
        seed: Seed of the held-out samples, and of networks fitted to the scan.

    Returns:
        What was read, and the reconstructions by name, the zero-filled image first.
    """
    names = [name.strip() for name in method.split(",") if name.strip()]
    for name in names:
        find_method(name)  # a misspelt one is better told before the work starts
    scan = read_kspace(ksp, index)
    mask = scan.mask if scan.mask is not None else sampling_mask(scan.ksp)
    n_space = scan.ksp.ndim - 1 if n_space is None else n_space
    coil_maps = scan.maps if maps is None else None
    if maps is not None and maps != "espirit":
        coil_maps = _read_maps(maps, scan.ksp.shape)
    if coil_maps is None:
        coil_maps = estimate_maps(scan.ksp, mask, n_maps, n_calib, n_space)
    problem = Scan(scan.ksp, coil_maps, mask, n_space, holdout, n_calib or 24, seed)
    wanted = ["zerofilled", *(name for name in names if name != "zerofilled")]
    value = None if lam == "auto" else lam
    return scan, unique_names(apply_method(problem, name, value, seed) for name in wanted)


def apply_method(
    scan: Scan, method: str, lam: float | None = None, seed: int = 0
) -> Reconstruction:
    """Reconstruct a scan by a method.

    Args:
        scan: What was measured.
        method: Name of the method, run folder or file; see `find_method`.
        lam: λ of the methods that have one to choose; None takes the one that predicts the
            held-out samples best.
        seed: Seed of networks that are fitted to the scan.
    """
    n_core = len(scan.A.in_shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = find_method(
            method, scan.n_space, math.prod(scan.A.in_shape[: n_core - scan.n_space])
        )
        if found.tunes and lam is None:
            lam = scan.best_lam(found.make)
        return scan.reconstruct(found.title, found.make(math.nan if lam is None else lam))


def estimate_maps(
    ksp: np.ndarray, mask: np.ndarray, n_maps: int = 1, n_calib: int | None = None, n_space: int = 2
) -> np.ndarray:
    """Coil maps by ESPIRiT, shared by all frames, which are averaged for it.

    Args:
        ksp: k-space (coil, [frames,] *space).
        mask: Sampling mask ([frames,] *space).
        n_maps: Sets of maps.
        n_calib: Side of the calibration centre; None takes what is fully sampled, up to 24.
        n_space: Number of spatial axes.

    Returns:
        Maps ([set,] coil, [1,] *space), complex64.
    """
    n_frames = mask.ndim - n_space
    axes = tuple(range(n_frames))
    mean = ksp.sum(tuple(a + 1 for a in axes)) / np.maximum(mask.sum(axes), 1) if axes else ksp
    mean = torch.from_numpy(np.asarray(mean, np.complex64))
    maps = espirit(mean, n_calib, n_maps=n_maps, n_space=n_space).numpy()
    if not maps.any():
        raise ValueError(
            "estimate_maps: ESPIRiT must find maps in the fully sampled centre, got none anywhere. "
            "The centre may be too small or too noisy; give `maps` from elsewhere."
        )
    return np.expand_dims(maps, tuple(range(-n_space - n_frames, -n_space)))


def unique_names(found: Iterable[Reconstruction]) -> dict[str, Reconstruction]:
    """Reconstructions by name, a second one of a name as "NAME 2"."""
    named: dict[str, Reconstruction] = {}
    for one in found:
        name, n = one.name, 2
        while name in named:
            name, n = f"{one.name} {n}", n + 1
        named[name] = one
    return named


def _combined(x: Tensor) -> Tensor:
    """Sets (set, …) as one image: their root sum of squares, with the phase of the first."""
    return torch.polar(torch.linalg.vector_norm(x, dim=0), x[0].angle())


def _read_maps(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Maps ([set,] coil, …) from .npy as they are, or from .cfl without axes of length one."""
    if Path(path).suffix == ".npy":
        if not Path(path).is_file():
            raise FileNotFoundError(f"recon: `maps` must be a file, got {path!r}. Check the path.")
        maps = np.load(path)
    else:
        maps = read_cfl(path)
        maps = maps.reshape([n for n in maps.shape if n > 1])
    if maps.shape[-2:] != shape[-2:] or maps.ndim not in (len(shape), len(shape) + 1):
        raise ValueError(
            f"recon: `maps` must have shape ([set,] {', '.join(map(str, shape))}) as k-space has, "
            f"got {maps.shape}."
        )
    return maps.astype(np.complex64)
