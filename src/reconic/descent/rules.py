"""How a gradient becomes a step: the interface, and Optax's optimizers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import optax

from reconic._array import Array

__all__ = ["SCHEDULES", "Objective", "OptaxRule", "Rule"]

SCHEDULES = {  # short names
    "constant": "constant_schedule",
    "cosine": "cosine_decay_schedule",
    "exponential": "exponential_decay",
    "linear": "linear_schedule",
    "warmup_cosine": "warmup_cosine_decay_schedule",
}

Arrays = Sequence[Array]


@dataclass(frozen=True)
class Objective:
    """The loss as a function of the variables that one rule moves; all else is fixed.

    Attributes:
        at: Value of the loss at x.
        now: Value where the step starts.
        outputs: x ↦ what the loss is made of: prediction, reports and variables.
        of_outputs: The loss as a function of these.
    """

    at: Callable[[Arrays], Array]
    now: Array
    outputs: Callable[[Arrays], Any]
    of_outputs: Callable[[Any], Array]


class Rule(Protocol):
    """A way to step. Implementations are frozen dataclasses, compared by their settings."""

    def init(self, x: Arrays) -> Any:
        """State at the start."""
        ...

    def update(
        self, x: Arrays, grads: Arrays, state: Any, objective: Objective, scale: Array
    ) -> tuple[Arrays, Any]:
        """The arrays after a step, and the next state.

        Args:
            x: Arrays to move.
            grads: Steepest-ascent directions of the loss, real or complex as x is.
            state: State.
            objective: The loss.
            scale: Factor on the step, below one once a step has failed.
        """
        ...


@dataclass(frozen=True)
class OptaxRule:
    """A step of an Optax optimizer.

    Attributes:
        method: Name of the optimizer, or a transformation.
        learning_rate: Learning rate of an optimizer given by name.
        schedule: Name of a schedule or function of the number of updates.
        schedule_options: Arguments of a schedule given by name.
        clip: Largest norm of the gradients together; None for any.
        options: Arguments of an optimizer given by name.
    """

    method: str | optax.GradientTransformation
    learning_rate: float | None = None
    schedule: str | Callable[[Any], Any] | None = None
    schedule_options: tuple[tuple[str, Any], ...] = ()
    clip: float | None = None
    options: tuple[tuple[str, Any], ...] = ()

    def init(self, x: Arrays) -> Any:
        return self._transform().init(list(x))

    def update(
        self, x: Arrays, grads: Arrays, state: Any, objective: Objective, scale: Array
    ) -> tuple[Arrays, Any]:
        extra = {"value": objective.now, "grad": list(grads), "value_fn": objective.at}
        steps, state = self._transform().update(list(grads), state, list(x), **extra)
        steps = jax.tree.map(lambda s: s * scale.astype(s.real.dtype), steps)
        return optax.apply_updates(list(x), steps), state  # pyright: ignore[reportReturnType]

    def _transform(self) -> optax.GradientTransformationExtraArgs:
        method = self.method
        if isinstance(method, str):
            method = getattr(optax, method)(learning_rate=self._rate(), **dict(self.options))
        if self.clip is not None:
            method = optax.chain(optax.clip_by_global_norm(self.clip), method)
        return optax.with_extra_args_support(method)

    def _rate(self) -> Any:
        if isinstance(self.schedule, str):
            make = getattr(optax, SCHEDULES.get(self.schedule, self.schedule))
            return make(self.learning_rate, **dict(self.schedule_options))
        return self.schedule or self.learning_rate
