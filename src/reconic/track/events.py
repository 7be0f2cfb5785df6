"""TensorBoard's event files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Events", "conclude_trial", "describe_search"]


class Events:
    """Writes one event file; all is in it when a call returns.

    Args:
        folder: Folder of the file; must exist.

    Attributes:
        summary: Functions that make what `write` takes, of tensorboardX.
    """

    def __init__(self, folder: Path) -> None:
        # only now: tensorboardX imports torch wherever that is installed
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

        self.summary: Any = summary
        self._event = Event
        self._file = EventsWriter(str(folder / "events"), f".{time.time_ns()}")

    def write(self, summaries: Iterable[Any], step: int) -> None:
        """Write summaries of a step."""
        for summary in summaries:
            event = self._event(wall_time=time.time(), step=int(step), summary=summary)
            self._file.write_event(event)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def describe_search(folder: Path, keys: Mapping[str, Any], metric: str) -> None:
    """Tell the HParams tab which columns a search has; without, it shows the first of all keys.

    Args:
        folder: Folder of the search, above the run folders of its trials; must exist.
        keys: Keys that are searched, each with a value of its kind.
        metric: What is searched for; of trials that were pruned there is only the last value, if
            it is a tag that runs log, such as "val/psnr".
    """
    tags = [_best(metric), *([metric] if "/" in metric else [])]
    with contextlib.closing(Events(folder)) as events:
        columns, *_ = events.summary.hparams(dict(keys), dict.fromkeys(tags))
        events.write([columns], 0)


def conclude_trial(run: Path, metric: str, value: float) -> None:
    """Add to a run what it counted as in a search, which may not be the last value it logged."""
    with contextlib.closing(Events(run)) as events:
        events.write([events.summary.scalar(_best(metric), value)], 0)


def _best(metric: str) -> str:
    return f"best/{metric}"
