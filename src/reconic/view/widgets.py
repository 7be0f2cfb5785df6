"""The viewer that is made of ipywidgets alone: it works offline in every notebook."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets

from reconic.view.bars import Bar, bars
from reconic.view.controls import Controls
from reconic.view.draw import Artist, Panel
from reconic.view.look import look_of
from reconic.view.profile import draw_profile
from reconic.view.scene import Scene, component_of
from reconic.view.state import State
from reconic.view.threads import together

__all__ = ["Front"]


class Front(ipywidgets.VBox):
    """Pictures of a scene and the controls below them.

    A frame is drawn before the message that asked for it is answered. ipywidgets in the browser
    holds back what a slider does until then, and sends only its last value: dragging never queues.

    Attributes:
        scene: What is looked at.
        shows: What of it is shown.
        controls: The controls.
        images: Image widgets in rows, as they stand.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene, self.shows = scene, State.first(scene)
        self.controls = Controls(scene, self.shows)
        self.images: list[list[Any]] = []
        self._titles: list[list[Any]] = []
        self._artist, self._quiet, self._link = Artist(scene), False, None
        self._pictures, self._bars = ipywidgets.VBox(), ipywidgets.HTML()
        self.curves = ipywidgets.Image(layout=ipywidgets.Layout(width="640px", display="none"))
        notes = ipywidgets.HTML("".join(f"<b>{html.escape(n)}</b><br>" for n in scene.notes))
        super().__init__([notes, self._pictures, self._bars, self.curves, self.controls])
        self._set_window()
        self._play_over(self.controls.over.value)
        self._watch()
        self._show_sliders()
        self._draw()

    def _watch(self) -> None:
        c = self.controls
        for axis, slider in c.index.items():
            self._on(slider, lambda i, axis=axis: {"index": self._moved(axis, i)})
        self._on(c.shown, lambda axes: {"shown": axes})
        self._on(c.component, lambda x: {"component": x, "window": self.scene.window_of(x)})
        self._on(c.window, lambda w: {"window": w if w[0] < w[1] else self.shows.window})
        self._on(c.percentiles, lambda p: {"window": self._between(*p)})
        self._on(c.projection, lambda on: {"projection": on})
        self._on(c.errors, lambda on: {"errors": on})
        self._on(c.error_scale, lambda k: {"error_scale": k})
        self._on(c.profile, lambda _: {"crosshair": self._crosshair()})
        c.over.observe(lambda change: self._play_over(change.new), "value")

    def _on(self, control: Any, change: Callable[[Any], dict[str, Any]]) -> None:
        """Show what a control sets, whenever it does."""
        control.observe(lambda event: self._show(change(event.new)), "value")

    def _show(self, changes: dict[str, Any]) -> None:
        if self._quiet:
            return
        self.shows = replace(self.shows, **changes)
        if "window" in changes:
            self._set_window()
        self._show_sliders()
        self._draw()

    def _moved(self, axis: int, i: int) -> tuple[int, ...]:
        return tuple(i if a == axis else k for a, k in enumerate(self.shows.index))

    def _between(self, low: float, high: float) -> tuple[float, float]:
        return self.scene.percentile_window(self.shows.component, low, high)

    def _crosshair(self) -> bool:
        return self.scene.layout == "planes" or self.controls.profile.value is not None

    def _set_window(self) -> None:
        """The slider of the window follows, and does not answer."""
        self._quiet = True
        try:
            self.controls.fit_window(self.scene, self.shows)
        finally:
            self._quiet = False

    def _show_sliders(self) -> None:
        """Sliders of what the pictures do not cover, or the crosshair marks."""
        covered = () if self.shows.crosshair else self.shows.shown
        self.controls.show_index([a for a in range(len(self.scene.axes)) if a not in covered])

    def _play_over(self, axis: int | None) -> None:
        """Join the player to a slider; in the browser, so that the slider holds frames back."""
        if axis is None:
            return
        if self._link is not None:
            self._link.unlink()
        play, slider = self.controls.play, self.controls.index[axis]
        play.max, play.value = slider.max, slider.value
        self._link = ipywidgets.jslink((play, "value"), (slider, "value"))

    def _draw(self) -> None:
        rows = self._artist.panels(self.shows)
        if [len(row) for row in rows] != [len(row) for row in self.images]:
            self._arrange(rows)
        packed = iter(together([panel.picture.png for row in rows for panel in row]))
        for row, images, titles in zip(rows, self.images, self._titles, strict=True):
            for panel, image, title in zip(row, images, titles, strict=True):
                note = f" <b>{html.escape(panel.note)}</b>" if panel.note else ""
                title.value = f"{html.escape(panel.title)}{note}"
                image.value, image.layout.width = next(packed), f"{panel.width}px"
        self._bars.value = "".join(map(_bar, bars(self.scene, self.shows)))
        self._draw_curves()

    def _arrange(self, rows: list[list[Panel]]) -> None:
        """As many image widgets as there are pictures."""
        self.images = [[ipywidgets.Image(format="png") for _ in row] for row in rows]
        self._titles = [[ipywidgets.HTML() for _ in row] for row in rows]
        self._pictures.children = [
            ipywidgets.HBox(
                [ipywidgets.VBox(pair) for pair in zip(titles, images, strict=True)],
                layout=ipywidgets.Layout(flex_flow="row wrap"),
            )
            for titles, images in zip(self._titles, self.images, strict=True)
        ]

    def _draw_curves(self) -> None:
        axis, scene = self.controls.profile.value, self.scene
        self.curves.layout.display = "none" if axis is None else ""
        if axis is None:
            return
        lines = {}
        for layer in scene.layers:
            look = look_of(scene, layer, replace(self.shows, projection=False))
            values = layer.source.line(axis, self.shows.index)
            lines[layer.title] = component_of(values, look.component, scene.peak)
        n = scene.shape[axis]
        picture = draw_profile(
            lines,
            self.shows.window,
            f"{scene.axes[axis]} in {scene.units[axis] or 'voxels'}",
            n * scene.spacing[axis],
            (self.shows.index[axis] + 0.5) / n,
        )
        self.curves.value = picture.png()


def _bar(bar: Bar) -> str:
    """A colour bar with its ends and its meaning, as HTML."""
    data = base64.b64encode(bar.picture().png()).decode()
    label = html.escape(f"{bar.low:.4g} to {bar.high:.4g}, {bar.label}")
    return f'<img src="data:image/png;base64,{data}" style="vertical-align: middle"> {label}<br>'
