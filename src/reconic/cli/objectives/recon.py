"""Trials that reconstruct one scan."""

from __future__ import annotations

from pathlib import Path

from reconic.cli.objectives import Report, Trial
from reconic.cli.recon import recon_parser, reconstruct
from reconic.cli.spelling import Parsed, parsed, usage_error

__all__ = ["read", "run", "trial"]


def read(path: Path, metric: str | None = None) -> Parsed:
    """Parse a configuration file."""
    found = parsed(recon_parser(), path)
    if metric is not None and not found.config.holdout:
        usage_error("a search over recon needs `holdout` above 0, such as 0.1, to judge by.")
    return found


def run(parsed: Parsed) -> Path:
    """Reconstruct."""
    return reconstruct(parsed.config)[0]


def trial(parsed: Parsed, metric: str, larger_is_better: bool, report: Report) -> Trial:  # noqa: ARG001
    """Reconstruct, and take the error on held-out k-space."""
    folder, found = reconstruct(parsed.config)
    return Trial(list(found.values())[-1].holdout, folder)
