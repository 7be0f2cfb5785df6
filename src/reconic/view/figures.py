"""Comparison figures: each method beside the others, on one grey scale, and its error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from reconic.io.atomic import atomic_path
from reconic.metrics import nrmse, psnr
from reconic.view.panels import ERROR_COLOURS, grey_scale

CELL = 2.5  # inches, geometric mean of a cell's sides
_MIN_SIDE = 1.2  # inches, so that titles and the colour bar have room
_GAP, _TITLE, _MARGIN = 0.06, 0.28, 0.1  # inches
DPI = 160
_ZOOM = 2.5  # the detail is this many times smaller than the image
_FRAME = "#56b4e9"  # Okabe and Ito's sky blue: told apart from grey by every eye
STYLE: Any = {  # matplotlib's own type for this is private
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.color": "white",
    "figure.facecolor": "black",
    "axes.facecolor": "black",
    "axes.edgecolor": "none",
    "axes.titlecolor": "white",
    "axes.labelcolor": "white",
    "ytick.color": "white",
    "ytick.labelsize": 7.0,
    "ytick.major.size": 2.0,
    "ytick.major.pad": 2.0,
}


def comparison(
    images: dict[str, np.ndarray],
    reference: np.ndarray | None = None,
    path: str | Path | None = None,
    error_scale: float = 5.0,
    notes: dict[str, str] | None = None,
    reference_name: str = "Truth",
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

    Returns:
        The figure, which belongs to no global state and needs no closing.

    Raises:
        ValueError: If there are no images, shapes differ, values are not finite, or the ending of
            `path` is unknown.
        KeyError: If a note has no image.
    """
    _check(images, reference, notes or {})
    scores = {} if reference is None else {t: _score(x, reference) for t, x in images.items()}
    corner = {**scores, **(notes or {})}
    shown = {title: middle(np.asarray(x)) for title, x in images.items()}
    with matplotlib.rc_context(STYLE):
        if reference is None:
            figure = _with_details(shown, corner)
        else:
            figure = _with_errors(shown, middle(reference), corner, error_scale, reference_name)
    if path is not None:
        save_figure(figure, path)
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save a figure; it appears whole, and the ending is the format.

    Raises:
        ValueError: If matplotlib does not know the ending.
    """
    path = Path(path)
    known = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        raise ValueError(
            f"save_figure: `path` must end in one of .{', .'.join(sorted(known))}, got "
            f"{path.name!r}. Use .png, or .pdf for print."
        )
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


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


def _score(x: np.ndarray, reference: np.ndarray) -> str:
    error = float(nrmse(x, reference, n_space=x.ndim))
    return f"NRMSE {error:.3f}\nPSNR {float(psnr(x, reference, n_space=x.ndim)):.1f} dB"


def middle(x: np.ndarray) -> np.ndarray:
    """The middle of every axis before the last two."""
    return x[tuple(n // 2 for n in x.shape[:-2])]


def _with_errors(
    images: dict[str, np.ndarray],
    reference: np.ndarray,
    corner: dict[str, str],
    error_scale: float,
    reference_name: str,
) -> Figure:
    """Magnitudes above, errors below; the colour bar takes the place of the reference's error."""
    vmax = grey_scale([reference])
    figure, panel = _canvas(len(images) + 1, reference.shape)
    for column, (title, x) in enumerate(images.items()):
        _magnitude(panel(0, column), x, (0, vmax), title, corner.get(title, ""))
        error = np.abs(x - reference) * error_scale
        panel(1, column).imshow(error, cmap=ERROR_COLOURS, vmin=0, vmax=vmax)
    last = len(images)
    _magnitude(panel(0, last), reference, (0, vmax), reference_name)
    _error_bar(panel(1, last), vmax / float(np.max(np.abs(reference)) or 1.0), error_scale)
    return figure


def _error_bar(cell: Axes, brightest: float, error_scale: float) -> None:
    """Colour bar in an empty cell, in percent of the reference's maximum."""
    bar = cell.inset_axes((0.08, 0.16, 0.07, 0.62))
    ramp = np.linspace(0, 1, 256)[:, None]
    top = 100 * brightest / error_scale
    bar.imshow(ramp, cmap=ERROR_COLOURS, aspect="auto", origin="lower", extent=(0, 1, 0, top))
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.yaxis.set_major_formatter("{x:g} %")
    bar.set_title(f"|error| \N{MULTIPLICATION SIGN} {error_scale:g}", loc="left", fontsize=8, pad=6)
    bar.set_xlabel("of the maximum", loc="left", labelpad=5, fontsize=7)


def _with_details(images: dict[str, np.ndarray], corner: dict[str, str]) -> Figure:
    """Magnitudes above, the centre magnified below; a frame shows where it is."""
    vmax = grey_scale(images.values())
    shape = next(iter(images.values())).shape
    figure, panel = _canvas(len(images), shape)
    starts, sizes = zip(*(_central(n) for n in shape), strict=True)
    detail = tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))
    details = {title: x[detail] for title, x in images.items()}
    contrast = _contrast(list(details.values()))
    for column, (title, x) in enumerate(images.items()):
        above, below = panel(0, column), panel(1, column)
        _magnitude(above, x, (0, vmax), title, corner.get(title, ""))
        corner_xy = (starts[1] - 0.5, starts[0] - 0.5)
        above.add_patch(Rectangle(corner_xy, sizes[1], sizes[0], fill=False, ec=_FRAME, lw=0.8))
        _magnitude(below, details[title], contrast)
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


def _magnitude(
    axes: Axes, x: np.ndarray, limits: tuple[float, float], title: str = "", note: str = ""
) -> None:
    axes.imshow(np.abs(x), cmap="gray", vmin=limits[0], vmax=limits[1])
    axes.set_title(title, fontsize=9, pad=4)
    text = axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", fontsize=7)
    text.set_path_effects([withStroke(linewidth=2, foreground="black")])  # legible on bright tissue


def _canvas(n_columns: int, shape: tuple[int, int]) -> tuple[Figure, Callable[[int, int], Axes]]:
    """Black figure of two rows, and a function that makes the axes of a cell.

    Cells have the shape of the image, so every image fills its cell and none is stretched; only
    images of extreme shape get a wider cell.
    """
    aspect = float(np.sqrt(shape[1] / shape[0]))
    w, h = max(CELL * aspect, _MIN_SIDE), max(CELL / aspect, _MIN_SIDE)
    width = 2 * _MARGIN + n_columns * w + (n_columns - 1) * _GAP
    height = 2 * _MARGIN + _TITLE + 2 * h + _GAP
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)

    def panel(row: int, column: int) -> Axes:
        left, bottom = _MARGIN + column * (w + _GAP), _MARGIN + (1 - row) * (h + _GAP)
        axes = figure.add_axes((left / width, bottom / height, w / width, h / height))
        axes.axis("off")
        return axes

    return figure, panel
