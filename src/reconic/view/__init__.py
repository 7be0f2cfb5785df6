"""Figures and panels in the project's one style, and viewers for notebooks, pages and files."""

from reconic.view.figures import (
    comparison,
    history_figure,
    save_figure,
    score_figure,
    spread_figure,
)
from reconic.view.panels import grey_scale, tile, to_error, to_grey, to_log_kspace, to_phase
from reconic.view.run_viewer import RunViewer, run
from reconic.view.viewer import Viewer
from reconic.view.viewers import compare, complex, kspace, maps, trajectory, volume, volume4d

__all__ = [
    "RunViewer",
    "Viewer",
    "compare",
    "comparison",
    "complex",
    "grey_scale",
    "history_figure",
    "kspace",
    "maps",
    "run",
    "save_figure",
    "score_figure",
    "spread_figure",
    "tile",
    "to_error",
    "to_grey",
    "to_log_kspace",
    "to_phase",
    "trajectory",
    "volume",
    "volume4d",
]
