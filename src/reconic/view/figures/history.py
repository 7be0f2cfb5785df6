"""Losses and scores over the epochs of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reconic.view.figures.style import PLOTS, new_figure, save_figure

__all__ = ["Curve", "histories_figure", "history_figure", "logarithmic"]

_COLUMNS = 3

Curve = tuple[np.ndarray, np.ndarray]  # epochs or steps, and values; both (n,)


def history_figure(
    curves: Mapping[str, Curve],
    path: str | Path | None = None,
    value: str = "loss",
    over: str = "epoch",
) -> Figure:
    """Draw values over time, on a logarithmic scale where none is negative.

    Args:
        curves: By name, where and what, both (n,); the first is drawn thicker, and those whose name
            starts with "held out" dashed. What is not finite leaves a gap.
        path: File to save to; its ending is the format. None does not save.
        value: What the values are, with their unit.
        over: What they are over.

    Returns:
        The figure, which belongs to no global state and needs no closing.

    Raises:
        ValueError: If there are no curves, or the ending of `path` is unknown.
    """
    if not curves:
        raise ValueError("history_figure: `curves` must have a curve, got none. Add one by name.")
    with matplotlib.rc_context(PLOTS):
        figure = new_figure(5, 3.2, "constrained")
        _draw(figure.add_subplot(), curves, logarithmic(curves))
        figure.axes[0].set(xlabel=over, ylabel=value)
    if path is not None:
        save_figure(figure, path)
    return figure


def histories_figure(groups: Mapping[str, Mapping[str, Curve]], over: str = "step") -> Figure:
    """Draw groups of curves of one unit each, in small plots side by side.

    The scale of a group is logarithmic where its values are positive and span a factor of 50.

    Args:
        groups: By the name of what they show, curves as `history_figure` takes them.
        over: What they are over.

    Raises:
        ValueError: If there are no groups.
    """
    if not groups:
        raise ValueError("histories_figure: `groups` must have a group, got none. Add one by name.")
    n_columns = min(len(groups), _COLUMNS)
    n_rows = -(-len(groups) // n_columns)
    with matplotlib.rc_context(PLOTS):
        figure = new_figure(3.6 * n_columns, 2.4 * n_rows, "constrained")
        for i, (name, curves) in enumerate(groups.items(), start=1):
            axes = figure.add_subplot(n_rows, n_columns, i)
            _draw(axes, curves, logarithmic(curves, span=50))
            axes.set_title(name)
            axes.set_xlabel(over if i > len(groups) - n_columns else "")
    return figure


def _draw(axes: Axes, curves: Mapping[str, Curve], logarithmic: bool) -> None:
    for i, (name, (x, y)) in enumerate(curves.items()):
        style = "--" if name.startswith("held out") else "-"
        marker = "o" if len(x) == 1 else None  # a line of one point would not show
        axes.plot(x, y, style, label=name, lw=1 if i else 1.8, marker=marker, ms=3)
    if logarithmic:
        axes.set_yscale("log")
    if any(curves):
        axes.legend(fontsize=7)


def logarithmic(curves: Mapping[str, Curve], span: float = 0) -> bool:
    """Whether no value is below 0, and the largest is above 0 and `span` times the smallest."""
    found = np.concatenate([np.asarray(y, np.float64) for _, y in curves.values()])
    found = found[np.isfinite(found)]
    return bool(np.any(found > 0) and found.min() >= 0 and found.max() >= span * found.min())
