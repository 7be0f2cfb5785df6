"""Figures in the project's one style, a function for each kind."""

from reconic.view.figures.comparison import comparison
from reconic.view.figures.history import (
    Curve,
    histories_figure,
    history_figure,
    logarithmic,
)
from reconic.view.figures.scores import score_figure
from reconic.view.figures.spread import spread_figure
from reconic.view.figures.style import PLOTLY, save_figure

__all__ = [
    "PLOTLY",
    "Curve",
    "comparison",
    "histories_figure",
    "history_figure",
    "logarithmic",
    "save_figure",
    "score_figure",
    "spread_figure",
]
