"""The processes of a run, its ranks: which one this is, and what they tell each other.

What is told here goes over the CPU, by gloo, whatever carries the gradients. In a run of one
process each function gives back what it gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = [
    "average", "begin", "broadcast", "count", "dealt", "end", "gather", "is_first", "largest",
    "rank",
]  # fmt: skip

_talk: dist.ProcessGroup | None = None  # carries what is told; None outside of such a run
_is_first = True


def begin(group: dist.ProcessGroup) -> None:
    """Begin a run of several processes, with a group of them on the CPU."""
    global _talk, _is_first
    _talk, _is_first = group, dist.get_rank(group) == 0


def end() -> None:
    """End the run; whether this process is the first stays as it is."""
    global _talk
    _talk = None


def count() -> int:
    """Number of ranks, 1 outside of a run of several processes."""
    return 1 if _talk is None else dist.get_world_size(_talk)


def rank() -> int:
    """Number of this process, from 0."""
    return 0 if _talk is None else dist.get_rank(_talk)


def is_first() -> bool:
    """Whether this process is the one that writes and prints; stays so after the run."""
    return _is_first


def gather(value: Any) -> list[Any]:
    """What each rank has, in their order, on every rank."""
    found = [value] * count()
    if count() > 1:
        dist.all_gather_object(found, value, group=_talk)
    return found


def dealt(values: list[Any]) -> list[Any]:
    """All values in order, of which rank r of p has those at r, r + p, r + 2p and so on."""
    shares = gather(values)
    return [shares[i % len(shares)][i // len(shares)] for i in range(sum(map(len, shares)))]


def broadcast(value: Any) -> Any:
    """What rank 0 has."""
    box = [value]
    if count() > 1:
        dist.broadcast_object_list(box, 0, group=_talk)
    return box[0]


def largest(*values: float) -> list[float]:
    """Largest over the ranks of each number."""
    found = torch.tensor(values, dtype=torch.float64)
    if count() > 1:
        dist.all_reduce(found, dist.ReduceOp.MAX, group=_talk)
    return found.tolist()


def average(means: Mapping[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
    """Means over a batch, from those over this rank's share of it; computed on their device.

    Args:
        means: Scalars by name, the same names on all ranks.
        weight: This rank's part of the batch times the number of ranks.
    """
    if count() == 1:
        return dict(means)
    values = torch.stack([torch.as_tensor(value).to(weight) for value in means.values()]) * weight
    dist.all_reduce(values)
    return dict(zip(means, values / count(), strict=True))
