"""Recons applied to one measured scan, and judged on held-out samples of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch

from reconic.io import Measurement, read_kspace, read_trajectory, sampling_mask, with_trajectory
from reconic.io.trajectory import Unit, covered_shape, in_radians
from reconic.train.coil_maps import estimate_maps, estimate_noncartesian_maps, read_maps
from reconic.train.methods import find_method
from reconic.train.ranks import coil_share, rank_device
from reconic.train.scan import Reconstruction, Scan, cartesian_scan, noncartesian_scan

__all__ = ["apply_method", "reconstruct_file", "unique_names"]


def reconstruct_file(
    ksp: str,
    method: str = "cgsense",
    lam: float | Literal["auto"] = "auto",
    maps: str | None = None,
    traj: str | None = None,
    shape: str | None = None,
    traj_unit: Unit | None = None,
    n_maps: int = 1,
    n_calib: int | None = None,
    n_space: int | None = None,
    index: int = 0,
    holdout: float = 0.1,
    seed: int = 0,
) -> tuple[Measurement, dict[str, Reconstruction]]:
    """Reconstruct measured k-space by one or more methods.

    Under `torch.distributed` the processes share the coils, and each gets the whole image. Of an
    HDF5 file with maps each reads its own coils alone.

    Args:
        ksp: k-space: .npy (coil, [frames,] [nz,] ny, nx), BART's .cfl, or DeepInPy's HDF5; with a
            trajectory (coil, [frames,] [partition,] [spoke,] sample).
        method: Methods with commas between: zerofilled; cgsense; wavelet (compressed sensing);
            zeroshot or dip (networks fitted to this scan); the folder of a training run; a JSON or
            YAML file with a recon that needs no training.
        lam: λ of cgsense and wavelet; auto takes the one that predicts held-out samples best.
        maps: Coil maps: a .npy or .cfl file, or espirit to estimate them even if there are some.
        traj: Trajectory of non-Cartesian k-space: .npy ([frame,] [spoke,] sample, n), ordered as
            space is, or BART's .cfl; an HDF5 file may hold it as traj, and weights as dcf.
        shape: Shape of the image with a trajectory, as ny,nx or nz,ny,nx; by default that of maps
            or of a true image in the file, or what a trajectory in 1/fov covers.
        traj_unit: Unit of the trajectory; by default rad/voxel, and 1/fov for .cfl.
        n_maps: Sets of maps for ESPIRiT.
        n_calib: Side of the calibration centre; by default what is fully sampled, up to 24.
        n_space: Number of spatial axes of Cartesian k-space; by default all axes after the coils.
        index: Which example of an HDF5 file.
        holdout: Fraction of the samples outside the centre, or of spokes, to judge by; 0 judges
            nothing.
        seed: Seed of the held-out samples, and of networks fitted to the scan.

    Returns:
        What was read, and the reconstructions by name, the zero-filled image first; that of a
        trajectory is gridded.
    """
    names = [name.strip() for name in method.split(",") if name.strip()]
    for name in names:
        find_method(name)  # a misspelt one is better told before the work starts
    ranks = torch.distributed.is_initialized()
    scan = read_kspace(ksp, index, coil_share if ranks and maps is None else None)
    if ranks and not scan.shared:
        coil_share(len(scan.ksp))  # too many processes are better told before, too
    if traj is not None or scan.traj is not None:
        if n_space is not None:
            raise ValueError(
                f"recon: `n_space` must be left out with a trajectory, got {n_space}. `shape` "
                "tells the axes of space."
            )
        scan, size = _placed(scan, traj, _sizes(shape), traj_unit)
        problem = _noncartesian(scan, size, maps, n_maps, n_calib, holdout, seed)
    elif shape is not None or traj_unit is not None:
        raise ValueError(
            "recon: `traj` must be given with `shape` or `traj_unit`, got none. Leave them out for "
            "Cartesian k-space."
        )
    else:
        problem = _cartesian(scan, n_space, maps, n_maps, n_calib, holdout, seed)
    if ranks:
        problem = problem.spread(rank_device(), shared=scan.shared)
    wanted = ["zerofilled", *(name for name in names if name != "zerofilled")]
    value = None if lam == "auto" else lam
    return scan, unique_names(apply_method(problem, name, value, seed) for name in wanted)


def _cartesian(
    scan: Measurement,
    n_space: int | None,
    maps: str | None,
    n_maps: int,
    n_calib: int | None,
    holdout: float,
    seed: int,
) -> Scan:
    mask = scan.mask if scan.mask is not None else sampling_mask(scan.ksp)
    n_space = scan.ksp.ndim - 1 if n_space is None else n_space
    coil_maps = _known_maps(scan, maps, scan.ksp.shape)
    if coil_maps is None:
        coil_maps = estimate_maps(scan.ksp, mask, n_maps, n_calib, n_space)
    return cartesian_scan(scan.ksp, coil_maps, mask, n_space, holdout, n_calib or 24, seed)


def _noncartesian(
    scan: Measurement,
    shape: tuple[int, ...],
    maps: str | None,
    n_maps: int,
    n_calib: int | None,
    holdout: float,
    seed: int,
) -> Scan:
    traj = scan.traj
    assert traj is not None
    frames = (1,) * max(traj.ndim - 3, 0)
    coil_maps = _known_maps(scan, maps, (len(scan.ksp), *frames, *shape))
    if coil_maps is None:
        coil_maps = estimate_noncartesian_maps(scan.ksp, traj, shape, n_maps, n_calib)
    if coil_maps.shape[-len(shape) :] != shape:
        raise ValueError(
            f"recon: `shape` must be that of the coil maps, {coil_maps.shape}, got {shape}. Leave "
            "it out, or give --maps espirit."
        )
    return noncartesian_scan(
        scan.ksp, coil_maps, traj, scan.dcf, len(shape), holdout, n_calib or 24, seed
    )


def _placed(
    scan: Measurement, path: str | None, shape: tuple[int, ...] | None, unit: Unit | None
) -> tuple[Measurement, tuple[int, ...]]:
    """The scan with its trajectory in rad/voxel, and the shape of space."""
    if path is not None:
        traj, own = read_trajectory(path)
        dcf = None
    else:
        traj, own, dcf = np.asarray(scan.traj), "rad/voxel", scan.dcf
    known = scan.reference if scan.maps is None else scan.maps
    if shape is None and known is not None:
        n_space = traj.shape[-1] + max(scan.ksp.ndim - traj.ndim, 0)  # with an axis of partitions
        shape = known.shape[-n_space:]
    if shape is None and (unit or own) == "1/fov":
        shape = covered_shape(traj)
    if shape is None:
        raise ValueError(
            "recon: `shape` must be given with this trajectory, got none. Give the shape of the "
            "image as --shape ny,nx."
        )
    scan = with_trajectory(scan, in_radians(traj, shape, unit or own), dcf)
    return scan, shape


def _sizes(shape: str | None) -> tuple[int, ...] | None:
    """Numbers of "ny,nx"."""
    if shape is None:
        return None
    words = [word.strip() for word in shape.strip("()[] ").split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(
            f"recon: `shape` must be positive numbers with commas between, got {shape!r}. Give it "
            "as ny,nx."
        )
    return tuple(map(int, words))


def _known_maps(scan: Measurement, maps: str | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Maps from a file that is named, or else from the scan's; None if they are to be estimated."""
    if maps is None:
        return scan.maps
    return None if maps == "espirit" else read_maps(maps, shape)


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
    channels = math.prod(scan.A.in_shape[: -scan.n_space])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = find_method(method, scan.n_space, channels, scan.adjoint_title)
        if found.tunes and lam is None:
            lam = scan.best_lam(found.make)
        return scan.reconstruct(found.title, found.make(math.nan if lam is None else lam))


def unique_names(found: Iterable[Reconstruction]) -> dict[str, Reconstruction]:
    """Reconstructions by name, a second one of a name as "NAME 2"."""
    named: dict[str, Reconstruction] = {}
    for one in found:
        name, n = one.name, 2
        while name in named:
            name, n = f"{one.name} {n}", n + 1
        named[name] = one
    return named
