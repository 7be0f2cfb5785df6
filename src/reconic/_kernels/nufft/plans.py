"""Plans of FINUFFT, kept for the next transform along the same trajectory."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from reconic._array import Array, array_namespace, contiguous, device, to_numpy
from reconic._kernels.nufft.batches import Fold, precision

__all__ = ["Plan", "Plans", "Shape", "cache", "threads", "transform"]

Shape = tuple[int, ...]


@dataclass
class Plan:
    """A plan with its points set.

    Attributes:
        run: `run(source, out, adjoint)` transforms many arrays.
        traj: Trajectory (m, n) of the points, a copy that nothing else can write to.
        size: Memory it holds, in samples.
    """

    run: Callable[[Array, Array, bool], Any]
    traj: Array
    size: int


class Plans:
    """Idle plans, the least recently used dropped first.

    A plan is taken out while it runs, so that threads never share one. A plan serves a trajectory
    only if its own copy has the same values: no in-place change goes unseen, and equal trajectories
    share plans wherever they lie.

    Args:
        limit: Largest sum of the sizes of idle plans; the last one used stays in any case.
    """

    def __init__(self, limit: int = 2**24) -> None:
        self.limit = limit
        self._idle: OrderedDict[Hashable, Plan] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable, traj: Array) -> Plan | None:
        """Idle plan of `key` for just this trajectory, if there is one."""
        with self._lock:
            plan = self._idle.pop(key, None)
        if plan is None or not array_namespace(traj).all(plan.traj == traj):
            return None
        return plan

    def give(self, key: Hashable, plan: Plan) -> None:
        """Keep a plan that has run."""
        with self._lock:
            self._idle[key] = plan
            self._idle.move_to_end(key)
            total = sum(p.size for p in self._idle.values())
            while total > self.limit and len(self._idle) > 1:
                total -= self._idle.popitem(last=False)[1].size

    def disown(self) -> None:
        """Start anew in a forked process, where freeing a plan could wait for a lost lock."""
        self._parents = self._idle
        self._idle = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._idle)

    def clear(self) -> None:
        """Drop all plans."""
        with self._lock:
            self._idle.clear()


cache = Plans()
_forked = False


def threads(wanted: int) -> int:
    """Threads for a new plan: `wanted` (0: OpenMP's), or one in a forked process.

    OpenMP's pool does not survive a fork: a parallel region of several threads would wait for ever.
    """
    return 1 if _forked else wanted


def _after_fork() -> None:
    global _forked
    _forked = True
    cache.disown()


if hasattr(os, "register_at_fork"):  # where processes fork at all
    os.register_at_fork(after_in_child=_after_fork)


def transform(
    data: Array,
    traj: Array,
    shape: Shape | None,
    tol: float,
    make: Callable[..., Plan],
    *setting: Any,
) -> Array:
    """Samples of images (`shape` None), or images of that shape of samples.

    Args:
        data: Images or samples, as `nufft` and `nufft_adjoint` take them.
        traj: Trajectory (*batch, m, n).
        shape: Shape of space, None if `data` are images.
        tol: Relative error.
        make: `make(traj, space, many, eps, dtype, *setting)` is a new plan.
        setting: What else plans differ by.
    """
    xp, n = array_namespace(data), traj.shape[-1]
    n_core = n if shape is None else 1
    fold = Fold.of(data, traj, n_core)
    sources, trajs = contiguous(fold.data(data, n_core)), contiguous(fold.traj(traj, data))
    space = tuple(data.shape[-n:]) if shape is None else shape
    ends = (traj.shape[-2],) if shape is None else shape
    found = xp.empty((*sources.shape[:2], *ends), dtype=data.dtype, device=device(data))
    asked = (space, sources.shape[1], precision(tol, data), data.dtype, *setting)
    for i in range(len(sources) if sources.shape[1] else 0):
        k = trajs[i, ...]
        key = (make, *asked, _fingerprint(k))
        plan = cache.take(key, k) or make(k, *asked)
        plan.run(sources[i, ...], found[i, ...], shape is not None)
        cache.give(key, plan)
    return fold.unfold(found)


def _fingerprint(traj: Array) -> bytes:
    """Some values of a trajectory (m, n): tells most of them apart at no cost."""
    flat = traj.reshape(-1)
    return to_numpy(flat[:: 1 + len(flat) // 64]).tobytes()
