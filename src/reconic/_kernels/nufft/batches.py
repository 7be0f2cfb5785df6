"""Batches of arrays and trajectories as a FINUFFT plan takes them: many arrays per trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reconic._array import Array, array_namespace, eps, real_dtype

__all__ = ["Fold", "oversampling", "precision"]

_MARGIN = 0.6  # FINUFFT's error reaches 1.7 of what is asked for on its smaller fine grid, 2-norms


def precision(tol: float, data: Array) -> float:
    """What to ask FINUFFT for, to stay within `tol`; no less than the dtype can reach."""
    return max(_MARGIN * tol, 2 * eps(data))


def oversampling(double: bool) -> float:
    """Of the fine grid; 0 lets FINUFFT choose.

    In single precision the wide kernels of its smaller grid cancel: of a radial scan the error was
    2e-4 where 1e-4 was asked for, and 5e-6 on the larger grid in the same time.
    """
    return 0.0 if double else 2.0


@dataclass(frozen=True)
class Fold:
    """Batch axes of data (*batch, many, *core) and of a trajectory (*batch, m, n), folded.

    Axes along which the trajectory varies become one leading axis, the others join `many`.

    Attributes:
        batch: The axes that both broadcast to.
        order: The same axes by number, those along which the trajectory varies first.
        n_own: Number of the latter.
        many: Length of `many`.
    """

    batch: tuple[int, ...]
    order: tuple[int, ...]
    n_own: int
    many: int

    @classmethod
    def of(cls, data: Array, traj: Array, n_core: int) -> Fold:
        """Fold of `data` with `n_core` axes after `many`."""
        given = tuple(traj.shape[:-2])
        batch = np.broadcast_shapes(tuple(data.shape[: -n_core - 1]), given)
        lengths = (1,) * (len(batch) - len(given)) + given
        own = [i for i, n in enumerate(lengths) if n != 1]
        shared = [i for i, n in enumerate(lengths) if n == 1]
        return cls(batch, (*own, *shared), len(own), data.shape[-n_core - 1])

    def data(self, data: Array, n_core: int) -> Array:
        """Data as (n_trajectories, many · shared, *core)."""
        xp = array_namespace(data)
        core = tuple(data.shape[data.ndim - n_core :])
        data = xp.broadcast_to(data, (*self.batch, self.many, *core))
        rest = range(len(self.batch), data.ndim)
        lead = math.prod(self.batch[i] for i in self.order[: self.n_own])
        shared = math.prod(self.batch[i] for i in self.order[self.n_own :])
        return xp.reshape(
            xp.permute_dims(data, (*self.order, *rest)), (lead, shared * self.many, *core)
        )

    def traj(self, traj: Array, like: Array) -> Array:
        """Trajectories as (n_trajectories, m, n), in the precision of `like`."""
        xp = array_namespace(traj)
        lengths = (1,) * (len(self.batch) - traj.ndim + 2) + tuple(traj.shape[:-2])
        own = tuple(lengths[i] for i in self.order[: self.n_own])
        flat = xp.reshape(traj, (math.prod(own), *traj.shape[-2:]))
        return xp.astype(flat, real_dtype(like), copy=False)

    def unfold(self, data: Array) -> Array:
        """Data (n_trajectories, many · shared, *core) as (*batch, many, *core)."""
        xp = array_namespace(data)
        core = tuple(data.shape[2:])
        data = xp.reshape(data, (*(self.batch[i] for i in self.order), self.many, *core))
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return xp.permute_dims(data, (*back, *range(len(self.batch), data.ndim)))
