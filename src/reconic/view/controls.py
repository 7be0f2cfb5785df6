"""Controls of the viewer that is made of ipywidgets alone."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from reconic.view.scene import Component, Scene, component_of
from reconic.view.state import State

__all__ = ["Controls", "span"]


class Controls(ipywidgets.HBox):
    """Widgets by what they set; those that a scene has no use for are hidden.

    Attributes:
        index: Slider of each axis that is longer than 1.
        over: Which axis is played.
        play: Plays it.
        shown: Which plane is shown.
        component: What is shown of the values.
        window: Values shown darkest and brightest.
        percentiles: Percentiles that set `window`.
        projection: Whether the maximum along the depth is shown.
        errors: Whether errors are shown.
        error_scale: Factor on them.
        profile: Axis along which values are drawn as curves, or None.
    """

    def __init__(self, scene: Scene, state: State) -> None:
        truth = scene.reference is not None
        long = [a for a, n in enumerate(scene.shape) if n > 1]
        names = {a: scene.axes[a] for a in long}
        self.index = {
            a: _shown(
                ipywidgets.IntSlider(state.index[a], 0, scene.shape[a] - 1, description=n, **_own())
            )
            for a, n in names.items()
        }
        first = scene.play if scene.play is not None else next(iter(scene.sliders or long), None)
        self.over = _menu("play over", [(n, a) for a, n in names.items()], first)
        self.play = ipywidgets.Play(interval=100, show_repeat=True)
        self.shown = _menu("plane", _planes(scene), scene.shown)
        self.component = _menu("show", scene.choices, state.component)
        self.window = ipywidgets.FloatRangeSlider(
            description="window", readout_format=".3g", **_own()
        )
        self.percentiles = ipywidgets.FloatRangeSlider(
            value=_percentiles(scene), min=0, max=100, step=0.1, description="percentiles", **_own()
        )
        own = all(x.window is not None for x in scene.layers)
        _shown(self.window, not own)
        _shown(self.percentiles, not own)
        self.projection = _box("maximum along the depth", state.projection)
        _shown(self.projection, scene.depth(scene.shown) is not None)
        self.errors = _shown(_box("errors", state.errors), truth)
        self.error_scale = ipywidgets.FloatLogSlider(
            state.error_scale, min=-1, max=3, step=0.05, description="errors ×", **_own()
        )
        _shown(self.error_scale, truth)
        curves = [("none", None), *((n, a) for a, n in names.items())]
        self.profile = _shown(_menu("profile", curves, None), bool(names))
        player = _shown(ipywidgets.HBox([self.over, self.play]), bool(names))
        where = ipywidgets.VBox([*self.index.values(), player, self.shown, self.projection])
        how = ipywidgets.VBox(
            [
                *(self.component, self.window, self.percentiles),
                *(self.errors, self.error_scale, self.profile),
            ]
        )
        super().__init__([where, how], layout=ipywidgets.Layout(flex_flow="row wrap"))

    def fit_window(self, scene: Scene, state: State) -> None:
        """Let the slider of the window reach over all values, and stand at the window shown."""
        low, high = span(scene, state.component)
        low, high = min(low, state.window[0]), max(high, state.window[1])
        with self.window.hold_trait_notifications():
            self.window.min, self.window.max = low, high
            self.window.step = (high - low) / 500
            self.window.value = state.window

    def show_index(self, axes: list[int]) -> None:
        """Show the sliders of these axes, hide the others."""
        for a, slider in self.index.items():
            _shown(slider, a in axes)


def span(scene: Scene, component: Component) -> tuple[float, float]:
    """Least and greatest value of a component in the samples, and at least its window."""
    low, high = scene.window_of(component)
    if component == "phase":
        return low, high
    if component == "log":
        return low - 80, high
    samples = [component_of(x.source.finite(), component) for x in scene.layers]
    lowest = min(float(np.min(s, initial=low)) for s in samples)
    return lowest, max(float(np.max(s, initial=high)) for s in samples)


def _percentiles(scene: Scene) -> tuple[float, float]:
    low, high = scene.percentiles
    return (low or 0.0, high)


def _planes(scene: Scene) -> list[tuple[str, tuple[int, int]]]:
    """Planes of a volume that are shown one at a time."""
    if scene.layout == "planes":
        return [("", scene.shown)]
    z, y, x = scene.volume or (None, *scene.shown)
    found = [(y, x)] if z is None else [(y, x), (z, x), (z, y)]
    return [(f"{scene.axes[d]} × {scene.axes[r]}", (d, r)) for d, r in found]


def _own() -> dict[str, Any]:
    """Style and layout of a control, its own, so that it alone can be hidden."""
    return {
        "style": {"description_width": "90px"},
        "layout": ipywidgets.Layout(width="400px"),
    }


def _menu(description: str, options: Any, value: Any) -> Any:
    """Menu, hidden where there is no choice."""
    menu = ipywidgets.Dropdown(options=options, value=value, description=description, **_own())
    if value is None and options:
        menu.index = 0  # else ipywidgets takes None for "nothing is chosen"
    menu.layout.width = "260px"
    return _shown(menu, len(options) > 1)


def _box(description: str, value: bool) -> Any:
    return ipywidgets.Checkbox(value, description=description, **_own())


def _shown(widget: Any, visible: bool = True) -> Any:
    widget.layout.display = "" if visible else "none"
    return widget
