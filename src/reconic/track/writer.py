"""What a run logs: TensorBoard events and one line of JSON per call."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams as hparams_summary

__all__ = ["RunWriter"]


class RunWriter:
    """Writes scalars, images, histograms, texts and hyper-parameters of a run into its folder.

    Scalars go to TensorBoard events and to `metrics.jsonl`, one object per call with `step` and
    `time` (seconds since the writer was made). Values that are not finite are null in JSON.

    Args:
        folder: Run folder; must exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._events = SummaryWriter(str(self.folder))
        self._writer: Any = self._events.file_writer  # for what SummaryWriter puts elsewhere
        self._lines = (self.folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._start = time.monotonic()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers by tag, such as "val/psnr"."""
        numbers = {tag: float(value) for tag, value in values.items()}
        for tag, value in numbers.items():
            self._events.add_scalar(tag, value, step)
        finite = {tag: v if math.isfinite(v) else None for tag, v in numbers.items()}
        line = {"step": step, "time": round(time.monotonic() - self._start, 3), **finite}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()

    def images(self, panels: Mapping[str, np.ndarray], step: int) -> None:
        """Log uint8 panels by tag, grey (ny, nx) or colour (ny, nx, 3), shown as they are."""
        for tag, panel in panels.items():
            layout = "HW" if panel.ndim == 2 else "HWC"
            self._events.add_image(tag, panel, step, dataformats=layout)

    def histogram(self, tag: str, values: Sequence[float], step: int) -> None:
        """Log how numbers are distributed, such as the scores of all slices; finite ones only."""
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            self._events.add_histogram(tag, np.asarray(finite), step)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Log a text in Markdown."""
        self._events.add_text(tag, markdown, step)

    def hparams(self, values: Mapping[str, Any], metrics: list[str]) -> None:
        """Log hyper-parameters, nested ones with dots, to compare runs by, with tags of metrics."""
        flat = flatten(values)
        for summary in hparams_summary(flat, dict.fromkeys(metrics, 0.0)):
            self._writer.add_summary(summary)

    def flush(self) -> None:
        """Bring all to disk."""
        self._events.flush()

    def close(self) -> None:
        """Bring all to disk and close the files."""
        self._events.close()
        self._lines.close()


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
