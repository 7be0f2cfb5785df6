"""Natural photographs as images to reconstruct and as texture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.fields import crop_spectrum, smooth_field
from reconic.simulate.sources import PHOTOGRAPHS, load_photograph


def photograph(
    shape: tuple[int, int],
    rng: np.random.Generator,
    names: Sequence[str] = PHOTOGRAPHS,
    p_outline: float = 0.7,
) -> Array:
    """Draw a random piece of a photograph, often inside a random outline.

    Args:
        shape: Shape of the image, ``(ny, nx)``.
        rng: Source of randomness.
        names: Photographs to draw from.
        p_outline: Probability that all but an irregular ellipse is dark, as around a head.

    Returns:
        Complex64 image of zero phase, band-limited, largest magnitude 1.
    """
    fine = (2 * shape[0], 2 * shape[1])
    image = grey_piece(fine, rng, names)
    image = rng.uniform(0, 0.2) + image ** rng.uniform(0.6, 1.6)
    if rng.uniform() < p_outline:
        image = image * random_outline(fine, rng)
    result = crop_spectrum(image, shape, window=rng.choice([0.0, rng.uniform(0, 1.5)]))
    return result / np.abs(result).max()


def grey_piece(shape: tuple[int, int], rng: np.random.Generator, names: Sequence[str]) -> Array:
    """Cut a random piece, turned and zoomed, of a random mixture of colours; between 0 and 1."""
    colour = load_photograph(str(rng.choice(names)))
    weights = rng.dirichlet((1, 1, 1)).astype(np.float32) / 255
    grey: Array = sum(
        w * channel for w, channel in zip(weights, np.moveaxis(colour, -1, 0), strict=True)
    )
    zoom = rng.uniform(0.5, 1.0) * min(n / m for n, m in zip(grey.shape, shape, strict=True))
    zoom = float(np.clip(zoom, 0.35, 1.3))
    middle = np.array([rng.uniform(0.35, 0.65) * n for n in grey.shape])
    mirror = bool(rng.integers(2))
    points = turned_grid(shape, middle, rng.uniform(0, 2 * np.pi), zoom, mirror)
    piece = ndimage.map_coordinates(grey, points, order=1, mode="mirror")
    piece = piece - piece.min()
    piece = piece / max(float(piece.max()), 1e-6)
    return 1 - piece if rng.uniform() < 0.3 else piece


def turned_grid(
    shape: tuple[int, int], middle: Array, angle: float, zoom: float, mirror: bool
) -> Array:
    """Place a turned grid on a picture: the point, in the picture's pixels, under every pixel.

    Args:
        shape: Shape of the grid, ``(ny, nx)``.
        middle: Point under the middle of the grid.
        angle: Turn, in radians.
        zoom: The picture's pixels per pixel of the grid.
        mirror: Whether to swap left and right.

    Returns:
        Points ``(2, ny, nx)``.
    """
    y, x = np.meshgrid(*(zoom * (np.arange(n) - n / 2) for n in shape), indexing="ij")
    if mirror:
        x = -x
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([middle[0] + cos * y - sin * x, middle[1] + sin * y + cos * x])


def random_outline(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Draw a soft-edged, irregular ellipse that fills much of the image; between 0 and 1."""
    axes = [np.linspace(-1, 1, n) for n in shape]
    y, x = np.meshgrid(*axes, indexing="ij")
    centre, half = rng.uniform(-0.1, 0.1, 2), rng.uniform(0.55, 0.95, 2)
    radius = np.hypot((y - centre[0]) / half[0], (x - centre[1]) / half[1])
    radius = radius + rng.uniform(0, 0.08) * smooth_field(shape, rng, 4.0)
    softness = rng.uniform(0.5, 3) / (0.4 * max(shape))
    return np.clip((1 - radius) / softness + 0.5, 0, 1)
