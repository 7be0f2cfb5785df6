"""Simulated coil sensitivity maps: circular loops around the field of view."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_interp_spline

from reconic._array import Array

_SEGMENTS = 24  # straight pieces per loop
_COARSE = 33  # grid points along the longest axis where the field is computed before interpolation
_SOFTENING = 0.12  # in half fields of view: wires have a cover, so no pixel touches the conductor
GEOMETRIES = ("ring", "array", "jittered")


def coil_maps(
    shape: tuple[int, ...],
    n_coils: int,
    rng: np.random.Generator,
    geometry: str = "random",
    support: Array | None = None,
) -> Array:
    """Simulate receive sensitivities of circular loops by the law of Biot and Savart.

    A loop's sensitivity is its transverse field ``B_x - i B_y`` per unit current (the principle of
    reciprocity), with the main field through the plane of a 2-D image and along the first axis of
    a volume. Number, size, distance and place of the loops vary.

    Args:
        shape: Image shape ``([nz,] ny, nx)``.
        n_coils: Number of loops.
        rng: Source of randomness.
        geometry: ``"ring"`` (evenly around, in one or two rows), ``"array"`` (on one side),
            ``"jittered"`` (a disordered ring), or ``"random"`` (one of the three).
        support: Optional mask of `shape`; maps are zero where it is, as ESPIRiT's are in air.

    Returns:
        Maps ``(coil, *shape)``, complex64; their sum of squares over coils is 1 (inside `support`).

    Raises:
        ValueError: If `shape`, `n_coils`, `geometry` or `support` is not as described.

    References:
        Hoult and Richards, J Magn Reson 24:71 (1976), Eq. 1 (reciprocity);
        Roemer et al., MRM 16:192 (1990) (phased arrays).
    """
    _check(shape, n_coils, geometry, support)
    if geometry == "random":
        geometry = str(rng.choice(GEOMETRIES))
    coarse = tuple(min(n, max(4, round(_COARSE * n / max(shape)))) for n in shape)
    points = _grid(coarse, shape)
    loops = _loops(rng, geometry, n_coils)
    maps = _upsample(np.stack([_loop_field(points, *loop) for loop in loops]), shape)
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, axis=0)) + np.finfo(float).tiny
    if support is not None:
        maps = maps * (support != 0)
    return maps.astype(np.complex64)


def _check(shape: tuple[int, ...], n_coils: int, geometry: str, support: Array | None) -> None:
    if len(shape) not in (2, 3) or min(shape) < 4:
        raise ValueError(
            f"coil_maps: `shape` must have two or three axes of at least 4, got {shape}."
        )
    if n_coils < 1:
        raise ValueError(f"coil_maps: `n_coils` must be at least 1, got {n_coils}.")
    if geometry not in (*GEOMETRIES, "random"):
        names = ", ".join((*GEOMETRIES, "random"))
        raise ValueError(f"coil_maps: `geometry` must be one of {names}, got {geometry!r}.")
    if support is not None and support.shape != tuple(shape):
        raise ValueError(f"coil_maps: `support` must have shape {shape}, got {support.shape}.")


def _grid(coarse: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Return positions (*coarse, 3) as (x, y, z); the longest axis of `shape` spans -1 to 1."""
    half = [n / max(shape) for n in shape]
    axes = [np.linspace(-h, h, m) for h, m in zip(half, coarse, strict=True)]
    grids = list(np.meshgrid(*axes, indexing="ij"))[::-1]  # x first
    if len(shape) == 2:
        grids.append(np.zeros(coarse))
    return np.stack(grids, axis=-1)


def _loops(
    rng: np.random.Generator, geometry: str, n_coils: int
) -> list[tuple[Array, Array, float]]:
    """Draw the centre, unit normal and radius of every loop, in half fields of view."""
    spread = 0.8 * np.pi if geometry == "array" else 2 * np.pi
    jitter = 0.8 if geometry == "jittered" else 0.1
    start, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.95, 1.3)
    spacing = spread / max(n_coils, 3)
    size = rng.uniform(0.5, 0.9)  # half of the spacing touches the neighbour, more overlaps it
    loops = []
    for index in range(n_coils):
        angle = start + spacing * (index + jitter * rng.uniform(-0.5, 0.5))
        away = distance * (1 + 0.3 * jitter * rng.uniform(-0.5, 0.5))
        centre = away * np.array([np.cos(angle), np.sin(angle), rng.uniform(-0.3, 0.3)])
        normal = -centre / np.linalg.norm(centre) + 0.15 * rng.standard_normal(3)
        radius = float(np.clip(distance * spacing * size, 0.25, 0.9))
        loops.append((centre, normal / np.linalg.norm(normal), radius))
    return loops


def _loop_field(points: Array, centre: Array, normal: Array, radius: float) -> Array:
    """Compute ``B_x - i B_y`` of a loop: the sum of ``dl x r / |r|^3`` over straight pieces."""
    first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    turn = 2 * np.pi / _SEGMENTS
    angles = turn * np.arange(_SEGMENTS)
    wire = centre + radius * (np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second))
    step = np.outer(-np.sin(angles), first) + np.outer(np.cos(angles), second)
    step *= radius * turn
    r = points[..., None, :] - wire  # (*coarse, segment, 3)
    weight = (np.sum(r**2, axis=-1) + _SOFTENING**2) ** -1.5
    b_x = np.sum((step[:, 1] * r[..., 2] - step[:, 2] * r[..., 1]) * weight, axis=-1)
    b_y = np.sum((step[:, 2] * r[..., 0] - step[:, 0] * r[..., 2]) * weight, axis=-1)
    return b_x - 1j * b_y


def _upsample(fields: Array, shape: tuple[int, ...]) -> Array:
    """Interpolate (coil, *coarse) to (coil, *shape) by cubic splines, one axis after another."""
    for axis, n in enumerate(shape, start=1):
        knots = np.linspace(0, 1, fields.shape[axis])
        fields = make_interp_spline(knots, fields, axis=axis)(np.linspace(0, 1, n))
    return fields
