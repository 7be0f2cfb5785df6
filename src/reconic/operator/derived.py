"""Linear systems made of others, and those that are their own adjoint."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from reconic._array import Array, array_namespace, is_array
from reconic.operator.linear import LinearSystem
from reconic.operator.system import static, system

__all__ = [
    "Adjoint",
    "Composed",
    "Derived",
    "Identity",
    "Normal",
    "SameSamples",
    "Scaled",
    "SelfAdjoint",
    "Stack",
    "Sum",
    "Weighted",
    "stack",
]


class Derived(LinearSystem):
    """What systems share that are made of a system `A`: its shapes and accuracy.

    Inherit, and declare `A` with `@system`.
    """

    A: Any  # a LinearSystem; the subclass says of which kind

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    @property
    def accuracy(self) -> float:
        return self.A.accuracy


class SameSamples(Derived):
    """A derived system that measures the samples of `A`."""

    def weigh(self, y: Array) -> Array:
        return self.A.weigh(y)

    def sampling(self, y: Array) -> Array:
        return self.A.sampling(y)

    def radius(self, y: Array) -> Array | None:
        return self.A.radius(y)


class SelfAdjoint(LinearSystem):
    """A system that is its own adjoint, on images of one shape.

    Inherit, declare `shape` with `@system`, and write `_forward`.
    """

    shape: tuple[int, ...]

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.in_shape

    @property
    def H(self) -> LinearSystem:
        return self

    def _adjoint(self, y: Array) -> Array:
        return self._forward(y)


@system
class Identity(SelfAdjoint):
    """Identity on arrays of one shape, y = x."""

    shape: tuple[int, ...] = static()

    @functools.cached_property
    def outer_diagonal(self) -> float:
        return 1.0

    def _forward(self, x: Array) -> Array:
        return x


@system
class Adjoint(Derived):
    """Adjoint of a system, y = Aᴴ x."""

    A: LinearSystem

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def H(self) -> LinearSystem:
        return self.A

    def _forward(self, x: Array) -> Array:
        return self.A._adjoint(x)

    def _adjoint(self, y: Array) -> Array:
        return self.A._forward(y)


@system
class Normal(SelfAdjoint):
    """Normal operator of a system, y = AᴴA x."""

    A: LinearSystem

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def accuracy(self) -> float:
        return self.A.accuracy

    def _forward(self, x: Array) -> Array:
        return self.A._normal(x)


@system
class Composed(SameSamples):
    """Composition of two systems, y = A B x."""

    A: LinearSystem
    B: LinearSystem

    def __post_init__(self) -> None:
        if self.A.in_shape != self.B.out_shape:
            raise ValueError(
                f"A @ B: the input of A must have the shape of the output of B, "
                f"got {self.A.in_shape} and {self.B.out_shape}."
            )

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.B.in_shape

    def _forward(self, x: Array) -> Array:
        return self.A._forward(self.B._forward(x))

    def _adjoint(self, y: Array) -> Array:
        return self.B._adjoint(self.A._adjoint(y))

    def _normal(self, x: Array) -> Array:
        return self.B._adjoint(self.A._normal(self.B._forward(x)))


@system
class Sum(Derived):
    """Sum of two systems, y = A x + B x."""

    A: LinearSystem
    B: LinearSystem

    def __post_init__(self) -> None:
        a, b = self.A, self.B
        if (a.in_shape, a.out_shape) != (b.in_shape, b.out_shape):
            raise ValueError(
                f"A + B: both must have the same shapes, got {a.in_shape} -> {a.out_shape} "
                f"and {b.in_shape} -> {b.out_shape}."
            )

    def recorded(self) -> list[LinearSystem]:
        return self.A.recorded() + self.B.recorded()

    def _forward(self, x: Array) -> Array:
        return self.A._forward(x) + self.B._forward(x)

    def _adjoint(self, y: Array) -> Array:
        return self.A._adjoint(y) + self.B._adjoint(y)


@system
class Scaled(SameSamples):
    """Multiple of a system, y = c A x; c a number or an array over the batch axes."""

    scale: Any
    A: LinearSystem

    def _forward(self, x: Array) -> Array:
        return self._factor(len(self.out_shape)) * self.A._forward(x)

    def _adjoint(self, y: Array) -> Array:
        return _conj(self._factor(len(self.in_shape))) * self.A._adjoint(y)

    def _normal(self, x: Array) -> Array:
        c = self._factor(len(self.in_shape))
        return (_conj(c) * c) * self.A._normal(x)

    def _factor(self, n_core: int) -> Any:
        c = self.scale
        if is_array(c) and c.ndim:
            return c[(..., *(None,) * n_core)]  # (*batch, 1, …, 1)
        return c


def _conj(c: Any) -> Any:
    """Conjugate of a number, or of an array of any kind."""
    if not is_array(c):
        return c.conjugate()
    xp = array_namespace(c)
    return xp.conj(c) if xp.isdtype(c.dtype, "complex floating") else c


@system
class Weighted(SameSamples):
    """System whose measurements are weighted, y = W A x with a real diagonal W.

    Args:
        weights: Real (*batch, *out_shape); any length may be one.
        A: System.
    """

    weights: Array
    A: LinearSystem

    @functools.cached_property
    def outer_diagonal(self) -> Array | None:
        inner = self.A.outer_diagonal
        return None if inner is None else self.weights * self.weights * inner

    def weigh(self, y: Array) -> Array:
        return self.weights * self.A.weigh(y)

    def sampling(self, y: Array) -> Array:
        return self.A.sampling(y) * self.weights

    def masked(self, weights: Array) -> LinearSystem:
        return Weighted(self.weights * weights, self.A)

    def _forward(self, x: Array) -> Array:
        return self.weights * self.A._forward(x)

    def _adjoint(self, y: Array) -> Array:
        return self.A._adjoint(self.weights * y)


@system
class Stack(LinearSystem):
    """Several systems of the same image, y = (A₁x, A₂x, …) on a new axis before `out_shape`."""

    systems: tuple[LinearSystem, ...]

    def __post_init__(self) -> None:
        shapes = {(a.in_shape, a.out_shape) for a in self.systems}
        if len(shapes) != 1:
            raise ValueError(f"stack: all systems must have the same shapes, got {sorted(shapes)}.")

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.systems[0].in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (len(self.systems), *self.systems[0].out_shape)

    def _forward(self, x: Array) -> Array:
        axis = -len(self.out_shape)
        return array_namespace(x).stack([a._forward(x) for a in self.systems], axis=axis)

    def _adjoint(self, y: Array) -> Array:
        core = (slice(None),) * (len(self.out_shape) - 1)
        return sum(a._adjoint(y[(..., i, *core)]) for i, a in enumerate(self.systems))

    def _normal(self, x: Array) -> Array:
        return sum(a._normal(x) for a in self.systems)


def stack(systems: Sequence[LinearSystem]) -> LinearSystem:
    """System that measures one image with several systems of the same shapes.

    Args:
        systems: At least one system; all with the same `in_shape` and `out_shape`.

    Raises:
        ValueError: If there are none, or their shapes differ.
    """
    return Stack(tuple(systems))
