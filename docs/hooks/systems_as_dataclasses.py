"""Tells Griffe that `@system` makes a dataclass: signatures of systems then have their fields."""

from __future__ import annotations

from typing import Any

import griffe

_NAMES = {"reconic.operator.system": "dataclass", "reconic.operator.static": "field"}


class SystemsAsDataclasses(griffe.Extension):
    """Reads `@system` as `@dataclass`, and `static()` as `field()`."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Rename what a class of the source is made with."""
        for decorator in cls.decorators:
            decorator.value = _renamed(decorator.value)
        for attribute in cls.members.values():
            value = attribute.value if isinstance(attribute, griffe.Attribute) else None
            if isinstance(value, griffe.ExprCall):
                value.function = _renamed(value.function)


def _renamed(value: Any) -> Any:
    path = value.canonical_path if isinstance(value, griffe.Expr) else ""
    name = _NAMES.get(path.replace("operator.system.", "operator."))
    return griffe.ExprName(name, parent=griffe.ExprName("dataclasses")) if name else value
