"""Learning rates over the course of training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, StepLR

__all__ = ["Schedule", "WarmCosine", "factor_and_epochs", "make_scheduler"]


class Schedule(ABC):
    """A learning rate as a function of the progress of training, whatever ends it.

    Progress runs from 0 to 1: the fraction of `max_epochs` or `max_steps`, or of `max_time`,
    whichever is further. It is looked at before every step.
    """

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """Factor on the optimizer's learning rate."""


class WarmCosine(Schedule):
    """Linear rise, then half a cosine down to a fraction of the optimizer's learning rate.

    Args:
        warmup: Fraction of training in which the learning rate rises from zero.
        final: Fraction of the learning rate at the end.

    Raises:
        ValueError: If a fraction is not in [0, 1), or `final` not in [0, 1].

    References:
        Loshchilov & Hutter, SGDR, ICLR 2017, Eq. 5, without restarts.
    """

    def __init__(self, warmup: float = 0.02, final: float = 0.01) -> None:
        if not (0 <= warmup < 1 and 0 <= final <= 1):
            raise ValueError(
                f"WarmCosine: `warmup` must be in [0, 1) and `final` in [0, 1], got {warmup} and "
                f"{final}."
            )
        self.warmup = warmup
        self.final = final

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        fraction = (min(progress, 1.0) - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * fraction))


def factor_and_epochs(pair: Sequence[float]) -> tuple[float, int]:
    """Read "multiply the learning rate by x every y epochs" from [x, y] or, as of old, [y, x].

    Args:
        pair: A factor between 0 and 1, and a whole number of epochs, in either order.

    Returns:
        Factor and number of epochs.

    Raises:
        ValueError: If it is not plain which is which.
    """

    def is_factor(v: float) -> bool:
        return 0 < v < 1

    def is_epochs(v: float) -> bool:
        return v >= 1 and float(v).is_integer()

    if len(pair) == 2:
        for factor, epochs in (pair, tuple(pair)[::-1]):
            if is_factor(factor) and is_epochs(epochs):
                return float(factor), int(epochs)
    raise ValueError(
        f"lr_scheduler: the pair must be a factor between 0 and 1 and a whole number of epochs, "
        f"got {list(pair)}. Write [0.5, 10] to halve the learning rate every 10 epochs."
    )


def make_scheduler(
    choice: Sequence[float] | Schedule | Callable[[Optimizer], LRScheduler],
    optimizer: Optimizer,
    interval: str,
    monitor: str,
    progress: Callable[[], float],
) -> dict[str, object]:
    """Scheduler of an optimizer, as Lightning takes it.

    Args:
        choice: A pair [x, y], a schedule over progress, or a torch scheduler still to be made.
        optimizer: Whose learning rate it is.
        interval: "step" or "epoch", when a torch scheduler steps.
        monitor: Metric for a scheduler that asks for one (ReduceLROnPlateau).
        progress: Tells how far training is, for a `Schedule`.
    """
    if isinstance(choice, Schedule):
        # LambdaLR counts steps; how far training is does not follow from that count alone
        scheduler = LambdaLR(optimizer, lambda _: choice(progress()))
        return {"scheduler": scheduler, "interval": "step"}
    if callable(choice):
        return {"scheduler": choice(optimizer), "interval": interval, "monitor": monitor}
    factor, epochs = factor_and_epochs(choice)
    return {"scheduler": StepLR(optimizer, epochs, factor), "interval": "epoch"}
