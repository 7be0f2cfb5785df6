"""Colour bars: which values the colours of a scene stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reconic.view.colours import ERROR, GREY
from reconic.view.look import error_top, look_of
from reconic.view.picture import LEVELS, Picture, draw_values
from reconic.view.scene import Component, Scene
from reconic.view.state import State

__all__ = ["Bar", "bars"]

_NAMES: dict[Component, str] = {
    "phase": "phase in rad",
    "log": "dB of the largest magnitude",
    "real": "value",
    "imaginary": "value",
    "complex": "magnitude; hue is phase",
}


@dataclass(frozen=True)
class Bar:
    """A ramp of colours.

    Attributes:
        label: What the colours stand for.
        low: Value at the left end.
        high: Value at the right end.
        colours: Name of the colour map.
    """

    label: str
    low: float
    high: float
    colours: str

    def picture(self, height: int = 10, width: int = 160) -> Picture:
        """The ramp, from left to right."""
        ramp = np.broadcast_to(np.linspace(0, 1, LEVELS), (1, LEVELS))
        return draw_values(ramp, "real", (0.0, 1.0), self.colours).resized(height, width)


def bars(scene: Scene, state: State) -> list[Bar]:
    """Bars of all colours that are shown, each once."""
    found: dict[Bar, None] = {}
    for layer in scene.layers:
        look = look_of(scene, layer, state)
        label = layer.title if layer.window else _NAMES.get(look.component, look.component)
        ramp = GREY if look.component == "complex" else look.colours
        found[Bar(label, *look.window, ramp)] = None
    if state.errors and scene.reference is not None:
        found[Bar("|error|", 0.0, error_top(scene, state) / state.error_scale, ERROR)] = None
    return list(found)
