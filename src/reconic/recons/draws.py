"""Random numbers for the examples of a batch, the same wherever the examples are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

__all__ = ["normal_like", "rows", "uniform"]

_ROWS: ContextVar[Sequence[int] | None] = ContextVar("rows", default=None)


@contextlib.contextmanager
def rows(numbers: Sequence[int]) -> Iterator[None]:
    """Inside a `with` block, let each example have random numbers of its own.

    They depend on the state of torch's global generator of the CPU, and on the example's row in
    the batch, but neither on what else this process has of the batch nor on the device's generator.

    Args:
        numbers: Row of each example that is here, in the whole batch.
    """
    token = _ROWS.set(numbers)
    try:
        yield
    finally:
        _ROWS.reset(token)


def normal_like(a: Tensor) -> Tensor:
    """Normal random numbers of unit variance, of the shape (batch, …), dtype and device of `a`."""
    return _draw(
        lambda shape, generator: torch.randn(
            shape, dtype=a.dtype, device=a.device, generator=generator
        ),
        tuple(a.shape),
        a.device,
        None,
    )


def uniform(
    shape: tuple[int, ...],
    device: torch.device | str = "cpu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Uniform random numbers from 0 to 1 of shape (batch, …), from a generator if one is given."""
    return _draw(
        lambda shape, source: torch.rand(shape, device=device, generator=source),
        shape,
        device,
        generator,
    )


def _draw(
    sample: Callable[[tuple[int, ...], torch.Generator | None], Tensor],
    shape: tuple[int, ...],
    device: torch.device | str,
    generator: torch.Generator | None,
) -> Tensor:
    numbers = _ROWS.get()
    if generator is not None or numbers is None:
        return sample(shape, generator)
    base = int(torch.randint(2**62, ()))  # the same on all ranks: they draw alike
    own = torch.Generator(device)
    parts = [sample(shape[1:], own.manual_seed(_seed(base, row))) for row in numbers]
    return torch.stack(parts)


def _seed(base: int, row: int) -> int:
    return int(np.random.SeedSequence((base, row)).generate_state(1, np.uint64)[0] >> 1)
