"""Run folders and what is written into them; neither torch nor jax is needed."""

from reconic.track.background import Background
from reconic.track.gather import Method, gather_scores
from reconic.track.images import TRUTH, ImageFile, read_image
from reconic.track.paired import Difference, differences_from, paired_difference
from reconic.track.run_folder import environment, hidden, new_run, write_json, write_text
from reconic.track.slices import Scores, read_slices, write_slices
from reconic.track.writer import RunWriter

__all__ = [
    "TRUTH",
    "Background",
    "Difference",
    "ImageFile",
    "Method",
    "RunWriter",
    "Scores",
    "differences_from",
    "environment",
    "gather_scores",
    "hidden",
    "new_run",
    "paired_difference",
    "read_image",
    "read_slices",
    "write_json",
    "write_slices",
    "write_text",
]
