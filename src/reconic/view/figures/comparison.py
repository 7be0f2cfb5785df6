"""Each method beside the others, on one grey scale, and its error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reconic.view.figures.style import (
    CELL,
    IMAGES,
    MARK,
    MAXIMUM,
    colour_bar,
    middle,
    new_figure,
    save_figure,
    score,
    show,
)
from reconic.view.panels import ERROR_COLOURS, GREYS, grey_scale

__all__ = ["comparison"]

_MIN_SIDE = 1.2  # inches, so that titles and the colour bars have room
_GAP, _TITLE, _MARGIN, _BAR = 0.06, 0.28, 0.1, 0.66  # inches
_ZOOM = 2.5  # the detail is this many times smaller than the image


def comparison(
    images: dict[str, np.ndarray],
    reference: np.ndarray | None = None,
    path: str | Path | None = None,
    error_scale: float = 5.0,
    notes: dict[str, str] | None = None,
    reference_name: str = "Truth",
    unit: str = "a.u.",
) -> Figure:
    """Draw images side by side, with their errors, or with a magnified detail if there is no truth.

    Above, the magnitudes on one grey scale, the reference last. Below, with a reference, the
    magnitude of the complex errors times `error_scale` on the same scale; without, the centre of
    each image magnified 2.5 times, on a grey scale that fits it.

    Args:
        images: Images by title, in order, the input first. Real or complex `(..., ny, nx)`, all of
            one shape; of leading axes the middle is shown.
        reference: True image of the same shape; sets the grey scale and gives the NRMSE and PSNR
            that stand in each corner, of all that is passed and not only of what is shown.
        path: File to save to; its ending is the format. None does not save.
        error_scale: Factor on the errors.
        notes: Text for the corner of images, by title, in place of NRMSE and PSNR.
        reference_name: Title of the reference.
        unit: Unit of the magnitudes, at their colour bar.

    Returns:
        The figure, which belongs to no global state and needs no closing.

    Raises:
        ValueError: If there are no images, shapes differ, values are not finite, or the ending of
            `path` is unknown.
        KeyError: If a note has no image.
    """
    _check(images, reference, notes or {})
    scores = {} if reference is None else {t: score(x, reference) for t, x in images.items()}
    corner = {**scores, **(notes or {})}
    shown = {title: middle(np.asarray(x)) for title, x in images.items()}
    with matplotlib.rc_context(IMAGES):
        if reference is None:
            figure = _with_details(shown, corner, unit)
        else:
            truth = {reference_name: middle(np.asarray(reference))}
            figure = _with_errors(shown, truth, corner, error_scale, unit)
    if path is not None:
        save_figure(figure, path)
    return figure


def _check(
    images: dict[str, np.ndarray], reference: np.ndarray | None, notes: dict[str, str]
) -> None:
    if not images:
        raise ValueError("comparison: `images` must have an image, got none. Add one by its title.")
    shape = np.shape(next(iter(images.values())) if reference is None else reference)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"comparison: images must have shape (..., ny, nx), got {shape}. Pass whole images."
        )
    for title, x in images.items():
        if np.shape(x) != shape:
            raise ValueError(
                f"comparison: image {title!r} must have shape {shape} as the others have, got "
                f"{np.shape(x)}. Crop or squeeze it first."
            )
        if not np.all(np.isfinite(x)):
            raise ValueError(
                f"comparison: image {title!r} must be finite, got NaN or Inf. Check how it was "
                "reconstructed."
            )
    if unknown := notes.keys() - images.keys():
        raise KeyError(
            f"comparison: `notes` must be for images ({', '.join(images)}), got "
            f"{', '.join(sorted(unknown))}. Use the titles of `images`."
        )


def _with_errors(
    images: dict[str, np.ndarray],
    truth: dict[str, np.ndarray],
    corner: dict[str, str],
    error_scale: float,
    unit: str,
) -> Figure:
    """Magnitudes above, errors below; the colour bars take the place of the truth's error."""
    ((name, reference),) = truth.items()
    vmax = grey_scale([reference])
    figure, panel = _canvas(len(images) + 1, reference.shape)
    for column, (title, x) in enumerate(images.items()):
        show(panel(0, column), x, (0, vmax), title, corner.get(title, ""))
        show(panel(1, column), (x - reference) * error_scale, (0, vmax), colours=ERROR_COLOURS)
    last = len(images)
    show(panel(0, last), reference, (0, vmax), name)
    bars = panel(1, last)
    top = 100 * vmax / float(np.max(np.abs(reference)) or 1.0) / error_scale
    times = f"|error|\n\N{MULTIPLICATION SIGN} {error_scale:g}"
    colour_bar(bars, (0.08, 0.14, 0.07, 0.6), (0, top), times, MAXIMUM)
    colour_bar(bars, (0.6, 0.14, 0.07, 0.6), (0, vmax), "|x|\n", unit, GREYS)
    return figure


def _with_details(images: dict[str, np.ndarray], corner: dict[str, str], unit: str) -> Figure:
    """Magnitudes above, the centre magnified below; a frame shows where it is."""
    vmax = grey_scale(images.values())
    shape = next(iter(images.values())).shape
    figure, panel = _canvas(len(images), shape, _BAR)
    starts, sizes = zip(*(_central(n) for n in shape), strict=True)
    detail = tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))
    details = {title: x[detail] for title, x in images.items()}
    contrast = _contrast(list(details.values()))
    cells = [(panel(0, column), panel(1, column)) for column in range(len(images))]
    for (title, x), (above, below) in zip(images.items(), cells, strict=True):
        show(above, x, (0, vmax), title, corner.get(title, ""))
        corner_xy = (starts[1] - 0.5, starts[0] - 0.5)
        above.add_patch(Rectangle(corner_xy, sizes[1], sizes[0], fill=False, ec=MARK, lw=0.8))
        show(below, details[title], contrast)
    for cell, limits in zip(cells[-1], ((0.0, vmax), contrast), strict=True):
        colour_bar(cell, (1.03, 0.12, 0.05, 0.76), limits, "|x|", unit, GREYS)
    return figure


def _contrast(images: list[np.ndarray]) -> tuple[float, float]:
    """Magnitudes to show black and white for all `images`: 0.5th percentile, and `grey_scale`."""
    black = min(float(np.percentile(np.abs(x), 0.5)) for x in images)
    white = grey_scale(images)
    return (black, white) if black < white else (0.0, white)


def _central(n: int) -> tuple[int, int]:
    """Start and length of the detail along an axis of length n."""
    length = max(1, round(n / _ZOOM))
    return (n - length) // 2, length


def _canvas(
    n_columns: int, shape: tuple[int, ...], beside: float = 0.0
) -> tuple[Figure, Callable[[int, int], Axes]]:
    """Black figure of two rows, and a function that makes the axes of a cell.

    Cells have the shape of the image, so every image fills its cell and none is stretched; only
    images of extreme shape get a wider cell. To the right there is room of `beside` inches.
    """
    aspect = float(np.sqrt(shape[1] / shape[0]))
    w, h = max(CELL * aspect, _MIN_SIDE), max(CELL / aspect, _MIN_SIDE)
    width = 2 * _MARGIN + n_columns * w + (n_columns - 1) * _GAP + beside
    height = 2 * _MARGIN + _TITLE + 2 * h + _GAP
    figure = new_figure(width, height)

    def panel(row: int, column: int) -> Axes:
        left, bottom = _MARGIN + column * (w + _GAP), _MARGIN + (1 - row) * (h + _GAP)
        axes = figure.add_axes((left / width, bottom / height, w / width, h / height))
        axes.axis("off")
        return axes

    return figure, panel
