"""What a trial of a search is: a configuration in, the metric and the run folder out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from reconic.cli.descend import descend, descend_parser
from reconic.cli.recon import recon_parser, reconstruct
from reconic.cli.spelling import parse, usage_error
from reconic.cli.train import BASES
from reconic.descent.scene import Scene
from reconic.descent.stopping import Seen
from reconic.search import Outcome, Report
from reconic.train.config import prepare, train_parser
from reconic.train.engine import fit
from reconic.train.interrupt import Interrupted

__all__ = ["OBJECTIVES", "Objective"]


@dataclass(frozen=True)
class Objective:
    """How a command is searched over.

    Attributes:
        metrics: What it can be judged by, the usual one first.
        check: Parses a configuration file, and raises if it is not valid, or not for the metric.
        run: Runs one: file, metric, whether larger is better, report.
    """

    metrics: tuple[str, ...]
    check: Callable[[Path, str], Any]
    run: Callable[[Path, str, bool, Report], Outcome]


class _Reports(Callback):
    """Tells a metric after each validation, and keeps the best."""

    def __init__(self, metric: str, larger_is_better: bool, report: Report) -> None:
        self.metric = metric
        self.sign = 1.0 if larger_is_better else -1.0
        self.report = report
        self.best = -math.inf

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
        self.report(value, trainer.current_epoch)


def _check_training(path: Path, metric: str) -> Any:  # noqa: ARG001
    return parse(train_parser(), ["--config", str(path)], BASES)


def _train(path: Path, metric: str, larger_is_better: bool, report: Report) -> Outcome:
    arguments = prepare(train_parser(), _check_training(path, metric))
    reports = _Reports(metric, larger_is_better, report)
    trainer = arguments["trainer"]
    trainer["callbacks"] = [*(trainer.get("callbacks") or []), reports]
    trainer["enable_progress_bar"] = False
    try:
        done = fit(**arguments)
    except Interrupted as stop:
        raise KeyboardInterrupt from stop
    if not math.isfinite(reports.best):
        raise ValueError(f"search: a trial must be validated, got no {metric}.")
    return Outcome(reports.sign * reports.best, done.folder)


class _Look:
    """Tells the loss whenever the descent looks for reasons to stop; never stops it itself."""

    def __init__(self, metric: str, report: Report) -> None:
        self.metric = metric
        self.report = report

    def reason(self, seen: Seen) -> None:
        """Report the smallest held-out loss, or total, so far."""
        losses = seen.held_out[:, 1] if self.metric == "holdout" else seen.losses
        if len(losses):
            self.report(float(min(losses)), len(seen.losses))


def _check_descent(path: Path, metric: str) -> Any:
    config = parse(descend_parser(), ["--config", str(path)], (Scene,))
    if metric == "holdout" and not config.holdout:
        usage_error("the metric holdout needs `holdout` above 0, such as 0.1.")
    return config


def _descend(path: Path, metric: str, larger_is_better: bool, report: Report) -> Outcome:  # noqa: ARG001
    config = _check_descent(path, metric)
    looks = [_Look(metric, report)] if metric in ("loss", "holdout") else []
    done = descend(descend_parser(), config, looks)
    if done is None or done.fit.run is None or done.fit.stopped == "interrupted":
        raise KeyboardInterrupt
    if metric in ("loss", "holdout"):
        name = "held_out/total" if metric == "holdout" else "total"
        return Outcome(float(min(done.fit.history[name])), done.fit.run)
    scores = [found["Reconstructed"] for found in done.scores().values()]
    if not scores:
        raise ValueError(f"search: {metric} needs a scene whose true image is known.")
    column = ("nrmse", "psnr").index(metric)
    return Outcome(sum(s[column] for s in scores) / len(scores), done.fit.run)


def _check_recon(path: Path, metric: str) -> Any:  # noqa: ARG001
    config = parse(recon_parser(), ["--config", str(path)])
    if not config.holdout:
        usage_error("a search over recon needs `holdout` above 0, such as 0.1, to judge by.")
    return config


def _recon(path: Path, metric: str, larger_is_better: bool, report: Report) -> Outcome:  # noqa: ARG001
    run, found = reconstruct(recon_parser(), _check_recon(path, metric))
    return Outcome(list(found.values())[-1].holdout, run)


OBJECTIVES = {
    "recon": Objective(("holdout",), _check_recon, _recon),
    "descend": Objective(("loss", "holdout", "nrmse", "psnr"), _check_descent, _descend),
    "train": Objective(("val/psnr", "val/ssim", "val/nrmse", "val/loss"), _check_training, _train),
}
