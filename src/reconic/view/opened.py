"""What opening a file gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Kind", "NotShown", "Opened"]

Kind = Literal["volume", "complex", "kspace", "maps", "trajectory"]


@dataclass(frozen=True)
class Opened:
    """An array in a file.

    Attributes:
        array: What the viewing function of its kind takes.
        spacing: Size of a voxel along each of the last axes, in mm; None where it is not known.
        kind: What it shows; None where the file does not say.
        axes: Names of its axes; None where they are the usual ones.
        samples: Of a trajectory, the magnitudes at its places.
        notes: What was left out or guessed, each in a line.
    """

    array: Any
    spacing: tuple[float, ...] | None = None
    kind: Kind | None = None
    axes: tuple[str, ...] | None = None
    samples: Any = None
    notes: tuple[str, ...] = ()


class NotShown(ValueError):
    """A file is whole, but holds nothing that can be shown."""
