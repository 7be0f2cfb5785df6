"""The Shepp-Logan phantom, in two and three dimensions."""

from __future__ import annotations

import numpy as np

from reconic._array import Array

# intensity in tenths (modified contrast), semi-axes a b c, centre x y z, degrees about z
_ELLIPSOIDS = (
    (10, 0.69, 0.92, 0.81, 0.0, 0.0, 0.0, 0.0),
    (-8, 0.6624, 0.874, 0.78, 0.0, -0.0184, 0.0, 0.0),
    (-2, 0.11, 0.31, 0.22, 0.22, 0.0, 0.0, -18.0),
    (-2, 0.16, 0.41, 0.28, -0.22, 0.0, 0.0, 18.0),
    (1, 0.21, 0.25, 0.41, 0.0, 0.35, -0.15, 0.0),
    (1, 0.046, 0.046, 0.05, 0.0, 0.1, 0.25, 0.0),
    (1, 0.046, 0.046, 0.05, 0.0, -0.1, 0.25, 0.0),
    (1, 0.046, 0.023, 0.05, -0.08, -0.605, 0.0, 0.0),
    (1, 0.023, 0.023, 0.02, 0.0, -0.606, 0.0, 0.0),
    (1, 0.023, 0.046, 0.02, 0.06, -0.605, 0.0, 0.0),
)


def shepp_logan(shape: tuple[int, ...]) -> Array:
    """Draw the Shepp-Logan head phantom with the modified, higher contrast.

    In two dimensions the ten ellipses of the original; in three ellipsoids with the same axes and
    the third axes and heights that are in common use. A pixel takes the value at its centre; the
    grid spans -1 to 1 along every axis.

    Args:
        shape: ``(ny, nx)`` or ``(nz, ny, nx)``; the front of the head is at the first row.

    Returns:
        Real image, float32: skull 1, brain 0.2, background 0.

    Raises:
        ValueError: If `shape` has neither two nor three axes.

    References:
        Shepp and Logan, IEEE Trans Nucl Sci 21:21 (1974), Table I (geometry);
        Toft, The Radon Transform, PhD thesis, DTU (1996), Table B.3 (intensities).
    """
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"shepp_logan: `shape` must be (ny, nx) or (nz, ny, nx), got {tuple(shape)}."
        )
    axes = [(2 * np.arange(n) + 1 - n) / n for n in shape]
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    z = grids[0] if len(shape) == 3 else None
    y, x = -grids[-2], grids[-1]  # rows run from the front (y = 1) to the back
    tenths = np.zeros(shape, dtype=np.int8)
    for value, *ellipsoid in _ELLIPSOIDS:
        tenths[_inside(ellipsoid, x, y, z)] += value
    return tenths.astype(np.float32) / 10


def _inside(ellipsoid: list[float], x: Array, y: Array, z: Array | None) -> Array:
    a, b, c, x0, y0, z0, degrees = ellipsoid
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    along = (x - x0) * cos + (y - y0) * sin
    across = (y - y0) * cos - (x - x0) * sin
    squared = (along / a) ** 2 + (across / b) ** 2
    if z is not None:
        squared = squared + ((z - z0) / c) ** 2
    return squared <= 1
