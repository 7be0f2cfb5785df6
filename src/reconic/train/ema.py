# ruff: noqa: ARG002 (Lightning names all arguments of a hook)
"""Callback: an exponential moving average of the weights."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

__all__ = ["AverageWeights"]


class AverageWeights(Callback):
    """Averages the weights over steps, w̄ ← d w̄ + (1 − d) w, and validates and saves the average.

    In the first steps the decay d is smaller, min(d, (1 + n) / (10 + n)) after n steps, so that the
    average forgets the weights that training began with. A checkpoint holds the average as its
    weights, and the weights in training beside it.

    Args:
        decay: d, between 0 and 1.

    Raises:
        ValueError: If `decay` is not between 0 and 1.

    References:
        Polyak & Juditsky, SIAM J. Control Optim. 30:838 (1992), averages with equal weights.
    """

    def __init__(self, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"ema: must be between 0 and 1, got {decay}. 0.999 is usual.")
        self.decay = decay
        self.n_steps = 0
        self.average: dict[str, Tensor] = {}
        self.raw: dict[str, Tensor] | None = None  # weights in training, while the average is in

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start with the weights as they are, or on their device with what was loaded."""
        own = pl_module.state_dict()
        start = self.average or own
        self.average = {name: start[name].to(value).clone() for name, value in own.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Average after a step of the optimizer."""
        if trainer.global_step == self.n_steps:
            return
        self.n_steps = trainer.global_step
        decay = min(self.decay, (1 + self.n_steps) / (10 + self.n_steps))
        for name, value in pl_module.state_dict().items():
            if value.is_floating_point() or value.is_complex():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Put the average in."""
        self.raw = {name: value.clone() for name, value in pl_module.state_dict().items()}
        pl_module.load_state_dict(self.average)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Put the weights in training back."""
        if self.raw is not None:
            pl_module.load_state_dict(self.raw)
            self.raw = None

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Save the average as the weights."""
        checkpoint["weights_in_training"] = self.raw or pl_module.state_dict()
        checkpoint["state_dict"] = self.average

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Go on from the weights in training; those of a run without average are both."""
        self.average = dict(checkpoint["state_dict"])
        pl_module.load_state_dict(checkpoint.get("weights_in_training", checkpoint["state_dict"]))

    def state_dict(self) -> dict[str, Any]:
        """Number of steps averaged over."""
        return {"n_steps": self.n_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the number of steps."""
        self.n_steps = state_dict["n_steps"]
