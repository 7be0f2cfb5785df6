"""Run folders and what is written into them; neither torch nor jax is needed."""

from reconic.track.background import Background
from reconic.track.bundle import Bundle, Input, read_bundle, write_bundle
from reconic.track.events import conclude_trial, describe_search
from reconic.track.gather import Method, gather_scores
from reconic.track.images import TRUTH, ImageFile, read_image
from reconic.track.inputs import Fingerprint, find_data, fingerprint
from reconic.track.outcome import figures_of
from reconic.track.paired import Difference, differences_from, paired_difference
from reconic.track.run_folder import environment, hidden, new_run, write_json, write_text
from reconic.track.slices import Scores, read_slices, write_slices
from reconic.track.trackers import TrackerSpec, check_trackers
from reconic.track.writer import RunWriter

__all__ = [
    "TRUTH",
    "Background",
    "Bundle",
    "Difference",
    "Fingerprint",
    "ImageFile",
    "Input",
    "Method",
    "RunWriter",
    "Scores",
    "TrackerSpec",
    "check_trackers",
    "conclude_trial",
    "describe_search",
    "differences_from",
    "environment",
    "figures_of",
    "find_data",
    "fingerprint",
    "gather_scores",
    "hidden",
    "new_run",
    "paired_difference",
    "read_bundle",
    "read_image",
    "read_slices",
    "write_bundle",
    "write_json",
    "write_slices",
    "write_text",
]
