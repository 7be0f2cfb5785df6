"""Non-Cartesian samplings of example data: trajectories, density weights, and k-space."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from reconic._array import Array, fftc
from reconic._kernels.nufft import nufft
from reconic.calibrate import ramp, voronoi
from reconic.simulate.trajectories import epi, koosh_ball, radial, rosette, spiral

__all__ = ["SAMPLINGS", "VOLUMES", "check_shape", "random_sampling", "sample", "trajectory_of"]

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


def _koosh(n: int, size: int, start: float) -> Array:
    z, y, x = np.moveaxis(koosh_ball(n, _OVERSAMPLED * size), -1, 0)
    cos, sin = math.cos(start), math.sin(start)
    return np.stack([z, cos * y + sin * x, cos * x - sin * y], axis=-1)


SAMPLINGS: dict[str, Callable[[int, int, float], Array]] = {  # spokes, image size, first angle
    "radial": lambda n, size, start: radial(n, _OVERSAMPLED * size, start=start),
    "radial-linear": lambda n, size, start: radial(
        n, _OVERSAMPLED * size, order="linear", start=start
    ),
    "spiral": _spiral,
    "rosette": lambda n, size, start: rosette(n, 2 * _OVERSAMPLED * size, start=start),
    "epi": _epi,
    "koosh-ball": _koosh,
    "stack-of-stars": lambda n, size, start: radial(n, _OVERSAMPLED * size, start=start),
    "stack-of-spirals": _spiral,
}
VOLUMES = ("koosh-ball", "stack-of-stars", "stack-of-spirals")  # those of three axes of space


def check_shape(where: str, shape: tuple[int, ...], trajectory: str) -> None:
    """Check that images of a shape are of the trajectory's dimensions.

    Raises:
        ValueError: If they are not, or are too small.
    """
    n, axes, least = (3, "(nz, ny, nx)", 8) if trajectory in VOLUMES else (2, "(ny, nx)", 32)
    if len(shape) != n or min(shape) < least:
        other = ", ".join(VOLUMES) if n == 2 else "radial, spiral and others"
        raise ValueError(
            f"{where}: `shape` must be {axes}, each at least {least}, for {trajectory}, got "
            f"{shape}. Give {n} sizes; trajectories of {5 - n}-D images are {other}."
        )


def trajectory_of(name: str, shape: tuple[int, ...], spokes: int, start: float = 0.0) -> Array:
    """Trajectory for images of a shape; that of a plane for stacks, whose planes are alike."""
    plane = shape[-2:] if name.startswith("stack") else shape
    return SAMPLINGS[name](spokes, max(plane), start)


def random_sampling(
    trajectory: str, shape: tuple[int, ...], spokes: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Trajectory, turned by a random angle (EPI's lines are shifted), and its density weights.

    Args:
        trajectory: Name in `SAMPLINGS`; "radial" is in golden-angle order.
        shape: Image shape ``([nz,] ny, nx)``.
        spokes: Number of spokes, interleaves, petals or lines.
        rng: Source of randomness.

    Returns:
        ``traj (spoke, readout, n)`` in rad/voxel, n 3 for a koosh ball and else 2, and ``dcf
        (spoke, readout)``, float32.
    """
    traj = trajectory_of(trajectory, shape, spokes, rng.uniform(0, 2 * math.pi))
    return {"traj": traj.astype(np.float32), "dcf": _density(trajectory, shape, spokes)}


@functools.lru_cache
def _density(trajectory: str, shape: tuple[int, ...], spokes: int) -> Array:
    """Density weights, which a turn or a shift leaves as they are."""
    weigh = voronoi if trajectory.endswith(("spiral", "spirals", "rosette", "epi")) else ramp
    traj = trajectory_of(trajectory, shape, spokes)
    return weigh(traj, shape[-traj.shape[-1] :]).astype(np.float32)


def sample(images: Array, traj: Array) -> Array:
    """Samples (many, [partition,] spoke, readout) of the orthonormal transform of images.

    Images (many, [nz,] ny, nx); along axes that the trajectory lacks k-space is Cartesian.
    """
    n = traj.shape[-1]
    space = images.shape[-n:]
    planes = fftc(images, tuple(range(1, images.ndim - n))) if images.ndim > n + 1 else images
    flat = traj.reshape(-1, n).astype(np.float64)
    y = nufft(planes.reshape(-1, *space).astype(np.complex128), flat, _TOL)
    return y.reshape(*images.shape[:-n], *traj.shape[:-1]) / math.sqrt(math.prod(space))
