"""Making a viewer of layers and axes: options are looked at, the rest is found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reconic.view.axes import Axes
from reconic.view.colours import table
from reconic.view.scene import COMPONENTS, Component, Layer, Layout, Scene
from reconic.view.viewer import Viewer

__all__ = ["make_viewer"]

_REAL: tuple[Component, ...] = ("real", "magnitude", "log")


def make_viewer(
    layers: Sequence[Layer],
    axes: Axes,
    *,
    layout: Layout = "panels",
    component: Component | None = None,
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
    colours: str | None = None,
    reference: int | None = None,
    error_scale: float = 5.0,
    start: tuple[int, ...] | None = None,
    projection: bool = False,
    notes: tuple[str, ...] = (),
) -> Viewer:
    """Viewer of a scene; what is wrong with its layers is added to its notes."""
    has_complex = any(x.source.is_complex for x in layers)
    _check(window, percentiles, colours, error_scale)
    scene = Scene(
        layers=tuple(layers),
        axes=axes.names,
        shown=axes.shown,
        index=start or axes.start,
        spacing=axes.spacing,
        units=axes.units,
        layout=layout,
        volume=axes.volume,
        component=component or ("magnitude" if has_complex else "real"),
        choices=_choices(layers, has_complex),
        window=window,
        percentiles=percentiles,
        colours=colours,
        reference=reference,
        error_scale=error_scale,
        play=axes.time,
        projection=projection,
        notes=(*notes, *_notes(layers)),
    )
    return Viewer(scene)


def _choices(layers: Sequence[Layer], has_complex: bool) -> tuple[Component, ...]:
    if all(x.component is not None for x in layers):
        return ("magnitude",)
    return COMPONENTS if has_complex else _REAL


def _check(
    window: tuple[float, float] | None,
    percentiles: tuple[float | None, float],
    colours: str | None,
    error_scale: float,
) -> None:
    if window is not None and not (np.all(np.isfinite(window)) and window[0] < window[1]):
        raise ValueError(
            f"view: `window` must be two finite values, the lower first, got {window}. Leave it "
            "out to have it found."
        )
    low, high = percentiles
    if not 0 <= (low or 0.0) < high <= 100:
        raise ValueError(
            f"view: `percentiles` must be within 0 to 100, the lower first, got {percentiles}. "
            "Try (1, 99)."
        )
    if not 0 < error_scale < math.inf:
        raise ValueError(f"view: `error_scale` must be positive, got {error_scale}. Try 5.")
    if colours is not None:
        table(colours)


def _notes(layers: Sequence[Layer]) -> tuple[str, ...]:
    """What is wrong with each source, once, by title where there are several."""
    by_source = {id(x.source): x for x in layers}
    several = len(by_source) > 1
    return tuple(
        f"{x.title}: {note}" if several else note
        for x in by_source.values()
        for note in x.source.notes
    )
