"""Figure of methods' scores on the same slices, and of their differences from a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reconic.view.figures.style import GREY, HIGHLIGHT, MAIN, PLOTS, new_figure, save_figure

__all__ = ["score_figure"]

_ROW = 0.34  # inches
_STYLE = {**PLOTS, "axes.spines.left": False, "ytick.major.size": 0.0, "axes.grid.axis": "x"}


def score_figure(
    scores: Mapping[str, Sequence[float]],
    differences: Mapping[str, tuple[float, float, float]],
    metric: str,
    reference: str,
    path: str | Path | None = None,
    interval: str = "95 % CI",
) -> Figure:
    """Draw one row for each method: its slices and their mean, and its paired difference.

    Args:
        scores: Values by method, one for each slice.
        differences: Mean, lower and upper end of the difference from the reference, by method.
        metric: Name and unit of the scores, as the axes are titled.
        reference: Method that differences are from.
        path: File to save to; None does not save.
        interval: What the ends of the differences are.

    Returns:
        The figure, which belongs to no global state.

    Raises:
        ValueError: If there are no scores, or the ending of `path` is unknown.
    """
    if not scores:
        raise ValueError(
            "score_figure: `scores` must have a method, got none. Add one by its name."
        )
    with matplotlib.rc_context(_STYLE):
        figure = new_figure(7.2, 0.75 + _ROW * len(scores), "constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
        _slices(left, scores)
        _differences(right, list(scores), differences)
        left.set_yticks(range(len(scores)), list(scores))
        left.set_ylim(len(scores) - 0.5, -0.5)  # the first method on top
        left.set_xlabel(f"{metric}\ndots are slices, bars means")
        right.set_xlabel(f"difference from {reference},\nmean and {interval}")
    if path is not None:
        save_figure(figure, path)
    return figure


def _slices(axes: Axes, scores: Mapping[str, Sequence[float]]) -> None:
    """Values of each method as dots, spread a little so that equal ones show, and their mean."""
    spread = np.random.default_rng(0)
    for row, values in enumerate(scores.values()):
        x = np.asarray(values, np.float64)
        x = x[np.isfinite(x)]
        y = row + spread.uniform(-0.22, 0.22, x.size)
        axes.scatter(x, y, s=7, color=MAIN, alpha=0.45, linewidths=0)
        if x.size:
            axes.plot([x.mean()] * 2, [row - 0.36, row + 0.36], color=HIGHLIGHT, lw=2)


def _differences(
    axes: Axes, methods: list[str], differences: Mapping[str, tuple[float, float, float]]
) -> None:
    axes.axvline(0, color=GREY, lw=0.8)
    for row, method in enumerate(methods):
        if method not in differences:
            continue
        mean, low, high = differences[method]
        axes.plot([low, high], [row, row], color=MAIN, lw=1.6, solid_capstyle="butt")
        axes.plot([mean], [row], "o", color=HIGHLIGHT, ms=4)
