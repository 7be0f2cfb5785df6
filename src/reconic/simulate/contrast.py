"""Brightness of tissues: from a volume and a plane to the signals of water and fat."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from reconic._array import Array
from reconic.simulate.scalp import scalp_layers
from reconic.simulate.volumes import Volume

# grey matter, white matter, fluid, muscle, fat, skin
_CONTRASTS = {
    "T1": (0.55, 0.80, 0.15, 0.50, 1.30, 0.60),
    "T2": (0.60, 0.45, 1.20, 0.30, 0.80, 0.40),
    "PD": (0.90, 0.70, 0.95, 0.60, 0.90, 0.60),
    "FLAIR": (0.80, 0.60, 0.10, 0.40, 0.80, 0.50),
}


def paint(
    volume: Volume, points: Array, pixel: float, rng: np.random.Generator, p_scalp: float
) -> tuple[Array, Array]:
    """Sample a volume under every pixel and give it a random contrast.

    Args:
        volume: The head. Where its tissues are unknown its own contrast is only bent a little.
        points: Place of every pixel, in voxels, ``(3, ny, nx)``.
        pixel: Size of a pixel, in mm.
        rng: Source of randomness.
        p_scalp: Probability that a brain of known tissues gets a scalp.

    Returns:
        Signals of water and of fat, real ``(ny, nx)``, of order 1.
    """
    if not volume.has_tissues:
        signal = _sample(volume.intensity, points) / float(volume.intensity.max())
        return signal ** rng.uniform(0.6, 1.4), np.zeros_like(signal)
    template = _sample(volume.intensity, points) / 255
    brain = np.clip(template / 0.1, 0, 1)
    grey, white, fluid = _tissues(volume, points, brain, rng)
    kind = str(rng.choice([*_CONTRASTS, "random"], p=(0.4, 0.2, 0.1, 0.1, 0.2)))
    if kind == "random":
        levels = rng.uniform(0.05, 1.2, 6)
    else:
        levels = np.array(_CONTRASTS[kind]) * rng.uniform(0.8, 1.2, 6)
    water = levels[0] * grey + levels[1] * white + levels[2] * fluid
    if kind == "T1" and rng.uniform() < 0.5:
        water = 0.85 * template
    if rng.uniform() < p_scalp:
        return _add_scalp(water, brain, pixel, levels, rng)
    return water, np.zeros_like(water)


def _sample(values: Array, points: Array) -> Array:
    return ndimage.map_coordinates(values, points, output=np.float32, order=1)


def _tissues(
    volume: Volume, points: Array, brain: Array, rng: np.random.Generator
) -> tuple[Array, ...]:
    """Sample grey matter, white matter and fluid, with the blurred borders made crisp.

    The template is a mean of many heads; raising its probabilities to a power restores the edges
    that one head has.
    """
    grey, white = (_sample(v, points) / 255 for v in (volume.grey, volume.white))
    power = rng.uniform(1.0, 6.0)
    raised = [t**power for t in (grey, white, np.clip(brain - grey - white, 0, 1))]
    total = np.maximum(sum(raised), 1e-6)
    return tuple(brain * r / total for r in raised)


def _add_scalp(
    water: Array, brain: Array, pixel: float, levels: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    layers = scalp_layers(brain, pixel, rng)
    water = water + levels[2] * layers.fluid + rng.uniform(0.0, 0.08) * layers.bone
    water = water + levels[3] * layers.muscle + levels[5] * layers.skin
    suppression = rng.uniform(0.05, 0.3) if rng.uniform() < 0.2 else 1.0
    level = levels[4] * rng.uniform(0.7, 1.6) * suppression
    return water, level * (layers.fat + rng.uniform(0.2, 0.8) * layers.marrow)
