"""An image beside the standard deviation of each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reconic.view.figures.style import (
    CELL,
    IMAGES,
    colour_bar,
    middle,
    new_figure,
    save_figure,
    score,
    show,
)
from reconic.view.panels import ERROR_COLOURS, GREYS, grey_scale

__all__ = ["spread_figure"]

_BAR = 0.62  # inches for a colour bar and its numbers
_TITLE, _MARGIN = 0.28, 0.1  # inches


def spread_figure(
    images: Mapping[str, tuple[np.ndarray, np.ndarray]],
    path: str | Path | None = None,
    truth: Mapping[str, np.ndarray] | None = None,
    unit: str = "a.u.",
) -> Figure:
    """Draw images beside their standard deviations, and beside their errors where known.

    A row for each: the magnitude on a grey scale, the standard deviation, and, with a truth, the
    magnitude of the error, on the colour scale of the deviation.

    Args:
        images: By title, image (..., ny, nx), real or complex, and its standard deviation; of
            leading axes the middle is shown.
        path: File to save to; its ending is the format. None does not save.
        truth: True images, by the same titles; they give the NRMSE and PSNR in the corner.
        unit: Unit of the values, at the colour bars.

    Returns:
        The figure, which belongs to no global state and needs no closing.

    Raises:
        ValueError: If there is no image, or shapes differ.
    """
    truth = truth or {}
    _check(images, truth)
    n_columns = {title: 3 if title in truth else 2 for title in images}
    shapes = {title: np.shape(mean)[-2:] for title, (mean, _) in images.items()}
    with matplotlib.rc_context(IMAGES):
        figure, panels = _grid([(shapes[title], n) for title, n in n_columns.items()])
        for (title, (mean, std)), cells in zip(images.items(), panels, strict=True):
            x, limit = middle(np.asarray(mean)), _limit(middle(np.asarray(std)))
            note = score(np.asarray(mean), truth[title]) if title in truth else ""
            _panel(cells[0], x, (0, grey_scale([x])), title, unit, GREYS, note)
            _panel(cells[1], middle(np.asarray(std)), (0, limit), "Standard deviation", unit)
            if title in truth:
                _panel(cells[2], x - middle(truth[title]), (0, limit), "|Error|", unit)
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


def _grid(rows: list[tuple[tuple[int, ...], int]]) -> tuple[Figure, list[list[Axes]]]:
    """Black figure, and the axes of its cells, with room for a colour bar beside each.

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
    figure = new_figure(*size)
    panels, top = [], size[1]
    for h, (_, n) in zip(heights, rows, strict=True):
        top -= _TITLE + h
        lefts = [_MARGIN + i * (width + _BAR + _MARGIN) for i in range(n)]
        boxes = [(x / size[0], top / size[1], width / size[0], h / size[1]) for x in lefts]
        panels.append([figure.add_axes(box) for box in boxes])
        top -= _MARGIN
    return figure, panels


def _panel(
    cell: Axes,
    x: np.ndarray,
    limits: tuple[float, float],
    title: str,
    unit: str,
    colours: str = ERROR_COLOURS,
    note: str = "",
) -> None:
    show(cell, x, limits, title, note, colours)
    colour_bar(cell, (1.03, 0.1, 0.04, 0.86), limits, "", unit, colours)
