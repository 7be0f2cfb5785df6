"""Losses: named terms that add and scale, each told apart in the history."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from reconic._array import Array

__all__ = ["Evaluation", "Loss", "Prediction", "Term", "takes_extra", "term"]


@dataclass(frozen=True)
class Prediction:
    """What a forward model may return instead of a bare prediction, to report intermediates.

    Args:
        value: The prediction.
        reports: Intermediates by name, for terms of the loss to read.
    """

    value: Any
    reports: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What a term of a loss may look at.

    Attributes:
        prediction: What the forward model predicts for the batch.
        variables: All variables.
        batch: Measurements, and `epoch` and `step`, counted from zero.
        reports: Intermediates that the forward model reported.
    """

    prediction: Any
    variables: Any
    batch: Mapping[str, Any]
    reports: Mapping[str, Any]


@dataclass(frozen=True)
class Term:
    """One term of a loss.

    Attributes:
        name: Name in the history.
        fn: Evaluation ↦ real scalar. Equal functions are compiled once, so stock ones are
            dataclasses.
        reads_data: Whether the term judges the prediction, and so tells of held-out data.
    """

    name: str
    fn: Callable[[Evaluation], Array]
    reads_data: bool = True


@dataclass(frozen=True)
class Loss:
    """Weighted sum of terms; `+`, `-`, `*`, `/` and `sum()` make others.

    Attributes:
        terms: Terms, of different names.
        weights: Weight of each.
    """

    terms: tuple[Term, ...]
    weights: tuple[float, ...]

    __array_ufunc__ = None  # so that NumPy scalars leave `scalar * loss` to the loss

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the terms."""
        return tuple(t.name for t in self.terms)

    def named(self, name: str) -> Loss:
        """Same loss, of one term, under another name."""
        if len(self.terms) != 1:
            raise ValueError(
                f"Loss.named: the loss must have one term, got {', '.join(self.names)}. "
                "Name the terms before adding them."
            )
        return replace(self, terms=(replace(self.terms[0], name=name),))

    def __add__(self, other: Any) -> Loss:
        """Sum of two losses; a term that both have gets the sum of its weights."""
        if isinstance(other, int | float) and other == 0:  # where sum() starts
            return self
        if not isinstance(other, Loss):
            return NotImplemented
        total = self
        for t, weight in zip(other.terms, other.weights, strict=True):
            total = total._with(t, weight)
        return total

    __radd__ = __add__

    def __mul__(self, scale: Any) -> Loss:
        """All weights times a real number, of Python, NumPy or JAX."""
        if isinstance(scale, Loss | str):
            return NotImplemented
        factor = _number(scale)
        return replace(self, weights=tuple(factor * w for w in self.weights))

    __rmul__ = __mul__

    def __truediv__(self, scale: Any) -> Loss:
        """All weights over a real number."""
        return self * (1 / _number(scale))

    def __neg__(self) -> Loss:
        """All weights negative."""
        return self * -1.0

    def __sub__(self, other: Any) -> Loss:
        """Difference of two losses."""
        return self + (-other) if isinstance(other, Loss) else NotImplemented

    def _with(self, t: Term, weight: float) -> Loss:
        if t in self.terms:
            i = self.terms.index(t)
            weights = list(self.weights)
            weights[i] += weight
            return replace(self, weights=tuple(weights))
        name, n = t.name, 2
        while name in self.names:
            name, n = f"{t.name}_{n}", n + 1
        return Loss((*self.terms, replace(t, name=name)), (*self.weights, weight))


def term(fn: Callable[..., Array], name: str | None = None, *, reads_data: bool = True) -> Loss:
    """Loss of one term of your own.

    Args:
        fn: `fn(prediction, variables, batch)` or `fn(prediction, variables, batch, reports)`,
            which returns a real scalar; `reports` are the intermediates of a `Prediction`.
        name: Name in the history; the function's own if None.
        reads_data: Whether the term judges the prediction; False for a regulariser.

    Raises:
        TypeError: If `fn` takes another number of arguments.
    """
    label = name or getattr(fn, "__name__", type(fn).__name__)
    wanted = "(prediction, variables, batch[, reports])"
    n = 3 + takes_extra(fn, 3, "reports", "term", wanted)
    return Loss((Term(label, _Custom(fn, n), reads_data),), (1.0,))


@dataclass(frozen=True)
class _Custom:
    fn: Callable[..., Array]
    n_arguments: int

    def __call__(self, e: Evaluation) -> Array:
        return self.fn(*(e.prediction, e.variables, e.batch, e.reports)[: self.n_arguments])


def takes_extra(fn: Any, n: int, extra: str, where: str, wanted: str) -> bool:
    """Whether to call `fn` with one argument more than `n`.

    It is if `fn` needs it, or has it by name; an unrelated argument with a default stays as it is.

    Args:
        fn: Callable.
        n: Number of arguments that `fn` is called with in any case.
        extra: Name of the one more.
        where: What to call the place in errors.
        wanted: The arguments as text.

    Raises:
        TypeError: If `fn` is not callable or takes neither number.
    """
    if not callable(fn):
        raise TypeError(f"{where}: a function {wanted} is needed, got {type(fn).__name__}.")
    signature = inspect.signature(fn)
    if extra in list(signature.parameters)[n : n + 1]:
        return True
    for count in (n, n + 1):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count > n
    name = getattr(fn, "__name__", type(fn).__name__)
    raise TypeError(
        f"{where}: `{name}` must take the arguments {wanted}, got the signature {name}{signature}."
    )


def _number(scale: Any) -> float:
    if isinstance(scale, bool | str | bytes) or np.size(scale) != 1 or np.iscomplexobj(scale):
        raise TypeError(f"Loss: a weight must be a real number, got {scale!r}.")
    return float(np.asarray(scale).reshape(()))
