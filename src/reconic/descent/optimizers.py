"""How a variable descends: an Optax optimizer, its learning rate, and when it acts."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import optax

from reconic._array import Array
from reconic.descent.rules import SCHEDULES, OptaxRule, Rule

__all__ = ["Optimizer", "adam", "frozen", "optimizer", "sgd"]

Schedule = Callable[[Any], Any]


@dataclass(frozen=True)
class Optimizer:
    """Settings of one variable, or of a tree of variables that share them.

    Made by `adam`, `sgd`, `lbfgs`, `frozen` and the like; equal settings are compiled once.

    Attributes:
        rule: How a gradient becomes a step; None for a frozen variable.
        start: Step of the first update; the optimizer and its schedule begin there.
        stop: Step before which the last update is; None for no end.
        every: Number of steps whose gradients are averaged for one update.
        constraint: Applied to each array of the variable after each update.
    """

    rule: Rule | None
    start: int = 0
    stop: int | None = None
    every: int = 1
    constraint: Callable[[Array], Array] | None = None

    def __post_init__(self) -> None:
        """Check the window."""
        start, stop = self.start, self.stop
        if start < 0 or (stop is not None and stop <= start):
            raise ValueError(
                f"optimizer: `start` must not be negative and `stop` be after it, got {start} and "
                f"{stop}. Use frozen() for a variable that never moves."
            )
        if self.every < 1:
            raise ValueError(f"optimizer: `every` must be at least 1, got {self.every}.")


def optimizer(
    method: str | optax.GradientTransformation,
    learning_rate: float | Schedule | None = None,
    *,
    schedule: str | Schedule | None = None,
    schedule_options: dict[str, Any] | None = None,
    start: int = 0,
    stop: int | None = None,
    every: int = 1,
    clip: float | None = None,
    constraint: Callable[[Array], Array] | str | None = None,
    **options: Any,
) -> Optimizer:
    """Settings with any optimizer of Optax.

    Args:
        method: Name of an Optax optimizer, such as "adamw", or a transformation, whose learning
            rate is its own.
        learning_rate: Learning rate, in units of the variable for Adam and its like; or a function
            from the number of updates to it.
        schedule: Name of a schedule ("cosine", "exponential", "linear", "constant", or any of
            Optax), called with the learning rate first, or a function from the number of updates to
            the learning rate.
        schedule_options: Further arguments of a schedule given by name.
        start: Step of the first update.
        stop: Step before which the last update is; None for no end.
        every: Number of steps whose gradients are averaged for one update.
        clip: Largest norm of the gradient, over the whole tree that has these settings.
        constraint: Function applied to each array of the variable after each update, such as
            `lambda x: jnp.clip(x, 0, 1)`; or "nonnegative".
        **options: Passed to the optimizer of that name, such as `b1`.

    Raises:
        ValueError: If a name is unknown, or a number out of its range.
        TypeError: If the optimizer has no such option, or options do not go together.
    """
    if clip is not None and not clip > 0:
        raise ValueError(f"optimizer: `clip` must be positive, got {clip}. None does not clip.")
    if callable(learning_rate):  # as Optax has it
        schedule, learning_rate = learning_rate, None
    if isinstance(method, str):
        _check_named(method, learning_rate, schedule, schedule_options or {}, options)
    elif learning_rate is not None or schedule is not None or options:
        raise TypeError(
            "optimizer: a transformation has its own learning rate, so `learning_rate`, "
            "`schedule` and options must be left out. Give them to the transformation."
        )
    elif not isinstance(method, optax.GradientTransformation):
        raise TypeError(
            "optimizer: `method` must be a name or an optax.GradientTransformation, got "
            f"{type(method).__name__}."
        )
    settings = tuple(sorted((schedule_options or {}).items()))
    rest = tuple(sorted(options.items()))
    rule = OptaxRule(method, learning_rate, schedule, settings, clip, rest)
    return Optimizer(rule, start, stop, every, _constraint(constraint))


def adam(learning_rate: float, **settings: Any) -> Optimizer:
    """Adam.

    Args:
        learning_rate: About how far each value moves in a step, in units of the variable.
        **settings: As `optimizer` takes them.

    References:
        Kingma & Ba, ICLR (2015), Algorithm 1.
    """
    return optimizer("adam", learning_rate, **settings)


def sgd(learning_rate: float, **settings: Any) -> Optimizer:
    """Gradient descent, by choice with `momentum` and `nesterov`.

    Args:
        learning_rate: Step along the negative gradient.
        **settings: As `optimizer` takes them.
    """
    return optimizer("sgd", learning_rate, **settings)


def frozen() -> Optimizer:
    """Settings of a variable that is known: it stays, and no gradient is computed for it."""
    return Optimizer(None)


def nonnegative_part(x: Array) -> Array:
    """The nearest real array that is not negative."""
    return jnp.maximum(x.real, 0).astype(x.dtype)


def _constraint(given: Any) -> Callable[[Array], Array] | None:
    if given is None or callable(given):
        return given
    if given != "nonnegative":
        raise ValueError(
            f'optimizer: `constraint` must be a function of an array or "nonnegative", got '
            f"{given!r}."
        )
    return nonnegative_part


def _check_named(
    method: str,
    learning_rate: float | None,
    schedule: Any,
    schedule_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    factory = _named(method, "optimizer")
    if isinstance(schedule, str):
        if learning_rate is None:
            raise TypeError(f"{method}: a schedule by name needs `learning_rate`, got None.")
        make = _named(SCHEDULES.get(schedule, schedule), "schedule")
        _check_options(make, (learning_rate,), schedule_options, schedule)
    elif schedule_options:
        raise TypeError(f"{method}: `schedule_options` belong to a schedule given by name.")
    elif callable(schedule):
        if learning_rate is not None:
            raise TypeError(
                f"{method}: `learning_rate` must be left out with a schedule that is a function, "
                f"got {learning_rate}."
            )
    elif learning_rate is None or not learning_rate > 0:
        raise ValueError(
            f"{method}: `learning_rate` must be positive, got {learning_rate}. Use frozen() for a "
            "variable that does not move."
        )
    _check_options(factory, (), {"learning_rate": 0.1, **options}, method)


def _named(name: str, kind: str) -> Callable[..., Any]:
    found = getattr(optax, name, None)
    if inspect.isfunction(found):
        return found
    known = [n for n, f in vars(optax).items() if inspect.isfunction(f)]
    near = difflib.get_close_matches(name, [*known, *SCHEDULES], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else " See Optax's documentation for the names."
    raise ValueError(f"optimizer: there is no {kind} {name!r} in Optax.{hint}")


def _check_options(
    make: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any], name: str
) -> None:
    signature = inspect.signature(make)
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        raise TypeError(f"{name}: {error}. It takes {', '.join(signature.parameters)}.") from None
    for key, value in options.items():
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"{name}: `{key}` must be a number or text, got {type(value).__name__}. Make the "
                "transformation with Optax, and pass it."
            ) from None
