"""Trials that are descents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconic.cli.descend import Done, descend, descend_parser, keep
from reconic.cli.objectives import Report, Trial
from reconic.cli.spelling import Parsed, parsed, usage_error
from reconic.descent.scene import Scene
from reconic.descent.stopping import Criterion, Seen

__all__ = ["read", "run", "trial"]


def read(path: Path, metric: str | None = None) -> Parsed:
    """Parse a configuration file."""
    found = parsed(descend_parser(), path, (Scene,))
    if metric == "holdout" and not found.config.holdout:
        usage_error("the metric holdout needs `holdout` above 0, such as 0.1.")
    return found


def run(parsed: Parsed) -> Path:
    """Descend."""
    return _descend(parsed)[1]


def trial(parsed: Parsed, metric: str, larger_is_better: bool, report: Report) -> Trial:  # noqa: ARG001
    """Descend, and take the smallest loss, or the scores of the result."""
    looks = [_Look(metric, report)] if metric in ("loss", "holdout") else []
    done, folder = _descend(parsed, looks)
    if looks:
        name = "held_out/total" if metric == "holdout" else "total"
        return Trial(float(min(done.fit.history[name])), folder)
    scores = [found["Reconstructed"] for found in done.scores().values()]
    if not scores:
        raise ValueError(f"search: {metric} needs a scene whose true image is known.")
    column = ("nrmse", "psnr").index(metric)
    return Trial(sum(s[column] for s in scores) / len(scores), folder)


def _descend(parsed: Parsed, looks: Sequence[Criterion] = ()) -> tuple[Done, Path]:
    done = descend(*parsed, looks)
    if done is None or done.fit.run is None or done.fit.stopped == "interrupted":
        raise KeyboardInterrupt
    keep(done)
    return done, done.fit.run


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
