"""What surrounds a brain: fluid, skull with marrow, muscle, fat and skin."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.fields import smooth_field

_HULL_MM = 40.0  # dents narrower than twice this are bridged
_SMOOTH_MM = 4.0


@dataclasses.dataclass(frozen=True)
class Layers:
    """Fractions of each tissue in every pixel, between 0 and 1; they add up to at most 1."""

    fluid: Array
    bone: Array
    marrow: Array
    muscle: Array
    fat: Array
    skin: Array


def scalp_layers(brain: Array, pixel: float, rng: np.random.Generator) -> Layers:
    """Wrap layers of random, varying thickness around a slice of brain.

    Args:
        brain: Fraction of brain in every pixel, ``(ny, nx)``.
        pixel: Size of a pixel, in mm.
        rng: Source of randomness.

    Returns:
        The layers outside of the brain: fluid next to it and between its parts, then bone around
        marrow, sometimes muscle, fat, and skin.
    """
    shape = brain.shape
    outside = _distance(brain, pixel) * (1 + 0.1 * smooth_field(shape, rng, 2.0).clip(-2, 2))
    cover = np.clip(outside / pixel + 0.5, 0, 1)  # 0 inside the hull of the brain, 1 outside
    edges = [cover]
    depth = np.zeros(shape)
    for thickness, variation in _thicknesses(rng):
        field = smooth_field(shape, rng, rng.uniform(1, 4)).clip(-2.5, 2.5)
        depth = depth + thickness * np.maximum(1 + variation * field, 0)
        edges.append(np.clip((outside - depth) / pixel + 0.5, 0, 1))
    rim, bone, marrow, table, muscle, fat, skin = (
        (inner - outer) * (1 - brain) for inner, outer in itertools.pairwise(edges)
    )
    fluid = (1 - cover) * (1 - brain) + rim
    return Layers(fluid, bone + table, marrow, muscle, fat, skin)


def _thicknesses(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Draw (mm, relative variation) of fluid, bone, marrow, bone, muscle, fat and skin."""
    has_marrow, has_muscle = rng.uniform(size=2) < (0.6, 0.4)
    return [
        (rng.uniform(0.5, 4), 0.3),
        (rng.uniform(1, 3), 0.2),
        (has_marrow * rng.uniform(0.5, 4), 0.5),
        (rng.uniform(1, 3), 0.2),
        (has_muscle * rng.uniform(1, 8), 0.6),
        (rng.uniform(1, 8), 0.35),
        (rng.uniform(0.8, 2), 0.1),
    ]


def _distance(brain: Array, pixel: float) -> Array:
    """Return the distance in mm from the hull of the brain, negative inside.

    The hull closes gaps of up to some centimetres. Computed on every second pixel: it is smooth.
    """
    gap = _HULL_MM / (2 * pixel)
    margin = int(np.ceil(gap)) + 1
    coarse = np.pad(brain[::2, ::2] > 0.5, margin, mode="edge")  # a brain may leave the image
    if not coarse.any():
        return np.full(brain.shape, np.inf)
    to_brain: Array = ndimage.distance_transform_edt(~coarse)
    dilated = to_brain < gap
    if dilated.all():
        return np.full(brain.shape, -np.inf)
    to_edge: Array = ndimage.distance_transform_edt(dilated)
    hull = coarse | (to_edge > gap)
    outside, inside = (ndimage.distance_transform_edt(part) for part in (~hull, hull))
    signed: Array = outside - inside  # type: ignore[operator]
    signed = signed - 0.5 * np.sign(signed)  # the border lies between the pixels on either side
    smooth = ndimage.gaussian_filter(signed, _SMOOTH_MM / (2 * pixel))
    smooth = smooth[margin:-margin, margin:-margin]
    factors = [n / m for n, m in zip(brain.shape, smooth.shape, strict=True)]
    return ndimage.zoom(smooth, factors, order=1) * 2 * pixel
