"""Slabs of a head volume, as three-dimensional scans excite them."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.fields import crop_spectrum
from reconic.simulate.volumes import Volume

_THICKNESS = 0.08  # of a training volume's slices: what the held-out slabs have at least


def plain_slab(volume: Volume, shape: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """Cut an axial slab, turned, scaled and shifted in its plane, and leave it as it is.

    Args:
        volume: The head. Where it is `axial_only` the slab is all of it, otherwise a part of as
            many slices at a random height.
        shape: Shape of the image, ``(nz, ny, nx)``.
        rng: Source of randomness.

    Returns:
        Complex64 image, largest magnitude 1.
    """
    fine = tuple(2 * n for n in shape)
    image = ndimage.map_coordinates(
        volume.intensity, _points(volume, fine, rng), output=np.float32, order=1
    )
    image = crop_spectrum(image, shape)
    return image / max(float(np.abs(image).max()), 1e-12)


def _points(volume: Volume, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Point (x, y, z) of the volume, in voxels, at every voxel of the slab: (3, nz, ny, nx)."""
    extent = np.array(volume.extent, dtype=float)
    middle, spacing = extent.mean(axis=1), np.array(volume.spacing)
    size = (extent[:2, 1] - extent[:2, 0] + 1) * spacing[:2]
    pixel = max(size[1] / shape[1], size[0] / shape[2]) / rng.uniform(0.72, 1.0)
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    y, x = y + rng.uniform(-0.04, 0.04) * shape[1], x + rng.uniform(-0.04, 0.04) * shape[2]
    angle, mirror = 0.2 * rng.standard_normal(), rng.choice([-1, 1])
    right = mirror * (x * math.cos(angle) + y * math.sin(angle))
    front = x * math.sin(angle) - y * math.cos(angle)
    bottom, top = _heights(volume, rng)
    up = (bottom + top) / 2 + z * (top - bottom) / (shape[0] - 1)
    across = [
        m + pixel * p / s for m, p, s in zip(middle[:2], (right, front), spacing, strict=False)
    ]
    return np.stack([*across, up])


def _heights(volume: Volume, rng: np.random.Generator) -> tuple[float, float]:
    """First and last slice of the slab."""
    bottom, top = volume.extent[2]
    if volume.axial_only:
        return bottom, top
    thickness = _THICKNESS * (top - bottom)
    low = rng.uniform(bottom + 0.3 * (top - bottom), top - 0.2 * (top - bottom) - thickness)
    return low, low + thickness
