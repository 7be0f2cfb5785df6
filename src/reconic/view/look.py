"""How values are turned into colours at a moment: of each layer, and of errors."""

from __future__ import annotations

from dataclasses import dataclass

from reconic.view.colours import GREY, usual_colours
from reconic.view.scene import Component, Layer, Scene
from reconic.view.state import State

__all__ = ["Look", "error_top", "look_of"]


@dataclass(frozen=True)
class Look:
    """What is shown of values, and in which colours.

    Attributes:
        component: What of the values.
        window: Values shown darkest and brightest.
        colours: Name of the colour map.
    """

    component: Component
    window: tuple[float, float]
    colours: str


def look_of(scene: Scene, layer: Layer, state: State) -> Look:
    """How a layer is shown; of largest magnitudes there is neither phase nor part."""
    component = layer.component or state.component
    signed = component == "real" and not layer.source.is_complex
    if state.projection and component != "log" and not signed:
        component = "magnitude"
    window = layer.window or _window(scene, component, state)
    colours = layer.colours or usual_colours(component)
    if colours == GREY:
        colours = scene.colours or GREY
    return Look(component, window, colours)


def _window(scene: Scene, component: Component, state: State) -> tuple[float, float]:
    """Window of the moment for its component and for parts beside a magnitude, else the first."""
    if component == state.component:
        return state.window
    if component in ("real", "imaginary") and state.component == "magnitude":
        return (-state.window[1], state.window[1])
    return scene.window_of(component)


def error_top(scene: Scene, state: State) -> float:
    """Value that errors, times their factor, are shown brightest at: what the window spans."""
    if state.component in ("phase", "log"):
        return scene.window_of("magnitude")[1]
    return state.window[1] - state.window[0]
