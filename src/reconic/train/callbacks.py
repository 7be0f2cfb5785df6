"""Callbacks: images of fixed examples over time, and the progress bar."""

from __future__ import annotations

import datetime

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, Timer, TQDMProgressBar
from torch import Tensor

from reconic._array import fftc
from reconic.recons import Recon
from reconic.track import RunWriter
from reconic.train.system import SystemFactory
from reconic.view import grey_scale, to_error, to_grey, to_log_kspace, to_phase

__all__ = ["LogImages", "ProgressBar"]


class LogImages(Callback):
    """Logs images of fixed validation examples after each validation.

    Under `example_i/` are `input`, `truth` and `measured_kspace` (once), and `prediction`, `error`
    (times 5), `phase` and `kspace` of the prediction. Each example has one grey scale, that of its
    truth, for good.

    Args:
        writer: Where images go.
        system: Makes the forward model of an example.
        examples: Batches of one example each.
    """

    def __init__(
        self, writer: RunWriter, system: SystemFactory, examples: list[dict[str, Tensor]]
    ) -> None:
        self.writer = writer
        self.system = system
        self.examples = examples
        self.started = False

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Log the images, those that do not change only the first time."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        recon: Recon = pl_module.recon  # pyright: ignore
        for i, example in enumerate(self.examples):
            panels = self._panels(recon, example, first=not self.started)
            named = {f"example_{i}/{name}": panel for name, panel in panels.items()}
            self.writer.images(named, trainer.global_step)
        self.started = True

    def _panels(
        self, recon: Recon, example: dict[str, Tensor], first: bool
    ) -> dict[str, np.ndarray]:
        place = next(recon.parameters()).device
        batch = {name: value.to(place) for name, value in example.items()}
        A = self.system(batch)
        with torch.no_grad():
            x_hat = recon(batch["y"], A)
            x, x_hat, x_in = (plane(v[0]) for v in (batch["x"], x_hat, A.adjoint(batch["y"])))
        vmax = grey_scale([x])
        panels = {
            "prediction": to_grey(x_hat, vmax),
            "error": to_error(x_hat, x, vmax),
            "phase": to_phase(x_hat),
            "kspace": to_log_kspace(fftc(x_hat, (-2, -1))),
        }
        if first:
            # Aᴴy of undersampled data is darker than the truth; on the truth's scale that shows
            panels["input"] = to_grey(x_in, vmax)
            panels["truth"] = to_grey(x, vmax)
            panels["measured_kspace"] = to_log_kspace(np.stack([plane(c) for c in batch["y"][0]]))
        return panels


def plane(x: Tensor) -> np.ndarray:
    """The middle plane (ny, nx) of an image of more axes."""
    return x[tuple(n // 2 for n in x.shape[:-2])].cpu().numpy()


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
