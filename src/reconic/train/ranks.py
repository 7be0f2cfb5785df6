"""Coils over processes: one large multi-coil problem that no process has to hold as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

from reconic.operator import LinearSystem, SpreadCoils, coil_axes

__all__ = ["Ranks", "coil_share", "rank_device", "spread_coils"]


@dataclass(frozen=True)
class Ranks:
    """Processes of `torch.distributed` that have a share of the coils each, and the whole image.

    Gradients are those of one loss, which every process computes alike from the image: each gets
    the gradient of its own maps and k-space, and the whole gradient of all else.

    Attributes:
        group: Process group; None for the default one.
    """

    group: Any = None

    def forward(self, A: LinearSystem, x: Tensor) -> Tensor:
        """A x of this process's coils."""
        return self._shared(A)._forward(self._copy(x))

    def adjoint(self, A: LinearSystem, y: Tensor) -> Tensor:
        """Aᴴy, the sum over the processes."""
        return self.total(self._shared(A)._adjoint(y))

    def normal(self, M: LinearSystem, x: Tensor) -> Tensor:
        """M x, the sum over the processes."""
        return self.total(self._shared(M)._forward(self._copy(x)))

    def total(self, value: Tensor) -> Tensor:
        """Sum over the processes."""
        return _Total.apply(value, self.group)  # pyright: ignore[reportReturnType]

    def _copy(self, a: Tensor) -> Tensor:
        """The array, whose gradient is the sum of those of all processes."""
        return _Copy.apply(a, self.group) if a.requires_grad else a  # pyright: ignore

    def _shared(self, A: LinearSystem) -> LinearSystem:
        """The system, with gradients of all processes for what is of no coil."""
        if not any(a.requires_grad for a in A.arrays()):
            return A
        axes = iter(coil_axes(A))
        return A.map(lambda a: self._copy(a) if next(axes) is None else a)


class _Total(Function):
    """Sum over processes; what comes of it they compute alike, so its gradient is theirs."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, group: Any) -> Tensor:  # noqa: ARG004
        return _summed(value, group)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Any, None]:  # noqa: ARG004  # pyright: ignore
        return grad_outputs[0], None


class _Copy(Function):
    """The same value in every process; each uses it for other coils, so gradients add up."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Any, None]:  # pyright: ignore
        return _summed(grad_outputs[0], ctx.group), None


def _summed(value: Tensor, group: Any) -> Tensor:
    total = value.detach().resolve_conj().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total


def coil_share(n_coils: int, group: Any = None) -> slice:
    """Coils of this process: as many as of any other, or one more.

    Args:
        n_coils: Number of coils.
        group: Process group; None for the default one.

    Raises:
        RuntimeError: If this process is in no group.
        ValueError: If there are fewer coils than processes.
    """
    if not dist.is_initialized():
        raise RuntimeError(
            "coil_share: torch.distributed must be initialised, got none. Start with torchrun, and "
            'call torch.distributed.init_process_group("gloo").'
        )
    rank, size = dist.get_rank(group), dist.get_world_size(group)
    if n_coils < size:
        raise ValueError(
            f"coil_share: there must be a coil for each process, got {n_coils} for {size}. Use "
            "fewer processes."
        )
    each, more = divmod(n_coils, size)
    start = rank * each + min(rank, more)
    return slice(start, start + each + (rank < more))


def rank_device() -> torch.device:
    """Where this process computes: its current GPU if processes talk by NCCL, else the CPU."""
    on_gpu = dist.get_backend() == dist.Backend.NCCL
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def spread_coils(
    A: LinearSystem, y: Tensor, group: Any = None, *, shared: bool = False
) -> tuple[LinearSystem, Tensor]:
    """System and measurements of this process's coils, which works on images as that of all does.

    What is done with them is as ever: `cg(A.N + lam * Identity(A.in_shape), A.adjoint(y))` is the
    same image in every process. An application of `A.N` exchanges one image.

    Args:
        A: Multi-coil system with all coils, the same in every process.
        y: Measurements of all coils (*batch, *A.out_shape).
        group: Process group; None for the default one.
        shared: Whether A and y are already of those coils alone that `coil_share` says are this
            process's own, so that no process holds all.

    Raises:
        RuntimeError: If this process is in no group.
        TypeError: If A has no coil maps.
        ValueError: If there are fewer coils than processes, or images have other shapes elsewhere.
    """
    axes = coil_axes(A)
    if not any(axes):
        raise TypeError(
            f"spread_coils: `A` must have coil maps, got {type(A).__name__}. Give a system of "
            "multi-coil MRI."
        )
    _check_same(A, group, shared)
    if shared:
        return SpreadCoils(A, Ranks(group)), y
    own = coil_share(A.out_shape[0], group)
    of_array = iter(axes)
    part = A.map(lambda a: _cut(a, next(of_array), own))
    return SpreadCoils(part, Ranks(group)), _cut(y, -len(A.out_shape), own)


def _cut(a: Tensor, axis: int | None, own: slice) -> Tensor:
    """A copy of some coils, so that those of others can be freed."""
    return a if axis is None else a.narrow(axis, own.start, own.stop - own.start).clone()


def _check_same(A: LinearSystem, group: Any, shared: bool) -> None:
    """Check that sums of images will find images of one shape, for which they would wait."""
    shapes: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(shapes, (A.in_shape, None if shared else A.out_shape[0]), group=group)
    if len(set(shapes)) > 1:
        raise ValueError(
            "spread_coils: every process must give the same system, got the image shapes and "
            f"numbers of coils {', '.join(map(str, shapes))}."
        )
