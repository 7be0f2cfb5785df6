"""Trials that are training runs."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import lightning
from lightning.pytorch.callbacks import Callback

from reconic.cli.objectives import Report, Trial
from reconic.cli.spelling import Parsed, parsed, usage_error
from reconic.cli.train import BASES
from reconic.io import example_files
from reconic.io.hdf5 import intact
from reconic.train.config import prepare, train_parser
from reconic.train.engine import Fit, fit
from reconic.train.interrupt import Interrupted

__all__ = ["read", "run", "trial"]


def read(path: Path, metric: str | None = None) -> Parsed:
    """Parse a configuration file."""
    found = parsed(train_parser(), path, BASES)
    if metric not in (None, "val/loss") and not _has_truth(found.config.data.val):
        usage_error(f"the metric {metric} needs validation data with true images, the key `imgs`. "
                    "Without them there is the metric val/loss.")  # fmt: skip
    return found


def run(parsed: Parsed) -> Path:
    """Train."""
    return _fit(parsed, []).folder


def trial(parsed: Parsed, metric: str, larger_is_better: bool, report: Report) -> Trial:
    """Train, and take the best validation."""
    reports = _Reports(metric, larger_is_better, report)
    folder = _fit(parsed, [reports]).folder
    if not math.isfinite(reports.best):
        raise ValueError(f"search: a trial must be validated, got no {metric}.")
    return Trial(reports.sign * reports.best, folder)


def _has_truth(val: str | list[str]) -> bool:
    """Whether validation data have true images; of data that are not there a run tells itself."""
    try:
        first = example_files(val)[0]
    except FileNotFoundError:
        return True
    with intact("data", str(first)), h5py.File(first, "r") as file:
        return "imgs" in file


def _fit(parsed: Parsed, callbacks: list[Callback]) -> Fit:
    arguments = prepare(*parsed)
    trainer = arguments["trainer"]
    trainer["callbacks"] = [*(trainer.get("callbacks") or []), *callbacks]
    trainer["enable_progress_bar"] = False
    try:
        return fit(**arguments)
    except Interrupted as stop:
        raise KeyboardInterrupt from stop


class _Reports(Callback):
    """Tells a metric after each validation, and keeps the best."""

    def __init__(self, metric: str, larger_is_better: bool, report: Report) -> None:
        self.metric = metric
        self.sign = 1.0 if larger_is_better else -1.0
        self.report = report
        self.best = -math.inf
        self.n_reports = 0

    def on_validation_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """Report; the look at the first examples before training does not count."""
        if trainer.sanity_checking:
            return
        value = float(trainer.callback_metrics[self.metric])
        self.best = max(self.best, self.sign * value)
        self.report(value, self.n_reports)  # an epoch may have several
        self.n_reports += 1
