"""Density compensation: the volume of k-space that each sample of a trajectory stands for.

Weights are relative to a Cartesian grid of the image's shape, w_m = N |cell of m| / (2π)^n with N
voxels: 1 where samples are as dense as there, more where they are further apart. So with the
orthonormal transform F of `NonCartesianMRI`, Fᴴ W F is nearly the identity if nothing is missing.
"""

from __future__ import annotations

import math

import numpy as np  # noqa: TID251 (Voronoi cells are SciPy's)
from scipy.spatial import ConvexHull, Delaunay, KDTree, Voronoi

from reconic._array import Array, array_namespace, device
from reconic._kernels.nufft import nufft, nufft_adjoint

__all__ = ["pipe_menon", "ramp", "voronoi"]

_SAME = 1e-5  # rad/voxel, below which two samples are one, measured twice


def ramp(traj: Array, shape: tuple[int, ...]) -> Array:
    """Weights of spokes through the centre that cover all directions evenly: |k|, or |k|² in 3-D.

    A sample's cell is its part of the ring, or shell, between the middles to its neighbours; the
    disc, or ball, in the middle is shared by all spokes.

    Args:
        traj: Spokes of evenly spaced samples, rad/voxel (*batch, spoke, readout, n), n of 2 or 3.
        shape: Shape of the image.

    Returns:
        (*batch, spoke, readout).

    Raises:
        ValueError: If there are fewer than two samples to a spoke.

    References:
        Lauzon & Rutt, MRM 36:940 (1996) (cells of evenly spaced spokes).
    """
    n_spokes, n_readout, n = traj.shape[-3:]
    if n_readout < 2 or n not in (2, 3):
        raise ValueError(
            "ramp: `traj` must have shape (*batch, spoke, readout, 2 or 3) with two samples or "
            f"more to a spoke, got {tuple(traj.shape)}."
        )
    xp = array_namespace(traj)
    radius = xp.sqrt(xp.sum(traj * traj, axis=-1))
    step = xp.sqrt(xp.sum((traj[..., 1:2, :] - traj[..., :1, :]) ** 2, axis=-1))
    if n == 2:
        cell, middle = math.pi * radius * step, math.pi * (step / 2) ** 2
    else:
        cell = 2 * math.pi * (radius**2 * step + step**3 / 12)
        middle = 4 / 3 * math.pi * (step / 2) ** 3
    cell = xp.where(radius < step / 2, middle, cell)
    return cell * (math.prod(shape) / (2 * math.pi) ** n / n_spokes)


def voronoi(traj: Array, shape: tuple[int, ...], n_sample_axes: int = 2) -> Array:
    """Weights by the volume of each sample's Voronoi cell: all that is nearer to it than to others.

    Samples measured more than once share their cell. Cells at the rim, which have no bounds of
    their own within the samples' convex hull, are given the volume of the nearest cell that has.

    Args:
        traj: Any trajectory, NumPy, rad/voxel (*batch, *samples, n).
        shape: Shape of the image.
        n_sample_axes: Number of axes of the samples.

    Returns:
        (*batch, *samples).

    References:
        Rasche et al., IEEE TMI 18:385 (1999).
    """
    n = traj.shape[-1]
    samples = traj.shape[-1 - n_sample_axes : -1]
    sets = np.asarray(traj, np.float64).reshape(-1, math.prod(samples), n)
    cells = np.stack([_cells(points) for points in sets]).reshape(traj.shape[:-1])
    return (cells * (math.prod(shape) / (2 * math.pi) ** n)).astype(traj.dtype)


def _cells(points: Array) -> Array:
    """Volumes of the Voronoi cells of points (m, n)."""
    rounded = np.round(points / _SAME)
    _, first, inverse, counts = np.unique(
        rounded, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    diagram = Voronoi(points[first])
    volume, inner = _volumes(diagram)
    nearest = np.flatnonzero(inner)[KDTree(diagram.points[inner]).query(diagram.points)[1]]
    return (volume[nearest] / counts)[inverse.reshape(-1)]


def _volumes(diagram: Voronoi) -> tuple[Array, Array]:
    """Volume of each cell, a sum of pyramids from its point over its facets; and if it is bounded.

    A cell counts as bounded if all its corners lie within the convex hull of the points.
    """
    points, pairs = diagram.points, diagram.ridge_points
    n = points.shape[1]
    hull = Delaunay(points[ConvexHull(points).vertices])
    outside = np.append(hull.find_simplex(diagram.vertices) < 0, True)  # the last is at infinity
    height = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=-1) / 2
    volume, inner = np.zeros(len(points)), np.ones(len(points), bool)
    lengths = np.array([len(facet) for facet in diagram.ridge_vertices])
    for length in np.unique(lengths):
        which = np.flatnonzero(lengths == length)
        facets = np.array([diagram.ridge_vertices[i] for i in which])
        pyramid = height[which] * _area(diagram.vertices[facets]) / n
        np.add.at(volume, pairs[which], pyramid[:, None])
        inner[pairs[which][outside[facets].any(axis=-1)]] = False
    return volume, inner


def _area(corners: Array) -> Array:
    """Length of segments (m, 2, 2), or area of convex polygons (m, corners, 3)."""
    edges = corners[:, 1:] - corners[:, :1]
    if corners.shape[-1] == 2:
        return np.linalg.norm(edges[:, 0], axis=-1)
    return np.linalg.norm(np.cross(edges[:, :-1], edges[:, 1:]).sum(axis=1), axis=-1) / 2


def pipe_menon(
    traj: Array,
    shape: tuple[int, ...],
    n_sample_axes: int = 2,
    n_iter: int = 30,
    tol: float = 1e-4,
) -> Array:
    """Weights that make the samples' density even, w ← w / (w ∗ C), from any trajectory.

    C is Fejér's kernel of the image's shape, the squared response of the image's box: positive, and
    its own transform is limited to twice the field of view.

    Args:
        traj: Trajectory in rad/voxel (*batch, *samples, n).
        shape: Shape of the image.
        n_sample_axes: Number of axes of the samples.
        n_iter: Number of iterations.
        tol: Relative error of the transforms.

    Returns:
        (*batch, *samples).

    References:
        Pipe & Menon, MRM 41:179 (1999); Johnson & Pipe, MRM 61:439 (2009) (its kernel).
    """
    xp = array_namespace(traj)
    lead = tuple(traj.shape[: -1 - n_sample_axes])
    flat = xp.reshape(traj, (*lead, -1, traj.shape[-1]))
    double = tuple(2 * n for n in shape)
    window = _triangle(shape, traj)
    weights = xp.ones_like(flat[..., 0])
    kind = xp.complex128 if weights.dtype == xp.float64 else xp.complex64
    for _ in range(n_iter):
        image = nufft_adjoint(xp.astype(weights, kind)[..., None, :], flat, double, tol)
        density = xp.real(nufft(image * window, flat, tol))[..., 0, :]
        weights = weights / density
    return xp.reshape(weights, tuple(traj.shape[:-1]))


def _triangle(shape: tuple[int, ...], like: Array) -> Array:
    """∏ (1 - |r| / n) / n on the grid of twice the shape: what makes C of samples on a grid one."""
    xp = array_namespace(like)
    window = xp.ones((1,) * len(shape), dtype=like.dtype, device=device(like))
    for axis, n in enumerate(shape):
        r = xp.arange(-n, n, dtype=like.dtype, device=device(like))
        side = tuple(2 * n if a == axis else 1 for a in range(len(shape)))
        window = window * xp.reshape((1 - xp.abs(r) / n) / n, side)
    return window
