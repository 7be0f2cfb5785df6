"""Callback: the progress bar."""

from __future__ import annotations

import datetime

import lightning
from lightning.pytorch.callbacks import Timer, TQDMProgressBar

__all__ = ["ProgressBar"]


class ProgressBar(TQDMProgressBar):
    """Progress bar with the metrics and, where there is a time limit, the time that is left."""

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Metrics beside the bar."""
        logged = super().get_metrics(trainer, pl_module)
        items = {
            name.rpartition("/")[2]: value for name, value in logged.items() if name != "v_num"
        }
        for timer in (c for c in trainer.callbacks if isinstance(c, Timer)):  # pyright: ignore
            left = timer.time_remaining()
            if left is not None:
                items["left"] = str(datetime.timedelta(seconds=max(round(left), 0)))
        return items
