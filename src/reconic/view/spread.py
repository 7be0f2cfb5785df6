"""An image beside the standard deviation of each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reconic.view.figures import CELL, DPI, STYLE, middle, save_figure
from reconic.view.panels import ERROR_COLOURS, grey_scale

__all__ = ["spread_figure"]

_BAR = 0.62  # inches for a colour bar and its numbers
_TITLE, _MARGIN = 0.28, 0.1  # inches


def spread_figure(
    images: Mapping[str, tuple[np.ndarray, np.ndarray]],
    path: str | Path | None = None,
    truth: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draw images beside their standard deviations, and beside their errors where known.

    A row for each: the magnitude on a grey scale, the standard deviation, and, with a truth, the
    magnitude of the error, on the colour scale of the deviation.

    Args:
        images: By title, image (..., ny, nx), real or complex, and its standard deviation; of
            leading axes the middle is shown.
        path: File to save to; its ending is the format. None does not save.
        truth: True images, by the same titles.

    Returns:
        The figure, which belongs to no global state and needs no closing.

    Raises:
        ValueError: If there is no image, or shapes differ.
    """
    truth = truth or {}
    _check(images, truth)
    rows = {
        title: [
            middle(np.asarray(a)) for a in (*pair, *((truth[title],) if title in truth else ()))
        ]
        for title, pair in images.items()
    }
    with matplotlib.rc_context(STYLE):
        figure, panels = _grid([(row[0].shape, len(row)) for row in rows.values()])
        for (title, (mean, std, *true)), cells in zip(rows.items(), panels, strict=True):
            _panel(cells[0], np.abs(mean), title, "gray", grey_scale([mean]))
            _panel(cells[1], std, "Standard deviation", ERROR_COLOURS, limit := _limit(std))
            for x in true:
                _panel(cells[2], np.abs(mean - x), "|Error|", ERROR_COLOURS, limit)
    if path is not None:
        save_figure(figure, path)
    return figure


def _check(
    images: Mapping[str, tuple[np.ndarray, np.ndarray]], truth: Mapping[str, np.ndarray]
) -> None:
    if not images:
        raise ValueError(
            "spread_figure: `images` must have an image, an array of two axes or more, got none."
        )
    for title, pair in images.items():
        shapes = {np.shape(a) for a in (*pair, *((truth[title],) if title in truth else ()))}
        if len(shapes) > 1:
            raise ValueError(
                f"spread_figure: image {title!r}, its deviation and its truth must have one shape, "
                f"got {', '.join(map(str, sorted(shapes)))}."
            )


def _limit(std: np.ndarray) -> float:
    """Deviation at the top of the scale: the 99.5th percentile, so that no pixel sets it."""
    return float(np.percentile(std, 99.5)) or 1.0


def _grid(
    rows: list[tuple[tuple[int, ...], int]],
) -> tuple[Figure, list[list[tuple[Axes, Axes]]]]:
    """Black figure, and for each cell the axes of the image and of its colour bar.

    Args:
        rows: Shape of the images in each row, and their number.
    """
    aspects = [float(np.sqrt(nx / ny)) for (ny, nx), _ in rows]
    width = max(CELL * a for a in aspects)
    heights = [CELL / a for a in aspects]
    size = (
        _MARGIN + max(n for _, n in rows) * (width + _BAR + _MARGIN),
        _MARGIN + sum(h + _TITLE + _MARGIN for h in heights),
    )
    figure = Figure(figsize=size, dpi=DPI)
    FigureCanvasAgg(figure)

    def axes(left: float, bottom: float, w: float, h: float) -> Axes:
        return figure.add_axes((left / size[0], bottom / size[1], w / size[0], h / size[1]))

    panels, top = [], size[1]
    for h, (_, n) in zip(heights, rows, strict=True):
        top -= _TITLE + h
        lefts = [_MARGIN + i * (width + _BAR + _MARGIN) for i in range(n)]
        panels.append(
            [(axes(x, top, width, h), axes(x + width + 0.06, top, 0.09, h)) for x in lefts]
        )
        top -= _MARGIN
    return figure, panels


def _panel(cell: tuple[Axes, Axes], x: np.ndarray, title: str, colours: str, limit: float) -> None:
    image, bar = cell
    shown = image.imshow(x, cmap=colours, vmin=0, vmax=limit)
    image.axis("off")
    image.set_title(title, fontsize=9, pad=4)
    assert image.figure is not None
    image.figure.colorbar(shown, cax=bar)
