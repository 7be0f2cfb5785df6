"""What writes a run's scalars into its folder, and what does not, on ranks but the first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from reconic.track import RunWriter

__all__ = ["NoWriter", "RunLogger"]


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


class NoWriter(RunWriter):
    """Stands where a writer is, and writes nothing.

    Args:
        folder: Run folder that another rank writes into.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        pass

    def images(self, panels: Mapping[str, np.ndarray], step: int) -> None:
        pass

    def histogram(self, tag: str, values: Sequence[float], step: int) -> None:
        pass

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        pass

    def hparams(self, values: Mapping[str, Any]) -> None:
        pass

    def close(self, failed: bool = False) -> None:
        pass
