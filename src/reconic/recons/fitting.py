"""Fitting a network to one scan, and when to stop: before it learns the noise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from reconic.operator import Derived, LinearSystem, static, system
from reconic.recons.base import Problem
from reconic.recons.splitting import Part

__all__ = ["Fitted", "Patience", "Scan", "each_scan", "fit_each", "fit_scan", "learning"]

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Patience:
    """How long a scan is fitted, and with which steps.

    Args:
        n_steps: Largest number of steps.
        lr: Step of Adam.
        every: Steps from one look at the held-out samples to the next.
        looks: Looks without an improvement after which the fit stops.

    Raises:
        ValueError: If one of them is not positive.
    """

    n_steps: int
    lr: float
    every: int = 10
    looks: int = 10

    def __post_init__(self) -> None:
        """Check the values."""
        if min(self.n_steps, self.lr, self.every, self.looks) <= 0:
            raise ValueError(
                "Patience: `n_steps`, `lr`, `every` and `looks` must be positive, got "
                f"{self.n_steps}, {self.lr}, {self.every} and {self.looks}."
            )


class Fitted(NamedTuple, Generic[Kept]):
    """How a fit ended.

    Attributes:
        best: What was kept at the best look.
        error: Error of the held-out samples then.
        step: Steps done then.
        n_steps: Steps done in all.
    """

    best: Kept
    error: float
    step: int
    n_steps: int


def fit_scan(
    parameters: Iterable[Tensor],
    loss: Callable[[], Tensor],
    look: Callable[[], tuple[float, Kept]],
    patience: Patience,
) -> Fitted[Kept]:
    """Minimise a loss by Adam, and keep what predicts the held-out samples best.

    Args:
        parameters: What is fitted.
        loss: Makes the loss of a step.
        look: Error of the held-out samples now, and what to keep if it is the smallest so far; it
            runs without gradients.
        patience: Steps and when to stop.

    Returns:
        The best look; the first is before the first step.
    """
    optimizer = torch.optim.Adam(parameters, lr=patience.lr)
    with torch.no_grad():
        error, best = look()
    found = Fitted(best, error, 0, 0)
    for step in range(1, patience.n_steps + 1):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        found = found._replace(n_steps=step)
        if step % patience.every and step < patience.n_steps:
            continue
        with torch.no_grad():
            error, best = look()
        if error < found.error:
            found = Fitted(best, error, step, step)
        elif step - found.step >= patience.every * patience.looks:
            break
    return found


def fit_each(problem: Problem, fit: Callable[[Tensor, LinearSystem], Fitted[Tensor]]) -> Tensor:
    """Images of a problem's scans, each fitted by itself; notes when and how well they ended."""
    fits = [fit(*scan) for scan in each_scan(problem.y, problem.A)]
    problem.note("n_steps", torch.tensor([float(fitted.step) for fitted in fits]))
    problem.note("holdout", torch.tensor([fitted.error for fitted in fits]))
    return torch.cat([fitted.best for fitted in fits])


def each_scan(y: Tensor, A: LinearSystem) -> Iterator[Part]:
    """Scans of a batch one by one, as batches of one, ready to be learned from.

    They are copies, since nothing can be learned from tensors of torch's inference mode.
    """
    with torch.inference_mode(False):
        y, A = y.detach().clone(), A.map(torch.clone)
    n = len(y)
    for i in range(n):
        yield Part(y[i : i + 1], A if n == 1 else Scan(A, i, n))


@contextlib.contextmanager
def learning() -> Iterator[None]:
    """With gradients, also where the caller wants none."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@system
class Scan(Derived):
    """One scan of a batch: what A does to it, whichever arrays of A have a batch axis.

    Args:
        A: System of a batch of `n_scans` scans; it is applied to the whole batch.
        index: Which scan.
        n_scans: Number of scans of the batch.
    """

    A: LinearSystem
    index: int = static()
    n_scans: int = static()

    def weigh(self, y: Tensor) -> Tensor:
        return self._own(self.A.weigh(self._batch(y)))

    def sampling(self, y: Tensor) -> Tensor:
        return self._of_samples(self.A.sampling(self._batch(y)))

    def radius(self, y: Tensor) -> Tensor | None:
        found = self.A.radius(self._batch(y))
        return None if found is None else self._of_samples(found)

    def _forward(self, x: Tensor) -> Tensor:
        return self._own(self.A._forward(self._batch(x)))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._own(self.A._adjoint(self._batch(y)))

    def _of_samples(self, values: Tensor) -> Tensor:
        """Own values of some that may have a batch axis."""
        has_batch = values.ndim > len(self.out_shape) and len(values) == self.n_scans
        return self._own(values) if has_batch else values

    def _batch(self, one: Tensor) -> Tensor:
        return one.expand(self.n_scans, *one.shape[1:])

    def _own(self, batch: Tensor) -> Tensor:
        return batch[self.index : self.index + 1]
