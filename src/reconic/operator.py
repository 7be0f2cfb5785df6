"""Forward models: what a System is, and the algebra of linear ones.

A System is a frozen dataclass of arrays and static settings. It holds no state and takes no flags,
so the same object serves NumPy, torch and JAX; under JAX it is a pytree. An author writes
`_forward`, and for a `LinearSystem` the two core shapes; `_adjoint` and `_normal` are derived where
they are not written.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, dataclass_transform

from reconic._array import (
    Array,
    array_namespace,
    device,
    is_array,
    real_dtype,
    register_pytree,
    to_device,
    transpose_linear,
)

__all__ = ["Identity", "LinearSystem", "System", "stack", "static", "system"]

_unregistered: list[type] = []


def static(**kwargs: Any) -> Any:
    """Field that is a setting and not an array: fixed under jit, never differentiated.

    Args:
        **kwargs: Passed to `dataclasses.field`.
    """
    return dataclasses.field(metadata={"static": True}, **kwargs)


@dataclass_transform(frozen_default=True, field_specifiers=(static, dataclasses.field))
def system(cls: type) -> type:
    """Make a class a frozen dataclass of arrays and `static()` fields, a pytree to JAX."""
    cls = dataclasses.dataclass(frozen=True, eq=False)(cls)
    _unregistered.append(cls)
    return cls


def _register_pending() -> None:
    """Tell JAX of every System class, once JAX is in use; Reconic alone does not import it."""
    while _unregistered:
        cls = _unregistered.pop()
        fields = dataclasses.fields(cls)
        children = [f.name for f in fields if not f.metadata.get("static")]
        register_pytree(cls, children, [f.name for f in fields if f.metadata.get("static")])


class System:
    """A forward model, y = A(x)."""

    __array_ufunc__ = None  # so that NumPy leaves `scalar * A` to A

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: ARG004
        """Make an instance; registers pending classes with JAX if JAX is loaded."""
        if _unregistered and "jax" in sys.modules:
            _register_pending()
        return super().__new__(cls)

    def __call__(self, x: Array) -> Array:
        """Apply the forward model to `x`."""
        return self._forward(x)

    def _forward(self, x: Array) -> Array:  # noqa: ARG002
        raise TypeError(_unwritten(self, "_forward"))

    def children(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the fields that are not static."""
        for f in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            if not f.metadata.get("static"):
                yield f.name, getattr(self, f.name)

    def arrays(self) -> list[Array]:
        """All arrays of this system and of the systems it is made of."""
        found: list[Array] = []
        self.map(lambda a: found.append(a) or a)
        return found

    def map(self, fn: Callable[[Array], Array]) -> Self:
        """Same system with `fn` applied to each of its arrays."""

        def visit(value: Any) -> Any:
            if isinstance(value, System):
                return value.map(fn)
            if isinstance(value, tuple):
                return tuple(visit(v) for v in value)
            return fn(value) if is_array(value) else value

        return self.replace(**{name: visit(value) for name, value in self.children()})

    def replace(self, **fields: Any) -> Self:
        """Same system with some fields changed."""
        return dataclasses.replace(self, **fields)  # pyright: ignore[reportArgumentType]

    def to(self, place: Any) -> Self:
        """Same system with its arrays on the device `place`."""
        return self.map(lambda a: to_device(a, place))


def _unwritten(system: System, name: str) -> str:
    return f"{type(system).__name__}: `{name}` must be written, got none. Define it in the class."


class LinearSystem(System):
    """A linear forward model with its adjoint Aᴴ and normal operator AᴴA.

    Leading axes of inputs beyond `in_shape` (or `out_shape`) are batch axes; arrays of the system
    may carry batch axes of their own, which broadcast against them.
    """

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of one image x, without batch axes."""
        raise TypeError(_unwritten(self, "in_shape"))

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the measurements y of one image, without batch axes."""
        raise TypeError(_unwritten(self, "out_shape"))

    def __call__(self, x: Array) -> Array:
        """Measurements y = A x, shape (*batch, *out_shape), of x (*batch, *in_shape)."""
        self._check("x", x, self.in_shape)
        return self._forward(x)

    def adjoint(self, y: Array) -> Array:
        """Adjoint Aᴴy, shape (*batch, *in_shape), of y (*batch, *out_shape)."""
        self._check("y", y, self.out_shape)
        return self._adjoint(y)

    def normal(self, x: Array) -> Array:
        """Normal operator AᴴA x, shape (*batch, *in_shape), of x (*batch, *in_shape)."""
        self._check("x", x, self.in_shape)
        return self._normal(x)

    @property
    def H(self) -> LinearSystem:
        """Adjoint as a system."""
        return Adjoint(self)

    @property
    def N(self) -> LinearSystem:
        """Normal operator AᴴA as a system."""
        return Normal(self)

    @functools.cached_property
    def outer_diagonal(self) -> Array | float | None:
        """Diagonal d of AAᴴ, broadcasting against y, if AAᴴ is known to be diagonal; else None.

        With it (AᴴA + λI) x = Aᴴy + λr has the solution r + Aᴴ((y - A r) / (d + λ)).
        """
        return None

    def sampling(self, y: Array) -> Array:
        """Real array that broadcasts against y: positive where y is measured, zero elsewhere."""
        xp = array_namespace(y)
        return xp.ones((1,) * len(self.out_shape), dtype=real_dtype(y), device=device(y))

    def masked(self, weights: Array) -> LinearSystem:
        """System W A, which measures a weighted part of what this one measures.

        Args:
            weights: Real, (*batch, *out_shape); any length may be one. Zeros leave samples out.
        """
        return Weighted(weights, self)

    def _adjoint(self, y: Array) -> Array:
        n = len(self.out_shape)
        batch = tuple(y.shape)[: y.ndim - n]
        return transpose_linear(self._forward, (*batch, *self.in_shape), y)

    def _normal(self, x: Array) -> Array:
        return self._adjoint(self._forward(x))

    def _check(self, name: str, value: Array, core: tuple[int, ...]) -> None:
        where = f"{type(self).__name__}({name})"
        if not is_array(value):
            raise TypeError(
                f"{where}: `{name}` must be an array, got {type(value).__name__}. "
                f"Pass a NumPy, torch or JAX array."
            )
        xp = array_namespace(value)
        if not xp.isdtype(value.dtype, ("real floating", "complex floating")):
            raise TypeError(f"{where}: `{name}` must be floating, got {value.dtype}. Cast it.")
        shape = tuple(value.shape)
        if len(shape) < len(core) or shape[len(shape) - len(core) :] != core:
            wanted = ", ".join(("*batch", *map(str, core)))
            raise ValueError(f"{where}: `{name}` must have shape ({wanted}), got {shape}.")
        try:
            array_namespace(value, *self.arrays())
        except TypeError:
            kinds = sorted({type(a).__module__.split(".")[0] for a in self.arrays()})
            raise TypeError(
                f"{where}: `{name}` must be of the same array library as the system "
                f"({', '.join(kinds)}), got {type(value).__module__.split('.')[0]}. Convert one."
            ) from None

    def __matmul__(self, other: LinearSystem) -> LinearSystem:
        """Composition, (A @ B)(x) = A(B(x))."""
        return Composed(self, other) if isinstance(other, LinearSystem) else NotImplemented

    def __add__(self, other: LinearSystem) -> LinearSystem:
        """Sum, (A + B)(x) = A(x) + B(x)."""
        return Sum(self, other) if isinstance(other, LinearSystem) else NotImplemented

    def __sub__(self, other: LinearSystem) -> LinearSystem:
        """Difference, (A - B)(x) = A(x) - B(x)."""
        return self + (-1) * other if isinstance(other, LinearSystem) else NotImplemented

    def __mul__(self, scale: Any) -> LinearSystem:
        """Scaling, (c A)(x) = c · A(x); c a number, or an array with one value per sample."""
        return NotImplemented if isinstance(scale, System) else Scaled(scale, self)

    __rmul__ = __mul__

    def __neg__(self) -> LinearSystem:
        """Negative, (-A)(x) = -A(x)."""
        return (-1) * self


@system
class Identity(LinearSystem):
    """Identity on arrays of one shape, y = x."""

    shape: tuple[int, ...] = static()

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.shape

    @functools.cached_property
    def outer_diagonal(self) -> float:
        return 1.0

    def _forward(self, x: Array) -> Array:
        return x

    def _adjoint(self, y: Array) -> Array:
        return y


@system
class Adjoint(LinearSystem):
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
class Normal(LinearSystem):
    """Normal operator of a system, y = AᴴA x; its own adjoint."""

    A: LinearSystem

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    def _forward(self, x: Array) -> Array:
        return self.A._normal(x)

    def _adjoint(self, y: Array) -> Array:
        return self.A._normal(y)


@system
class Composed(LinearSystem):
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

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    def _forward(self, x: Array) -> Array:
        return self.A._forward(self.B._forward(x))

    def _adjoint(self, y: Array) -> Array:
        return self.B._adjoint(self.A._adjoint(y))

    def _normal(self, x: Array) -> Array:
        return self.B._adjoint(self.A._normal(self.B._forward(x)))


@system
class Sum(LinearSystem):
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

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    def _forward(self, x: Array) -> Array:
        return self.A._forward(x) + self.B._forward(x)

    def _adjoint(self, y: Array) -> Array:
        return self.A._adjoint(y) + self.B._adjoint(y)


@system
class Scaled(LinearSystem):
    """Multiple of a system, y = c A x; c a number or an array over the batch axes."""

    scale: Any
    A: LinearSystem

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    def _forward(self, x: Array) -> Array:
        return self._factor(len(self.out_shape)) * self.A._forward(x)

    def _adjoint(self, y: Array) -> Array:
        c = self._factor(len(self.in_shape))
        if is_array(c):
            xp = array_namespace(c)
            c = xp.conj(c) if xp.isdtype(c.dtype, "complex floating") else c
        else:
            c = c.conjugate()
        return c * self.A._adjoint(y)

    def _factor(self, n_core: int) -> Any:
        c = self.scale
        if is_array(c) and c.ndim:
            return c[(..., *(None,) * n_core)]  # (*batch, 1, …, 1)
        return c


@system
class Weighted(LinearSystem):
    """System whose measurements are weighted, y = W A x with a real diagonal W.

    Args:
        weights: Real (*batch, *out_shape); any length may be one.
        A: System.
    """

    weights: Array
    A: LinearSystem

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.A.in_shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.A.out_shape

    @functools.cached_property
    def outer_diagonal(self) -> Array | None:
        inner = self.A.outer_diagonal
        return None if inner is None else self.weights * self.weights * inner

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
