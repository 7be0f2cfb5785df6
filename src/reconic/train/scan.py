"""One measured scan as a problem to reconstruct, and a split of its samples to judge methods by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from reconic.calibrate import voronoi
from reconic.operator import LinearSystem, SpreadCoils
from reconic.recons import CGSense, Recon
from reconic.recons.holdout import hold_out, hold_out_spokes, holdout_error, minimise_over_lam
from reconic.recons.splitting import Part, restrict
from reconic.systems import CartesianMRI, NonCartesianMRI
from reconic.train.ranks import spread_coils

__all__ = ["Reconstruction", "Scan", "cartesian_scan", "noncartesian_scan"]


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


@dataclass(frozen=True)
class Scan:
    """Measurements with their forward model, and which of them judge methods.

    Attributes:
        y: Measurements, as `A` predicts them (1, *A.out_shape).
        A: Forward model.
        n_space: Number of spatial axes.
        sets: Whether images have a set axis.
        split: Samples to reconstruct from and samples to predict; None holds none out.
        adjoint_title: What figures call Aᴴy.
    """

    y: Tensor
    A: LinearSystem
    n_space: int
    sets: bool
    split: tuple[Part, Part] | None
    adjoint_title: str = "Zero-filled"

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
        given, wanted = self.split
        return minimise_over_lam(lambda lam: holdout_error(make(lam), given, wanted))[0]

    def spread(self, place: torch.device, *, shared: bool = False) -> Scan:
        """The coils of this process alone, on a device; images are those of all processes' coils.

        Args:
            place: Device of this process.
            shared: Whether this scan is of these coils alone already.
        """
        placed: dict[int, Tensor] = {}  # of each array; the three systems have the same maps

        def own(y: Tensor, A: LinearSystem) -> Part:
            part, y = spread_coils(A, y, shared=shared)
            whole = map(id, A.arrays())
            return Part(
                y.to(place), part.map(lambda a: placed.setdefault(next(whole), a.to(place)))
            )

        y, A = own(self.y, self.A)
        split = self.split and (own(*self.split[0]), own(*self.split[1]))
        return replace(self, y=y, A=A, split=split)

    def reconstruct(self, name: str, recon: Recon) -> Reconstruction:
        """Image from all samples, and the error of the held-out ones if they are not used.

        Raises:
            ValueError: If the recon learns from the scan, of which this process has some coils.
        """
        if recon.fits_each_scan and isinstance(self.A, SpreadCoils):
            raise ValueError(
                f"recon: `method` must not learn from the scan where processes share its coils, "
                f"got {name}. Leave out --devices."
            )
        recon = recon.eval().to(self.y.device)
        with torch.no_grad():
            x = recon(self.y, self.A)[0]
        lam = recon.report.get("lam")
        error = math.nan if self.split is None else holdout_error(recon, *self.split)
        x = _combined(x) if self.sets else x
        return Reconstruction(name, x.cpu().numpy(), None if lam is None else float(lam), error)


def cartesian_scan(
    ksp: np.ndarray,
    maps: np.ndarray,
    mask: np.ndarray,
    n_space: int = 2,
    holdout: float = 0.1,
    n_calib: int = 24,
    seed: int = 0,
) -> Scan:
    """Scan of Cartesian k-space.

    Args:
        ksp: k-space (coil, [frames,] [nz,] ny, nx), complex64.
        maps: Coil maps ([set,] coil, …) that fit it.
        mask: Sampling mask, the axes of `ksp` after the coils.
        n_space: Number of spatial axes.
        holdout: Fraction of the samples outside the centre to hold out; 0 holds none.
        n_calib: Side of the centre, none of which is held out.
        seed: Seed of the choice.
    """
    y, sets = torch.from_numpy(ksp)[None], maps.ndim > ksp.ndim
    frames = ksp.ndim - 1 - n_space
    A = CartesianMRI(torch.from_numpy(maps)[None], torch.from_numpy(mask), n_space, frames, sets)
    split = hold_out(mask, holdout, n_calib, seed) if holdout > 0 else None
    return Scan(y, A, n_space, sets, split and _parts(y, A, A, *split))


def noncartesian_scan(
    ksp: np.ndarray,
    maps: np.ndarray,
    traj: np.ndarray,
    dcf: np.ndarray | None = None,
    n_space: int = 2,
    holdout: float = 0.1,
    n_calib: int = 24,
    seed: int = 0,
) -> Scan:
    """Scan of k-space along a trajectory.

    Methods see measurements weighted by their density, as they do in training; held-out samples
    count as they were acquired.

    Args:
        ksp: k-space (coil, [frames,] [partition,] [spoke,] sample), complex64.
        maps: Coil maps ([set,] coil, [1,] *space), complex64.
        traj: Trajectory in rad/voxel ([frames,] [spoke,] sample, n), float32.
        dcf: Density weights, `traj.shape[:-1]`; None takes the volumes of Voronoi cells.
        n_space: Number of spatial axes.
        holdout: Fraction of the spokes, or samples, to hold out; 0 holds none.
        n_calib: Side of the centre, which is not held out; see `hold_out_spokes`.
        seed: Seed of the choice.
    """
    shape = maps.shape[-traj.shape[-1] :]
    n_samples = min(2, traj.ndim - 1)
    frames = traj.ndim - 1 - n_samples
    if dcf is None:
        dcf = voronoi(traj, shape, n_samples).astype(np.float32)
    sets = maps.ndim > 1 + frames + n_space
    S, k, w = (torch.from_numpy(a)[None] for a in (maps, traj, dcf))
    A = NonCartesianMRI(S, k, w, n_space, frames, n_samples, sets)
    plain, y = A.replace(dcf=None), torch.from_numpy(ksp)[None]
    split = None
    if holdout > 0:
        kept, held = hold_out_spokes(traj, shape, holdout, n_calib, seed)
        if ksp.ndim > traj.ndim:  # partitions are held alike
            kept, held = np.expand_dims(kept, frames), np.expand_dims(held, frames)
        split = _parts(y, A, plain, kept, held)
    return Scan(A.weigh(y), A, n_space, sets, split, adjoint_title="Gridding")


def _parts(
    y: Tensor, A: LinearSystem, plain: LinearSystem, kept: np.ndarray, held: np.ndarray
) -> tuple[Part, Part]:
    """Kept measurements as A weighs them, and held ones as `plain` does."""
    given, wanted = torch.from_numpy(kept)[None], torch.from_numpy(held)[None]  # for all coils
    return restrict(A.weigh(y), A, given), restrict(y, plain, wanted)


def _combined(x: Tensor) -> Tensor:
    """Sets (set, …) as one image: their root sum of squares, with the phase of the first."""
    return torch.polar(torch.linalg.vector_norm(x, dim=0), x[0].angle())
