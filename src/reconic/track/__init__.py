"""Run folders and what is written into them; neither torch nor jax is needed."""

from reconic.track.run_folder import environment, new_run, write_json, write_text
from reconic.track.writer import RunWriter

__all__ = ["RunWriter", "environment", "new_run", "write_json", "write_text"]
