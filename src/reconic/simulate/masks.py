"""Sampling masks: lines of k-space and variable-density Poisson discs, centred at n // 2."""

from __future__ import annotations

import functools
import math

import numpy as np

from reconic._array import Array
from reconic.simulate.fields import radius_squared

_TRIALS = 12  # of the discs' size, at most; two or three are usual
_EXCESS = 0.03  # samples thrown beyond those wanted, dropped at random afterwards
_PACKING = 0.7  # discs of radius r thrown until none fits: about 0.7 / r^2 per sample


def uniform_1d(
    shape: tuple[int, int], acceleration: float, n_calib: int = 24, axis: int = 0
) -> Array:
    """Mask of whole lines, evenly spaced outside a fully sampled centre.

    Args:
        shape: k-space shape ``(ny, nx)``.
        acceleration: Lines in all divided by lines sampled, the centre included.
        n_calib: Fully sampled lines at the centre.
        axis: Axis along which lines are skipped; 0 keeps or skips whole rows.

    Returns:
        Mask of `shape`, float32, with exactly ``round(shape[axis] / acceleration)`` lines.

    Raises:
        ValueError: If the centre alone has more lines than that, or an argument is out of range.
    """
    lines, n_extra = _centre_lines("uniform_1d", shape, acceleration, n_calib, axis)
    outside = np.flatnonzero(lines == 0)
    lines[outside[((np.arange(n_extra) + 0.5) * outside.size / max(n_extra, 1)).astype(int)]] = 1
    return _spread(lines, shape, axis)


def variable_density_1d(
    shape: tuple[int, int],
    acceleration: float,
    n_calib: int = 24,
    axis: int = 0,
    *,
    rng: np.random.Generator,
    power: float = 3.0,
) -> Array:
    """Mask of whole lines, drawn with a density that falls away from a fully sampled centre.

    Args:
        shape: k-space shape ``(ny, nx)``.
        acceleration: Lines in all divided by lines sampled, the centre included.
        n_calib: Fully sampled lines at the centre.
        axis: Axis along which lines are skipped; 0 keeps or skips whole rows.
        rng: Source of randomness.
        power: Exponent p of the density ``(1 - |k|)^p``, k = 1 at the edge; 0 is uniform.

    Returns:
        Mask of `shape`, float32, with exactly ``round(shape[axis] / acceleration)`` lines.

    Raises:
        ValueError: If the centre alone has more lines than that, or an argument is out of range.

    References:
        Lustig et al., MRM 58:1182 (2007), "Choice of sampling patterns" (polynomial density).
    """
    lines, n_extra = _centre_lines("variable_density_1d", shape, acceleration, n_calib, axis)
    k = np.abs(np.arange(lines.size) - lines.size // 2) / (lines.size / 2)
    weight = np.where(lines == 0, np.maximum(1 - k, 0.5 / lines.size) ** power, 0.0)
    if n_extra:
        lines[rng.choice(lines.size, n_extra, replace=False, p=weight / weight.sum())] = 1
    return _spread(lines, shape, axis)


def poisson_disc(
    shape: tuple[int, int],
    acceleration: float,
    n_calib: int = 24,
    *,
    rng: np.random.Generator,
    ellipse: bool = True,
    slope: float = 3.5,
) -> Array:
    """Variable-density Poisson-disc mask: random samples, none nearer to another than a disc.

    The disc's radius grows linearly with the distance from the centre; its scale is searched for,
    and what exceeds the wanted number is dropped at random (which keeps the distances).

    Args:
        shape: k-space shape ``(ny, nx)``.
        acceleration: Samples of the full grid divided by samples taken, the centre and the
            unsampled corners included.
        n_calib: Side of the fully sampled centre square, in samples.
        rng: Source of randomness.
        ellipse: Leave out the corners beyond the ellipse that touches the edges.
        slope: Radius at the edge over radius at the centre, less 1; 0 is a uniform density.

    Returns:
        Mask of `shape`, float32, with ``round(ny nx / acceleration)`` samples.

    Raises:
        ValueError: If the centre alone has more samples than that, the ellipse has fewer, or an
            argument is out of range.

    References:
        Bridson, SIGGRAPH sketches (2007) (Poisson discs); here in dart-throwing order on the grid,
        Cook, ACM Trans Graph 5:51 (1986).
    """
    where = "poisson_disc"
    _check(where, shape, acceleration, n_calib)
    if n_calib > min(shape):
        raise ValueError(
            f"{where}: `n_calib` must be at most the smaller side {min(shape)}, got {n_calib}."
        )
    radius2 = radius_squared(shape)
    allowed = radius2 <= 1 if ellipse else np.ones(shape, dtype=bool)
    centre = np.zeros(shape, dtype=bool)
    centre[tuple(_centre(n, n_calib) for n in shape)] = True
    n_target = round(allowed.size / acceleration)
    n_extra = n_target - int(centre.sum())
    allowed &= ~centre
    if n_extra < 0 or n_extra > allowed.sum():
        raise ValueError(
            f"{where}: `acceleration` must leave between {centre.sum()} samples (the centre) and "
            f"{centre.sum() + allowed.sum()} of {allowed.size}, got {acceleration} "
            f"({n_target} samples). Change `acceleration`, `n_calib` or `ellipse`."
        )
    taken = _discs(np.sqrt(radius2) * slope + 1, allowed, n_extra, rng)
    centre.flat[rng.choice(taken, n_extra, replace=False)] = True
    return centre.astype(np.float32)


def _discs(profile: Array, allowed: Array, n_wanted: int, rng: np.random.Generator) -> Array:
    """Throw darts with the largest discs that still give `n_wanted`; return flat indices."""
    order = rng.permutation(np.flatnonzero(allowed))
    best = order
    low, high = 1.0 / float(profile.max()), float(max(profile.shape))  # a disc of 1 blocks nothing
    scale = np.sqrt(_PACKING * np.mean(profile[allowed] ** -2.0) * order.size / max(n_wanted, 1))
    for _ in range(_TRIALS):
        if not low < scale < high:
            scale = np.sqrt(low * high)
        taken = throw_darts(np.maximum(profile * scale, 1.0), order)
        if taken.size < n_wanted:
            high = scale
        else:
            low, best = scale, taken
            if taken.size <= (1 + _EXCESS) * n_wanted:
                break
        scale = scale * np.sqrt(taken.size / ((1 + _EXCESS / 2) * n_wanted))
    return best


def throw_darts(radius: Array, order: Array) -> Array:
    """Take the samples in turn, each unless it lies within the disc of one taken before.

    Args:
        radius: Disc radius of every sample of the grid, in samples.
        order: Flat indices of the samples to try, in this order.

    Returns:
        Flat indices of the samples taken; any two are at least the smaller of their radii apart.
    """
    reach = int(np.ceil(radius.max()))
    ny, nx = radius.shape
    width = nx + 2 * reach
    squared = np.ceil(radius**2).astype(int)  # blocked: squared distances below this
    discs = {
        n: [(dy * width - half, bytes(2 * half + 1)) for dy, half in _rows(n)]
        for n in np.unique(squared).tolist()
    }
    free = bytearray(b"\x01") * (width * (ny + 2 * reach))
    padded = (order // nx + reach) * width + order % nx + reach
    taken = []
    for index, place, size in zip(
        order.tolist(), padded.tolist(), squared.ravel()[order].tolist(), strict=True
    ):
        if free[place]:
            taken.append(index)
            for start, zeros in discs[size]:
                free[place + start : place + start + len(zeros)] = zeros
    return np.array(taken, dtype=int)


@functools.lru_cache(maxsize=4096)
def _rows(squared: int) -> tuple[tuple[int, int], ...]:
    """List the rows (dy, half-width) of samples nearer than the root of `squared`."""
    reach = math.isqrt(squared - 1)
    return tuple((dy, math.isqrt(squared - dy**2 - 1)) for dy in range(-reach, reach + 1))


def _centre(n: int, n_calib: int) -> slice:
    start = n // 2 - n_calib // 2
    return slice(start, start + n_calib)


def _check(where: str, shape: tuple[int, int], acceleration: float, n_calib: int) -> None:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"{where}: `shape` must be two positive sizes (ny, nx), got {shape}.")
    if not acceleration >= 1:
        raise ValueError(f"{where}: `acceleration` must be at least 1, got {acceleration}.")
    if n_calib < 0:
        raise ValueError(f"{where}: `n_calib` must be at least 0, got {n_calib}.")


def _centre_lines(
    where: str, shape: tuple[int, int], acceleration: float, n_calib: int, axis: int
) -> tuple[Array, int]:
    """Return the lines with the centre set, and how many more are to be set."""
    _check(where, shape, acceleration, n_calib)
    if axis not in (0, 1, -1, -2):
        raise ValueError(f"{where}: `axis` must be 0 or 1, got {axis}.")
    n_lines = round(shape[axis] / acceleration)
    if n_lines < max(n_calib, 1):
        raise ValueError(
            f"{where}: `n_calib` must be at most the {n_lines} lines that acceleration "
            f"{acceleration} leaves of {shape[axis]}, got {n_calib}. Lower one of the two."
        )
    lines = np.zeros(shape[axis], dtype=np.float32)
    lines[_centre(shape[axis], n_calib)] = 1
    return lines, n_lines - n_calib


def _spread(lines: Array, shape: tuple[int, int], axis: int) -> Array:
    column = lines[:, None] if axis in (0, -2) else lines[None, :]
    return np.ascontiguousarray(np.broadcast_to(column, shape))
