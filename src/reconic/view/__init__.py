"""Figures and panels in the project's one style."""

from reconic.view.figures import comparison, save_figure
from reconic.view.panels import grey_scale, tile, to_error, to_grey, to_log_kspace, to_phase
from reconic.view.scores import score_figure
from reconic.view.spread import spread_figure

__all__ = [
    "comparison",
    "grey_scale",
    "save_figure",
    "score_figure",
    "spread_figure",
    "tile",
    "to_error",
    "to_grey",
    "to_log_kspace",
    "to_phase",
]
