"""What a run logs: TensorBoard events and one line of JSON per call."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["RunWriter"]

_BINS = 64  # of a histogram


class RunWriter:
    """Writes scalars, images, histograms, texts and hyper-parameters of a run into its folder.

    All is in the files when a call returns. Scalars go to TensorBoard events and to
    `metrics.jsonl`, one object per call with `step` and `time` (seconds since the writer was made).
    Values that are not finite are null in JSON.

    Args:
        folder: Run folder; must exist.
    """

    def __init__(self, folder: str | Path) -> None:
        # only now: tensorboardX imports torch wherever that is installed
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

        self.folder = Path(folder)
        self._summary, self._event = summary, Event
        self._events = EventsWriter(str(self.folder / "events"), f".{time.time_ns()}")
        self._lines = (self.folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._start = time.monotonic()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers by tag, such as "val/psnr"."""
        numbers = {tag: float(value) for tag, value in values.items()}
        self._write((self._summary.scalar(tag, value) for tag, value in numbers.items()), step)
        finite = {tag: v if math.isfinite(v) else None for tag, v in numbers.items()}
        line = {"step": step, "time": round(time.monotonic() - self._start, 3), **finite}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def images(self, panels: Mapping[str, np.ndarray], step: int) -> None:
        """Log uint8 panels by tag, grey (ny, nx) or colour (ny, nx, 3), shown as they are."""
        layouts = {2: "HW", 3: "HWC"}
        found = (
            self._summary.image(tag, panel, dataformats=layouts[panel.ndim])
            for tag, panel in panels.items()
        )
        self._write(found, step)

    def histogram(self, tag: str, values: Sequence[float], step: int) -> None:
        """Log how numbers are distributed, such as the scores of all slices; finite ones only."""
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            self._write([self._summary.histogram(tag, np.asarray(finite), bins=_BINS)], step)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Log a text in Markdown."""
        self._write([self._summary.text(tag, markdown)], step)

    def hparams(self, values: Mapping[str, Any], metrics: list[str]) -> None:
        """Log hyper-parameters, nested ones with dots, to compare runs by, with tags of metrics."""
        flat = flatten(values)
        self._write(self._summary.hparams(flat, dict.fromkeys(metrics, 0.0)), 0)

    def close(self) -> None:
        """Close the files."""
        self._events.close()
        self._lines.close()

    def _write(self, summaries: Iterable[Any], step: int) -> None:
        for summary in summaries:
            event = self._event(wall_time=time.time(), step=int(step), summary=summary)
            self._events.write_event(event)
        self._events.flush()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, bool | float | str]:
    """Nested mapping as one level with dotted names; lists become text, None is left out."""
    flat: dict[str, bool | float | str] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{key}."))
        elif isinstance(value, bool | int | float | str):
            flat[key] = value
        elif value is not None:
            flat[key] = json.dumps(value, default=str)
    return flat
