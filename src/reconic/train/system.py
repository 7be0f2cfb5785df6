"""Forward models by name: builds the system of a batch from the batch's arrays."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

import reconic.systems
from reconic._users import named_module
from reconic.operator import LinearSystem
from reconic.operator.system import admit

__all__ = ["SystemFactory"]


class SystemFactory:
    """Makes the system of a batch: its array fields are the batch's entries of the same names.

    Attributes:
        cls: Class of the system.
        arrays: Names of its array fields.
        optional: Those that have a default, so that a batch may be without them.
        n_space: Number of spatial axes of its images.

    Args:
        class_path: System by its name in `reconic.systems`, or by its full import path.
        init_args: Values of the system's static fields.

    Raises:
        ValueError: If there is no such system, or it has no such static field.
    """

    def __init__(
        self, class_path: str = "CartesianMRI", init_args: dict[str, Any] | None = None
    ) -> None:
        self.cls = _find(class_path)
        self.init_args = dict(init_args or {})
        fields = dataclasses.fields(self.cls)  # pyright: ignore[reportArgumentType]
        static = [f.name for f in fields if f.metadata.get("static")]
        self.arrays = [f.name for f in fields if f.name not in static]
        self.optional = [f.name for f in fields if f.default is None and f.name not in static]
        for name in self.init_args:
            if name not in static:
                raise ValueError(
                    f"system: `init_args` of {self.cls.__name__} must be among "
                    f"{', '.join(static)}, got {name!r}.{_suggest(name, static)}"
                )
        defaults = {f.name: f.default for f in fields}
        self.n_space: int = {**defaults, **self.init_args}.get("n_space", 2)

    def __call__(self, batch: Mapping[str, Any]) -> LinearSystem:
        """System of a batch.

        Raises:
            KeyError: If the batch lacks an array that the system needs.
        """
        missing = [n for n in self.arrays if n not in batch and n not in self.optional]
        if missing:
            needed = [n for n in self.arrays if n not in self.optional]
            raise KeyError(
                f"{self.cls.__name__}: the data must have {', '.join(needed)}, got "
                f"{', '.join(batch)}. Choose a system that these data fit."
            )
        given = {name: batch[name] for name in self.arrays if name in batch}
        return self.cls(**given, **self.init_args)

    def measured(self, batch: Mapping[str, Any], weighted: bool = True) -> tuple[Any, LinearSystem]:
        """Measurements of a batch, weighted as its system weights them, and that system.

        Args:
            batch: Arrays by name.
            weighted: Whether to use density weights `dcf`, if there are some. They make Aᴴy an
                image, but the noise of a least-squares solution larger.
        """
        A = self({k: v for k, v in batch.items() if weighted or k != "dcf"})
        return A.weigh(batch["y"]), A

    @property
    def adjoint_title(self) -> str:
        """What figures call Aᴴy: gridding, where samples do not lie on a grid."""
        return "Gridding" if "traj" in self.arrays else "Zero-filled"

    @property
    def coil_axis(self) -> int | None:
        """Axis of the coils in `maps` of one example; None for a system without coils."""
        return int(self.init_args.get("sets", False)) if "maps" in self.arrays else None


def _find(class_path: str) -> type[LinearSystem]:
    module, _, name = class_path.rpartition(".")
    try:
        home = named_module(module) if module else reconic.systems
    except ValueError as error:
        raise ValueError(
            f"system: `class_path` must be importable, got {class_path!r}: {error}"
        ) from error
    found = getattr(home, name, None)
    if not (isinstance(found, type) and issubclass(found, LinearSystem)):
        known = [
            n for n, v in vars(home).items() if isinstance(v, type) and issubclass(v, LinearSystem)
        ]
        there = ", ".join(known) or f"there is none in {home.__file__}"
        raise ValueError(
            f"system: `class_path` must name a LinearSystem ({there}), got {class_path!r}."
            f"{_suggest(name, known)}"
        )
    admit(found)
    return found


def _suggest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
