"""Non-Cartesian samplings of example data: trajectories, density weights, and k-space."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from reconic._array import Array
from reconic._kernels.nufft import nufft
from reconic.calibrate import ramp, voronoi
from reconic.simulate.trajectories import epi, radial, rosette, spiral

__all__ = ["SAMPLINGS", "random_sampling", "sample"]

_OVERSAMPLED = 2  # readouts, as is usual
_DENSITY = 1.5  # of spirals: denser at the centre
_INTERLEAVES = 48  # that would sample a spiral's edge without gaps
_TOL = 1e-6  # of the simulated samples, far below their noise


def _spiral(n: int, size: int, start: float) -> Array:
    n_turns = _DENSITY * size / (2 * _INTERLEAVES)
    length = 2 * math.pi * n_turns * size / (1 + _DENSITY) / 2  # of an interleaf, in samples
    return spiral(n, math.ceil(_OVERSAMPLED * length), n_turns, _DENSITY, start=start)


def _epi(n: int, size: int, start: float) -> Array:
    shift = np.array([(start - math.pi * (n % 2)) / n, 0.0])  # part of the distance of the lines
    return epi(n, _OVERSAMPLED * size) + shift


SAMPLINGS: dict[str, Callable[[int, int, float], Array]] = {  # spokes, image size, first angle
    "radial": lambda n, size, start: radial(n, _OVERSAMPLED * size, start=start),
    "radial-linear": lambda n, size, start: radial(
        n, _OVERSAMPLED * size, order="linear", start=start
    ),
    "spiral": _spiral,
    "rosette": lambda n, size, start: rosette(n, 2 * _OVERSAMPLED * size, start=start),
    "epi": _epi,
}


def random_sampling(
    trajectory: str, shape: tuple[int, int], spokes: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Trajectory, turned by a random angle (EPI's lines are shifted), and its density weights.

    Args:
        trajectory: Name in `SAMPLINGS`; "radial" is in golden-angle order.
        shape: Image shape ``(ny, nx)``.
        spokes: Number of spokes, interleaves, petals or lines.
        rng: Source of randomness.

    Returns:
        ``traj (spoke, readout, 2)`` in rad/voxel and ``dcf (spoke, readout)``, float32.
    """
    traj = SAMPLINGS[trajectory](spokes, max(shape), rng.uniform(0, 2 * math.pi))
    return {"traj": traj.astype(np.float32), "dcf": _density(trajectory, shape, spokes)}


@functools.lru_cache
def _density(trajectory: str, shape: tuple[int, int], spokes: int) -> Array:
    """Density weights, which a turn or a shift leaves as they are."""
    weigh = ramp if trajectory.startswith("radial") else voronoi
    return weigh(SAMPLINGS[trajectory](spokes, max(shape), 0.0), shape).astype(np.float32)


def sample(images: Array, traj: Array) -> Array:
    """Samples (many, spoke, readout) of the orthonormal transform of images (many, ny, nx)."""
    flat = traj.reshape(-1, traj.shape[-1]).astype(np.float64)
    y = nufft(images.astype(np.complex128), flat, _TOL) / math.sqrt(math.prod(images.shape[1:]))
    return y.reshape(len(images), *traj.shape[:-1])
