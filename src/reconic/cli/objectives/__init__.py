"""Configurations run without being printed of: trials of a search, and runs done again.

Each command that makes runs is a module here with the functions `read`, `run` and
`trial`; only the one that is asked for is imported, with its engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from reconic.cli.spelling import Parsed

__all__ = ["METRICS", "Objective", "Report", "Trial", "objective"]

METRICS = {
    "train": ("val/psnr", "val/ssim", "val/nrmse", "val/loss"),
    "descend": ("loss", "holdout", "nrmse", "psnr"),
    "recon": ("holdout",),
}  # by command; the usual one first


Report = Callable[[float, int], None]
"""What a trial tells of itself on the way, metric and step; raises if it should end."""


class Trial(NamedTuple):
    """The metric and the run folder that a trial ended with."""

    value: float
    folder: Path


class Objective(Protocol):
    """How a command is run, and searched over."""

    def read(self, path: Path, metric: str | None = None) -> Parsed:
        """Parse a configuration file.

        Raises:
            ArgumentError: If it is not valid, or has not what the metric needs.
        """
        ...

    def run(self, parsed: Parsed) -> Path:
        """Run it as its command does, without printing; the run folder."""
        ...

    def trial(self, parsed: Parsed, metric: str, larger_is_better: bool, report: Report) -> Trial:
        """Run it, telling the metric on the way."""
        ...


def objective(command: str) -> Objective:
    """How a command is run: train, descend or recon."""
    module: Any = importlib.import_module(f"reconic.cli.objectives.{command}")
    return cast(Objective, module)
