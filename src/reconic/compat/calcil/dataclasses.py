"""CalCIL's dataclasses that are pytrees, and the list of those alive."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, dataclass_transform
from weakref import WeakSet

import jax

__all__ = [
    "dataclass",
    "get_dataclass_instances",
    "register_dataclass_instance",
    "reset_dataclass_instances",
]

_T = TypeVar("_T")
_alive: WeakSet[Any] = WeakSet()


@dataclass_transform(frozen_default=True)
def dataclass(cls: type[_T]) -> type[_T]:
    """Frozen dataclass that is a pytree, with `replace`; its instances are listed.

    Fields with the metadata `{"pytree_node": False}` are static. Two instances are equal only if
    they are one, since arrays do not compare.
    """

    def replace(self: Any, **changes: Any) -> Any:
        """Same object with other values of some fields."""
        return dataclasses.replace(self, **changes)

    made: Any = cls
    made.__post_init__, made.replace = register_dataclass_instance, replace
    made = dataclasses.dataclass(frozen=True, eq=False)(made)
    static = [f.name for f in dataclasses.fields(made) if not f.metadata.get("pytree_node", True)]
    moving = [f.name for f in dataclasses.fields(made) if f.name not in static]
    return jax.tree_util.register_dataclass(made, moving, static)


def register_dataclass_instance(ins: Any) -> None:
    """Put an object on the list."""
    _alive.add(ins)


def get_dataclass_instances(serialize: bool = False) -> list[Any]:
    """Objects that are alive; with `serialize` (dict of the fields that are not static, class)."""
    return [(_state(x), type(x)) for x in _alive] if serialize else list(_alive)


def reset_dataclass_instances() -> None:
    """Empty the list."""
    _alive.clear()


def _state(x: Any) -> Any:
    if not dataclasses.is_dataclass(x):
        return x
    fields = (f for f in dataclasses.fields(x) if f.metadata.get("pytree_node", True))
    return {f.name: _state(getattr(x, f.name)) for f in fields}
