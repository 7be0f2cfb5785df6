"""The pictures of a scene: the same for notebooks and for files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reconic.view.colours import ERROR
from reconic.view.look import error_top, look_of
from reconic.view.marks import crosshair, scale_bar
from reconic.view.picture import Picture, draw_values, nearest
from reconic.view.scene import Layer, Scene
from reconic.view.sizing import columns_of, pixels_of, width_of
from reconic.view.state import State

__all__ = ["Artist", "Panel"]


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
        scene = self.scene
        layers = range(len(scene.layers))
        if scene.layout == "planes" and len(layers) == 1:
            return [[self.image(0, axes, state) for axes in scene.views]]
        rows: list[list[Panel]] = []
        for axes in self._views(state):
            rows += _wrapped([self.image(i, axes, state) for i in layers])
            if state.errors and scene.reference is not None:
                errors = [self.error(i, axes, state) for i in layers if i != scene.reference]
                rows += _wrapped([e for e in errors if e is not None])
        return rows

    def image(self, i: int, axes: tuple[int, int], state: State) -> Panel:
        """Picture of a layer in a plane."""
        layer = self.scene.layers[i]
        look = look_of(self.scene, layer, state)
        values = self.values(i, axes, state)
        thin = _thinned(values, pixels_of(self.scene, axes, values.shape))
        picture = draw_values(thin, look.component, look.window, look.colours, self.scene.peak)
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        note = f"{bad} values are NaN or Inf: green" if bad else ""
        title = self._title(layer, axes, state)
        return self._finished(picture, axes, values.shape, state, title, note)

    def error(self, i: int, axes: tuple[int, int], state: State) -> Panel | None:
        """Picture of |layer - reference| times `error_scale`; None where their shapes differ."""
        scene = self.scene
        assert scene.reference is not None
        truth, x = (self.values(j, axes, state) for j in (scene.reference, i))
        if truth.shape != x.shape:
            return None
        kind = np.result_type(truth, x, np.float32)
        error = np.abs(np.subtract(x, truth, dtype=kind))
        picture = draw_values(
            error * state.error_scale, "magnitude", (0.0, error_top(scene, state)), ERROR
        )
        size = float(np.linalg.norm(truth))
        score = f", NRMSE {float(np.linalg.norm(error)) / size:.3g} here" if size > 0 else ""
        title = f"|error of {scene.layers[i].title}| × {state.error_scale:g}{score}"
        return self._finished(picture, axes, x.shape, state, title)

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


def _wrapped(panels: list[Panel]) -> list[list[Panel]]:
    columns = max(1, columns_of(len(panels)))
    return [panels[i : i + columns] for i in range(0, len(panels), columns)]
