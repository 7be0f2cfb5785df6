"""The pictures of a scene: the same for notebooks and for files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reconic.view.colours import ERROR
from reconic.view.look import error_top, look_of
from reconic.view.marks import crosshair, scale_bar
from reconic.view.picture import Picture, draw_values, nearest
from reconic.view.scene import Layer, Scene
from reconic.view.sizing import columns_of, pixels_of, width_of
from reconic.view.state import State
from reconic.view.threads import together

__all__ = ["Artist", "Panel"]

Plan = Callable[[], "Panel"]


@dataclass(frozen=True)
class Panel:
    """One picture and what stands above it.

    Attributes:
        title: What it is of.
        picture: Its pixels.
        width: Width that it is shown with.
        note: What is wrong with it, or nothing.
    """

    title: str
    picture: Picture
    width: int
    note: str = ""


class Artist:
    """Draws a scene; planes that a change leaves as they were are not read again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._kept: dict[tuple, tuple[tuple, np.ndarray]] = {}

    def panels(self, state: State) -> list[list[Panel]]:
        """Pictures in rows: the planes of one layer, or all layers and below them their errors."""
        rows = self._plans(state)
        drawn = iter(together([plan for row in rows for plan in row]))
        return [[next(drawn) for _ in row] for row in rows]

    def _plans(self, state: State) -> list[list[Plan]]:
        """What draws each picture, once all values are read: files are for one thread."""
        scene = self.scene
        layers = range(len(scene.layers))
        if scene.layout == "planes" and len(layers) == 1:
            return [[self._image(0, axes, state) for axes in scene.views]]
        rows: list[list[Plan]] = []
        for axes in self._views(state):
            rows += _wrapped([self._image(i, axes, state) for i in layers])
            if state.errors and scene.reference is not None:
                errors = [self._error(i, axes, state) for i in layers if i != scene.reference]
                rows += _wrapped([e for e in errors if e is not None])
        return rows

    def _image(self, i: int, axes: tuple[int, int], state: State) -> Plan:
        """Draws a layer in a plane."""
        layer, peak = self.scene.layers[i], self.scene.peak
        look = look_of(self.scene, layer, state)
        values = self.values(i, axes, state)
        title = self._title(layer, axes, state)

        def draw() -> Panel:
            thin = _thinned(values, pixels_of(self.scene, axes, values.shape))
            picture = draw_values(thin, look.component, look.window, look.colours, peak)
            bad = int(values.size - np.count_nonzero(np.isfinite(values)))
            note = f"{bad} values are NaN or Inf: green" if bad else ""
            return self._finished(picture, axes, values.shape, state, title, note)

        return draw

    def _error(self, i: int, axes: tuple[int, int], state: State) -> Plan | None:
        """Draws |layer - reference| times `error_scale`; None where their shapes differ."""
        scene = self.scene
        assert scene.reference is not None
        truth, x = (self.values(j, axes, state) for j in (scene.reference, i))
        top = error_top(scene, state) / state.error_scale
        if truth.shape != x.shape:
            return None

        def draw() -> Panel:
            error = np.abs(np.subtract(x, truth, dtype=np.result_type(truth, x, np.float32)))
            picture = draw_values(error, "magnitude", (0.0, top), ERROR)
            size = float(np.linalg.norm(truth))
            score = f", NRMSE {float(np.linalg.norm(error)) / size:.3g} here" if size > 0 else ""
            title = f"|error of {scene.layers[i].title}| × {state.error_scale:g}{score}"
            return self._finished(picture, axes, x.shape, state, title)

        return draw

    def values(self, i: int, axes: tuple[int, int], state: State) -> np.ndarray:
        """Values of a layer in a plane, or the largest magnitudes along its depth."""
        along = self.scene.depth(axes) if state.projection else None
        free = (*axes, along)
        key = (along, tuple(-1 if a in free else k for a, k in enumerate(state.index)))
        kept = self._kept.get((i, axes))
        if kept is None or kept[0] != key:
            source = self.scene.layers[i].source
            if along is None:
                values = source.plane(axes, state.index)
            else:
                values = source.projection(axes, state.index, along)
            kept = self._kept[i, axes] = (key, values)
        return kept[1]

    def _views(self, state: State) -> tuple[tuple[int, int], ...]:
        return self.scene.views if self.scene.layout == "planes" else (state.shown,)

    def _title(self, layer: Layer, axes: tuple[int, int], state: State) -> str:
        names = self.scene.axes
        along = self.scene.depth(axes)
        if state.projection and along is not None:
            return f"{layer.title}, largest along {names[along]}".lstrip(", ")
        if self.scene.layout == "planes" and along is not None:
            return f"{layer.title}, {names[along]} = {state.index[along]}".lstrip(", ")
        return layer.title

    def _finished(
        self,
        picture: Picture,
        axes: tuple[int, int],
        shape: tuple[int, int],
        state: State,
        title: str,
        note: str = "",
    ) -> Panel:
        """The picture in its physical proportions, with marks as large as it is shown."""
        scene, width = self.scene, width_of(self.scene, axes)
        sized = picture.resized(*pixels_of(scene, axes, shape))
        larger = max(1, round(sized.pixels.shape[1] / width))
        if state.crosshair:
            row, column = ((state.index[a] + 0.5) / scene.shape[a] for a in axes)
            crosshair(sized, row, column, larger)
        if scene.units[axes[1]]:
            scale_bar(sized, scene.extent(axes)[1], scene.units[axes[1]], larger)
        return Panel(title, sized, width, note)


def _thinned(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`x` with no more rows and columns than `size`, before they cost time."""
    return nearest(x, min(size[0], x.shape[0]), min(size[1], x.shape[1]))


def _wrapped(plans: list[Plan]) -> list[list[Plan]]:
    columns = max(1, columns_of(len(plans)))
    return [plans[i : i + columns] for i in range(0, len(plans), columns)]
