"""Losses and scores over the epochs of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from reconic.view.figures.style import PLOTS, new_figure, save_figure

__all__ = ["Curve", "history_figure"]

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
        axes = figure.add_subplot()
        for i, (name, (x, y)) in enumerate(curves.items()):
            style = "--" if name.startswith("held out") else "-"
            few = len(x) == 1  # a line of one point would not show
            axes.plot(
                x, y, style, label=name, lw=1 if i else 1.8, marker="o" if few else None, ms=3
            )
        if _logarithmic(curves):
            axes.set_yscale("log")
        axes.set(xlabel=over, ylabel=value)
        axes.legend(fontsize=7)
    if path is not None:
        save_figure(figure, path)
    return figure


def _logarithmic(curves: Mapping[str, Curve]) -> bool:
    """Whether some values are above 0, and none is below."""
    found = np.concatenate([np.asarray(y, np.float64) for _, y in curves.values()])
    found = found[np.isfinite(found)]
    return bool(np.any(found > 0) and np.all(found >= 0))
