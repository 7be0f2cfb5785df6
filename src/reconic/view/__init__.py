"""Figures and panels in the project's one style."""

from reconic.view.figures import comparison, save_figure
from reconic.view.panels import grey_scale, to_error, to_grey, to_log_kspace, to_phase

__all__ = [
    "comparison",
    "grey_scale",
    "save_figure",
    "to_error",
    "to_grey",
    "to_log_kspace",
    "to_phase",
]
