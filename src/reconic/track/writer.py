"""What a run logs: TensorBoard events and one line of JSON per call."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reconic.track.events import Events
from reconic.track.trackers import TrackerSpec, open_trackers

__all__ = ["RunWriter"]

_BINS = 64  # of a histogram


class RunWriter:
    """Writes scalars, images, histograms, texts and hyper-parameters of a run into its folder.

    All is in the files when a call returns. Scalars go to TensorBoard events and to
    `metrics.jsonl`, one object per call with `step` and `time` (seconds since the writer was made).
    Values that are not finite are null in JSON.

    Args:
        folder: Run folder; must exist.
        trackers: Experiment trackers that get scalars, images and hyper-parameters, too; see
            `check_trackers`.
    """

    def __init__(self, folder: str | Path, trackers: Sequence[TrackerSpec] = ()) -> None:
        self.folder = Path(folder)
        self._events = Events(self.folder)
        self._summary = self._events.summary
        self._lines = (self.folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._start = time.monotonic()
        self._trackers = open_trackers(trackers, self.folder)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(failed=kind is not None)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers by tag, such as "val/psnr"."""
        numbers = {tag: float(value) for tag, value in values.items()}
        self._events.write((self._summary.scalar(tag, v) for tag, v in numbers.items()), step)
        finite = {tag: v if math.isfinite(v) else None for tag, v in numbers.items()}
        line = {"step": step, "time": round(time.monotonic() - self._start, 3), **finite}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        self._trackers.scalars(numbers, step)

    def images(self, panels: Mapping[str, np.ndarray], step: int) -> None:
        """Log uint8 panels by tag, grey (ny, nx) or colour (ny, nx, 3), shown as they are."""
        layouts = {2: "HW", 3: "HWC"}
        found = (
            self._summary.image(tag, panel, dataformats=layouts[panel.ndim])
            for tag, panel in panels.items()
        )
        self._events.write(found, step)
        self._trackers.images(panels, step)

    def histogram(self, tag: str, values: Sequence[float], step: int) -> None:
        """Log how numbers are distributed, such as the scores of all slices; finite ones only."""
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            self._events.write([self._summary.histogram(tag, np.asarray(finite), bins=_BINS)], step)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Log a text in Markdown."""
        self._events.write([self._summary.text(tag, markdown)], step)

    def hparams(self, values: Mapping[str, Any]) -> None:
        """Log hyper-parameters, nested ones with dots, to compare runs by.

        Not which columns there are: TensorBoard would take those of one run for all runs beside
        it, of whatever kind, where otherwise it takes the keys and scalars of each.
        """
        flat = flatten(values)
        _, *session = self._summary.hparams(flat, {})
        self._events.write(session, 0)
        self._trackers.hparams(flat)

    def close(self, failed: bool = False) -> None:
        """Close the files, and tell trackers that the run is over."""
        self._trackers.close(failed)
        self._events.close()
        self._lines.close()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, bool | float | str]:
    """Nested mapping as one level with dotted names; lists become text, None is left out.

    A class is called by its name, under the key that it was chosen for.
    """
    flat: dict[str, bool | float | str] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if name == "class_path" and prefix:
            flat[prefix.rstrip(".")] = str(value).rpartition(".")[2]
        elif isinstance(value, Mapping):
            flat.update(flatten(value, f"{key}."))
        elif isinstance(value, bool | int | float | str):
            flat[key] = value
        elif value is not None:
            flat[key] = json.dumps(value, default=str)
    return flat
