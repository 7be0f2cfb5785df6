"""Random planes through a volume."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.fields import smooth_field
from reconic.simulate.volumes import Volume

_SCALP_MM = 14.0  # room left around a brain
_ORIENTATIONS = (0.2, 0.2, 0.6)  # how often sagittal, coronal, axial
_P_SIDEWAYS = 0.2  # how often the head lies on its side
_TILT = 0.3  # radians, at most, out of the orientation's plane
_REACH = 0.34  # of the head's extent, how far from its middle planes lie at most
_TRIALS = 20
_LEAST_FILLED = 0.03  # of the image


def random_plane(
    volume: Volume, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[Array, float]:
    """Draw a plane through a volume: the point, in voxels, under every pixel.

    Orientation, tilt, place, turn, reflection, size and a mild smooth warp are drawn anew, until
    the plane meets the head.

    Args:
        volume: The head; where it is `axial_only`, planes do not leave it and are not tilted.
        shape: Shape of the image, ``(ny, nx)``.
        rng: Source of randomness.

    Returns:
        Points ``(3, ny, nx)`` and the size of a pixel in mm.

    Raises:
        ValueError: If plane after plane is empty.
    """
    least = 0.05 * float(volume.intensity.max())
    for _ in range(_TRIALS):
        points, pixel = _draw(volume, shape, rng)
        values = ndimage.map_coordinates(volume.intensity, points[:, ::4, ::4], order=0)
        if np.mean(values > least) > _LEAST_FILLED:
            return points, pixel
    raise ValueError(
        f"random_plane: `volume` must have an object that its slices meet, got {_TRIALS} random "
        "slices that are empty. Crop the volume to the object."
    )


def _draw(volume: Volume, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Array, float]:
    extent = np.array(volume.extent, dtype=float)
    spacing = np.array(volume.spacing)
    size = (extent[:, 1] - extent[:, 0] + 1) * spacing
    normal = 2 if volume.axial_only else int(rng.choice(3, p=_ORIENTATIONS))
    columns, rows = (a for a in range(3) if a != normal)  # up or front along the rows
    if rng.uniform() < _P_SIDEWAYS:
        rows, columns = columns, rows
    room = 2 * _SCALP_MM if volume.has_tissues else 0.0
    fitting = max((size[rows] + room) / shape[0], (size[columns] + room) / shape[1])
    pixel = fitting / rng.uniform(0.72, 1.12)
    frame = np.eye(3)[[rows, columns, normal]] * [[-1], [rng.choice([-1, 1])], [1]]
    down, right, through = _turn(volume.axial_only, rng) @ frame
    reach = 0.5 * (1 - 1 / (extent[normal, 1] - extent[normal, 0] + 1))
    depth = rng.uniform(-1, 1) * size[normal] * (reach if volume.axial_only else _REACH)
    centre = extent.mean(axis=1) * spacing + depth * through
    y, x = _grid(shape, rng)
    points = centre[:, None, None] + pixel * (down[:, None, None] * y + right[:, None, None] * x)
    return points / spacing[:, None, None], pixel


def _turn(flat: bool, rng: np.random.Generator) -> Array:
    """Draw a rotation of a (down, right, through) frame; only in its plane if `flat`."""
    tilts = [0.0, 0.0] if flat else rng.uniform(-_TILT, _TILT, 2)
    turn = rng.choice([0.05, 0.3]) * rng.standard_normal()  # mostly upright
    matrix = np.eye(3)
    for axis, angle in enumerate((*tilts, turn)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        matrix = step @ matrix
    return matrix


def _grid(shape: tuple[int, int], rng: np.random.Generator) -> list[Array]:
    """Return pixel coordinates about a shifted centre, displaced by some per cent of the image."""
    axes = [np.arange(n) - n / 2 + rng.uniform(-0.05, 0.05) * n for n in shape]
    strength = rng.uniform(0, 0.012) * max(shape)
    return [
        grid + strength * smooth_field(shape, rng, rng.uniform(1.5, 4))
        for grid in np.meshgrid(*axes, indexing="ij")
    ]
