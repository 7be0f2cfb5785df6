"""The one style of all figures: images on black, plots on white, colours that every eye tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from reconic.io.atomic import atomic_path
from reconic.metrics import nrmse, psnr
from reconic.view.panels import ERROR_COLOURS, GREYS

__all__ = [
    "CELL",
    "COLOURS",
    "GREY",
    "HIGHLIGHT",
    "IMAGES",
    "MAIN",
    "MARK",
    "MAXIMUM",
    "PLOTLY",
    "PLOTS",
    "colour_bar",
    "middle",
    "new_figure",
    "save_figure",
    "score",
    "show",
]  # fmt: skip

MAIN, HIGHLIGHT, MARK = "#0072b2", "#d55e00", "#56b4e9"
COLOURS = (MAIN, HIGHLIGHT, "#009e73", "#cc79a7", "#e69f00", MARK, "#000000")  # Okabe and Ito's
GREY = "#777777"
MAXIMUM = "of max."  # unit of what is in percent
CELL = 2.5  # inches, geometric mean of the sides of an image
_DPI = 160
_FONT: Any = {"font.family": "DejaVu Sans", "font.size": 8.0}  # matplotlib's own type is private
IMAGES: Any = {
    **_FONT,
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
PLOTS: Any = {
    **_FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": f"cycler(color={list(COLOURS)})",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
}
_AXIS = {"gridcolor": "#e5e5e5", "linecolor": GREY, "zerolinecolor": "#e5e5e5", "ticks": "outside"}
PLOTLY: Any = {  # a plotly template: `figure.update_layout(template=PLOTLY)`
    "layout": {
        "font": {"family": "DejaVu Sans, system-ui, sans-serif", "size": 12, "color": "#222222"},
        "colorway": list(COLOURS),
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
}


def new_figure(width: float, height: float, layout: Any = None) -> Figure:
    """Figure of so many inches that belongs to no global state and needs no closing."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
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


def middle(x: np.ndarray) -> np.ndarray:
    """The middle of every axis before the last two."""
    return x[tuple(n // 2 for n in x.shape[:-2])]


def score(x: np.ndarray, reference: np.ndarray) -> str:
    """NRMSE and PSNR of all of `x`, for the corner of its image."""
    error = float(nrmse(x, reference, n_space=x.ndim))
    return f"NRMSE {error:.3f}\nPSNR {float(psnr(x, reference, n_space=x.ndim)):.1f} dB"


def show(
    axes: Axes,
    x: np.ndarray,
    limits: tuple[float, float],
    title: str = "",
    note: str = "",
    colours: str = GREYS,
) -> None:
    """Draw the magnitude of an image, its title above it and a note in its upper left corner."""
    axes.imshow(np.abs(x), cmap=colours, vmin=limits[0], vmax=limits[1])
    axes.axis("off")
    axes.set_title(title, fontsize=9, pad=4)
    text = axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", fontsize=7)
    text.set_path_effects([withStroke(linewidth=2, foreground="black")])  # legible on bright tissue


def colour_bar(
    cell: Axes,
    place: tuple[float, float, float, float],
    limits: tuple[float, float],
    title: str,
    unit: str,
    colours: str = ERROR_COLOURS,
) -> Axes:
    """Colour bar beside or in `cell`.

    Args:
        cell: Axes that it belongs to.
        place: Left, bottom, width and height, in parts of the cell.
        limits: Values at its ends.
        title: What is shown, above it.
        unit: Unit of the values, below it; percent signs stand at the numbers for `MAXIMUM`.
        colours: Name of the colour map.
    """
    bar = cell.inset_axes(place)
    ramp = np.linspace(0, 1, 256)[:, None]
    bar.imshow(ramp, cmap=colours, aspect="auto", origin="lower", extent=(0, 1, *limits))
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.locator_params(axis="y", nbins=5)
    bar.yaxis.set_major_formatter("{x:.3g} %" if unit == MAXIMUM else "{x:.3g}")
    bar.set_title(title, loc="left", fontsize=8, pad=6)
    bar.set_xlabel(unit, loc="left", labelpad=5, fontsize=7)
    return bar
