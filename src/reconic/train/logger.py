"""Lightning logger that writes into a run folder."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from reconic.track import RunWriter

__all__ = ["RunLogger"]


class RunLogger(Logger):
    """Passes Lightning's scalars on to a `RunWriter`.

    Args:
        writer: Where they go.
    """

    def __init__(self, writer: RunWriter) -> None:
        super().__init__()
        self.writer = writer

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.writer.folder.parent.name

    @property
    def version(self) -> str:
        """Version of the run, "version_N"."""
        return self.writer.folder.name

    @property
    def save_dir(self) -> str:
        """Run folder."""
        return str(self.writer.folder)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write scalars."""
        self.writer.scalars(metrics, step or 0)

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Do nothing: the run's whole configuration is written by the engine."""
