"""Trajectories on a grid of k-space: where they pass, in what order, and how densely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reconic.view.lazy import host

__all__ = ["Acquired", "Paths"]

_CELLS = {2: 256, 3: 96}  # along each axis
_FRAMES = 64
_FINEST = 64  # points between two samples, at most


@dataclass(frozen=True)
class Paths:
    """Paths through k-space.

    Attributes:
        points: (path, sample, ndim) in rad/voxel, in the order they are acquired in.
        n: Cells along each axis of the grid, from -π to π; the centre is n // 2.
        notes: What is wrong or unexpected, each in a line.
    """

    points: np.ndarray
    n: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, traj: Any, n: int | None = None) -> Paths:
        """Paths of a trajectory ([frames,] [spoke, readout,] ndim); without spokes, of its samples.

        Raises:
            TypeError: If `traj` is not real.
            ValueError: If it has no samples, or `ndim` is not 2 or 3.
        """
        k = np.asarray(host(traj))
        if k.dtype.kind == "c":
            raise TypeError(
                f"trajectory: `traj` must be real, got {k.dtype}. Stack real and imaginary part as "
                "the last axis."
            )
        if k.ndim < 2 or k.shape[-1] not in _CELLS or k.size == 0:
            raise ValueError(
                f"trajectory: `traj` must have shape ([frames,] [spoke, readout,] ndim) with ndim "
                f"2 or 3, got {k.shape}. Move the axis of coordinates to the end."
            )
        n_samples = k.shape[-2] if k.ndim > 2 else 1
        points = k.reshape(-1, n_samples, k.shape[-1]).astype(np.float64)
        return cls(points, n or _CELLS[k.shape[-1]], _notes(points))

    @property
    def ndim(self) -> int:
        """Dimensions of k-space."""
        return self.points.shape[-1]

    def first_visits(self) -> np.ndarray:
        """Number of the path, from 1 on, that passes a cell first, else 0; (n,) * ndim."""
        fine = self._joined()
        number = np.repeat(np.arange(1, len(fine) + 1), fine.shape[1])
        flat = fine.reshape(-1, self.ndim)
        kept = np.isfinite(flat).all(-1)
        grid = np.zeros((self.n,) * self.ndim, np.float32)
        grid[self._cells(flat[kept][::-1])] = number[kept][::-1]  # of several the last counts
        return grid

    def density(self) -> np.ndarray:
        """Number of samples in each cell; (n,) * ndim."""
        flat = self.points.reshape(-1, self.ndim)
        grid = np.zeros((self.n,) * self.ndim, np.float32)
        np.add.at(grid, self._cells(flat[np.isfinite(flat).all(-1)]), 1)
        return grid

    def largest(self, values: np.ndarray) -> np.ndarray:
        """Largest of the values (path, sample) in each cell, 0 where there is none; (n,) * ndim."""
        flat = self.points.reshape(-1, self.ndim)
        kept = np.isfinite(flat).all(-1)
        grid = np.zeros((self.n,) * self.ndim, np.float32)
        np.maximum.at(grid, self._cells(flat[kept]), np.ravel(values)[kept])
        return grid

    def _joined(self) -> np.ndarray:
        """Points so close along each path that it has no gap on the grid."""
        steps = np.diff(self.points, axis=1)
        longest = float(np.max(np.abs(np.nan_to_num(steps)), initial=0.0)) * self.n / (2 * np.pi)
        finer = min(max(1, math.ceil(longest)), _FINEST)
        between = np.arange(finer)[:, None] / finer
        lines = self.points[:, :-1, None] + between * steps[:, :, None]
        joined = lines.reshape(len(lines), -1, self.ndim)
        return np.concatenate([joined, self.points[:, -1:]], axis=1)

    def _cells(self, points: np.ndarray) -> tuple[np.ndarray, ...]:
        cells = np.round(points * (self.n / (2 * np.pi))).astype(int) + self.n // 2
        return tuple(np.clip(cells, 0, self.n - 1).T)


class Acquired:
    """First visits of cells as they come: frame after frame more paths, 0 where none was yet.

    Args:
        first: Number of the path that passes a cell first, 0 where none does.
        n_paths: Number of paths.
    """

    def __init__(self, first: np.ndarray, n_paths: int) -> None:
        n = min(n_paths, _FRAMES)
        self._first, self._last = first, np.round(np.linspace(n_paths / n, n_paths, n))
        self.shape = (n, *first.shape)
        self.dtype = first.dtype

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        first, last = self._first[tuple(key[1:])], self._last[key[0]]
        last = np.reshape(last, np.shape(last) + (1,) * np.ndim(first))
        return np.where(first <= last, first, np.float32(0))


def _notes(points: np.ndarray) -> tuple[str, ...]:
    """Whether samples are missing, or the unit looks like another one than rad/voxel."""
    found = []
    finite = np.isfinite(points).all(-1)
    if bad := int(np.sum(~finite)):
        found.append(f"{bad} of {finite.size} samples are NaN or Inf: left out.")
    largest = float(np.max(np.abs(points[finite]), initial=0.0))
    if largest > np.pi * 1.01:
        found.append(
            f"Reaches {largest:.4g} rad/voxel, beyond π: drawn at the edge. In 1/fov? Multiply by "
            "2π/N."
        )
    elif 0 < largest <= 0.51 and finite.size > 1:
        found.append(f"Reaches only {largest:.4g} rad/voxel. In cycles/voxel? Multiply by 2π.")
    return tuple(found)
