"""What a System is: a forward model that is a frozen dataclass of arrays and static settings.

It holds no state and takes no flags, so the same object serves NumPy, torch and JAX; under JAX it
is a pytree. An author writes `_forward`.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar, dataclass_transform

from reconic._array import Array, is_array, is_constant, ordinary, register_pytree, to_device

__all__ = ["System", "static", "system", "unwritten"]

_Kept = TypeVar("_Kept")
_known: set[type] = set()
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
    _known.add(cls)
    _unregistered.append(cls)
    return cls


def admit(cls: type) -> None:
    """Take a class without `@system` that has the fields of the one it inherits from.

    Raises:
        TypeError: If it has fields of its own, or an `__init__` and none.
    """
    if cls in _known:
        return
    kinds = inspect.get_annotations(cls)
    own = [name for name, kind in kinds.items() if "ClassVar" not in str(kind)]
    fields = hasattr(cls, "__dataclass_fields__")
    if own or (not fields and cls.__init__ is not object.__init__):
        raise TypeError(
            f"{cls.__name__}: the class must be decorated with @system for its fields to be known, "
            "got none. Write `@system`, from reconic.operator, in the line above `class`."
        )
    _known.add(cls)
    if fields:
        _unregistered.append(cls)


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
        """Make an instance of a class with @system; JAX, if loaded, is told of pending ones."""
        admit(cls)
        if _unregistered and "jax" in sys.modules:
            _register_pending()
        return super().__new__(cls)

    def __call__(self, x: Array) -> Array:
        """Apply the forward model to `x`."""
        return self._forward(x)

    def _forward(self, x: Array) -> Array:  # noqa: ARG002
        raise TypeError(unwritten(self, "_forward"))

    def children(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the fields that are not static."""
        for f in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            if not f.metadata.get("static"):
                yield f.name, getattr(self, f.name)

    def arrays(self) -> list[Array]:
        """All arrays of this system and of the systems it is made of."""
        return [a for _, value in self.children() for a in _arrays(value)]

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

    def _once(self, name: str, make: Callable[[], _Kept], *inputs: Array | None) -> _Kept:
        """`make()`, kept under `name` unless `inputs` are traced or to be differentiated.

        Args:
            name: Attribute of this instance that keeps it; systems made from this one do not.
            make: Function of `inputs`, arrays of this system.
            *inputs: Arrays that it depends on; None is skipped.
        """
        if not is_constant(*inputs):
            return make()
        if name not in vars(self):
            with ordinary():
                vars(self)[name] = make()
        return vars(self)[name]


def _arrays(value: Any) -> Iterator[Array]:
    if isinstance(value, System):
        yield from value.arrays()
    elif isinstance(value, tuple):
        for v in value:
            yield from _arrays(v)
    elif is_array(value):
        yield value


def unwritten(system: System, name: str) -> str:
    """Message for a method that the author of a class has to write."""
    return f"{type(system).__name__}: `{name}` must be written, got none. Define it in the class."
