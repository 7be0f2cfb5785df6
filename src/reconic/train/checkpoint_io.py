"""How Lightning writes and reads checkpoints here: whole, and without running their code."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from reconic.io import atomic_path
from reconic.train.load import read_checkpoint

__all__ = ["WholeCheckpoints"]


class WholeCheckpoints(CheckpointIO):
    """Writes checkpoints that appear whole, by rename, and reads only numbers and text."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            OSError: If the folder cannot be written to or the disk is full; nothing is left behind,
                and what was there before is kept.
        """
        del storage_options  # of remote file systems
        path = Path(path)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint, on the CPU."""
        del map_location, weights_only  # always the CPU, and always weights only
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)
