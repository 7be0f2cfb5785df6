"""Random slices of heads: real anatomy with a new contrast, scalp, texture and place each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.contrast import paint
from reconic.simulate.fields import crop_spectrum, smooth_field, texture
from reconic.simulate.photographs import grey_piece, turned_grid
from reconic.simulate.planes import random_plane
from reconic.simulate.sources import load_sagittal
from reconic.simulate.volumes import Volume

_SAGITTAL_SIDE = 256  # pixels
_SAGITTAL_MIDDLE = np.array([120.0, 120.0])


def head_slice(
    volume: Volume,
    shape: tuple[int, int],
    rng: np.random.Generator,
    photographs: Sequence[str] = (),
    p_scalp: float = 0.85,
) -> Array:
    """Cut a random slice of a head and make it look like a scan of some other head.

    The slice is cut along a random plane, turned, scaled, mirrored and mildly warped. Where the
    tissues are known they get a random contrast and a random sharpness of their borders, and the
    brain a scalp; fine texture, spots and shading are added. All this is drawn on a grid twice as
    fine and then band-limited, as a scanner would.

    Args:
        volume: The head.
        shape: Shape of the image, ``(ny, nx)``.
        rng: Source of randomness.
        photographs: Photographs whose fine detail may serve as texture.
        p_scalp: Probability that a brain of known tissues gets a scalp.

    Returns:
        Complex64 image, largest magnitude 1; its phase is zero but for fat, which may be out of
        phase with water.
    """
    fine = (2 * shape[0], 2 * shape[1])
    points, pixel = random_plane(volume, fine, rng)
    water, fat = paint(volume, points, pixel, rng, p_scalp)
    head = ndimage.gaussian_filter(water + fat, 2.0) > 0.03
    gain = _texture(head, rng, photographs) * _shading(fine, rng)
    water = _spots(water, head, rng)
    image = gain * (water + fat * np.exp(1j * _fat_phase(rng)))
    window = rng.choice([0.0, rng.uniform(0, 1.5)])
    return _normalise(crop_spectrum(image, shape, window))


def plain_slice(volume: Volume, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Cut a random slice of a volume and leave it as it is; complex64, largest magnitude 1."""
    points, _ = random_plane(volume, (2 * shape[0], 2 * shape[1]), rng)
    image = ndimage.map_coordinates(volume.intensity, points, output=np.float32, order=1)
    return _normalise(crop_spectrum(image, shape))


def sagittal_head(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Turn, scale and mirror the one real sagittal head; complex64, largest magnitude 1."""
    fine = (2 * shape[0], 2 * shape[1])
    angle = rng.uniform(-0.4, 0.4) + rng.integers(4) * np.pi / 2
    zoom = _SAGITTAL_SIDE / max(fine) * rng.uniform(0.75, 1.15)
    middle = _SAGITTAL_MIDDLE + rng.uniform(-20, 20, 2)
    points = turned_grid(fine, middle, angle, zoom, mirror=bool(rng.integers(2)))
    head = ndimage.map_coordinates(load_sagittal() ** rng.uniform(0.7, 1.5), points, order=1)
    image = head * _shading(fine, rng)
    return _normalise(crop_spectrum(image, shape))


def _fat_phase(rng: np.random.Generator) -> float:
    """Draw the phase of fat against water: in phase, or anything up to opposed."""
    return float(rng.choice([0.0, rng.uniform(-np.pi, np.pi)]))


def _texture(head: Array, rng: np.random.Generator, photographs: Sequence[str]) -> Array:
    """Return a gain around 1 that roughens the head by up to some per cent."""
    gain = 1 + rng.uniform(0, 0.06) * texture(head.shape, rng, rng.uniform(2, 8))
    if photographs and rng.uniform() < 0.5:
        piece = grey_piece(head.shape, rng, photographs)
        detail = piece - ndimage.gaussian_filter(piece, rng.uniform(3, 12))
        gain = gain + rng.uniform(0, 0.1) * detail / max(float(detail.std()), 1e-6)
    return np.maximum(np.where(head, gain, 1.0), 0.0)


def _shading(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return a smooth gain: uneven excitation, and coils brighter near them."""
    field = smooth_field(shape, rng, rng.uniform(1, 2.5))
    return np.exp(rng.uniform(0, 0.3) * field)


def _spots(water: Array, head: Array, rng: np.random.Generator) -> Array:
    """Overlay sharp-edged ellipses: eyes, sinuses, lesions, and vessels of a pixel or two."""
    places = np.argwhere(head)
    if not places.size:
        return water
    water = water.copy()
    for _ in range(rng.integers(0, 12)):
        centre = places[rng.integers(len(places))]
        half = np.exp(rng.uniform(np.log(1.2), np.log(20), 2))
        reach = int(np.ceil(half.max())) + 1
        box = tuple(slice(max(c - reach, 0), c + reach + 1) for c in centre)
        y, x = np.meshgrid(*(np.arange(s.start, min(s.stop, n)) - c for s, n, c in
                             zip(box, head.shape, centre, strict=True)), indexing="ij")  # fmt: skip
        angle = rng.uniform(0, np.pi)
        along = (y * np.cos(angle) + x * np.sin(angle)) / half[0]
        across = (x * np.cos(angle) - y * np.sin(angle)) / half[1]
        amount = np.clip((1 - np.hypot(along, across)) * half.min() + 0.5, 0, 1)
        opacity = amount * rng.uniform(0.2, 1.0) * head[box]
        water[box] += opacity * (rng.uniform(0, 1.2) - water[box])
    return water


def _normalise(image: Array) -> Array:
    return image / max(float(np.abs(image).max()), 1e-12)
