"""Axes of what is looked at: their names, which of them are space, and their physical size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Axes", "named_axes"]

_SPACE = ("z", "y", "x")
_TIME = ("t", "time", "frame")


@dataclass(frozen=True)
class Axes:
    """Names and roles of axes.

    Attributes:
        shape: Their lengths.
        names: Their names, all different.
        space: Those of space, or of k-space, in order.
        shown: The one that goes down and the one that goes right.
        volume: (z, y, x), None where one is missing or of length 1.
        spacing: Physical size of a voxel along each, 1 where it is not known.
        units: Unit of each of `spacing`, "" where it is not known.
    """

    shape: tuple[int, ...]
    names: tuple[str, ...]
    space: tuple[int, ...]
    shown: tuple[int, int]
    volume: tuple[int, int, int] | None
    spacing: tuple[float, ...]
    units: tuple[str, ...]

    @property
    def start(self) -> tuple[int, ...]:
        """Where each is cut at first: space in the middle, others at their beginning."""
        return tuple(n // 2 if a in self.space else 0 for a, n in enumerate(self.shape))

    @property
    def time(self) -> int | None:
        """The axis of time, if there is one to play."""
        found = [a for a, name in enumerate(self.names) if name.lower() in _TIME]
        return next((a for a in found if self.shape[a] > 1), None)


def named_axes(
    where: str,
    shape: Sequence[int],
    names: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "",
) -> Axes:
    """Axes of an array of two axes or more.

    Args:
        where: Function that is called, for errors.
        shape: Their lengths.
        names: Their names; those named x, y and z, or kx, ky and kz, are space. None names the last
            three so, and the others by number.
        spacing: Size of a voxel along each axis of space, or one for all; None is not known.
        unit: Unit of `spacing`.

    Raises:
        ValueError: If there are not as many names as axes, two are alike, or `spacing` does not
            fit.
    """
    ndim = len(shape)
    names = tuple(names or _usual(ndim))
    if len(names) != ndim or len(set(names)) != ndim:
        raise ValueError(
            f"{where}: `axes` must be {ndim} different names, for shape {tuple(shape)}, got "
            f"{names}. Name each axis once."
        )
    place = {name.lower().removeprefix("k"): a for a, name in enumerate(names)}
    space = tuple(sorted(place[s] for s in _SPACE if s in place))
    shown = (place["y"], place["x"]) if {"x", "y"} <= place.keys() else (ndim - 2, ndim - 1)
    full = len(space) == 3 and all(shape[a] > 1 for a in space)
    return Axes(
        shape=tuple(shape),
        names=names,
        space=space or shown,
        shown=shown,
        volume=(place["z"], place["y"], place["x"]) if full else None,
        spacing=_spacing(where, space or shown, ndim, spacing),
        units=tuple(
            unit if spacing is not None and a in (space or shown) else "" for a in range(ndim)
        ),
    )


def _usual(ndim: int) -> tuple[str, ...]:
    n = min(ndim, 3)
    return tuple(f"axis {a}" for a in range(ndim - n)) + _SPACE[3 - n :]


def _spacing(
    where: str, space: tuple[int, ...], ndim: int, spacing: float | Sequence[float] | None
) -> tuple[float, ...]:
    sizes = np.atleast_1d(np.asarray(1.0 if spacing is None else spacing, np.float64))
    if sizes.shape == (1,):
        sizes = np.repeat(sizes, len(space))
    if sizes.shape != (len(space),) or not np.all((sizes > 0) & np.isfinite(sizes)):
        raise ValueError(
            f"{where}: `spacing` must be a positive number, or one for each of {len(space)} axes "
            f"of space, got {spacing}. Give the size of a voxel."
        )
    found = [1.0] * ndim
    for a, size in zip(space, sizes, strict=True):
        found[a] = float(size)
    return tuple(found)
