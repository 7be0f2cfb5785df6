# ruff: noqa: ARG002 (Lightning names all arguments of a hook)
"""Callback: keeps checkpoints from which a run goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint as CheckpointCallback
from torch import Tensor

from reconic import __version__
from reconic.io import atomic_path
from reconic.train import processes
from reconic.train.interrupt import Signals
from reconic.train.load import read_checkpoint
from reconic.train.module import metric_mode
from reconic.train.position import Position, random_state, set_random_state

__all__ = ["Checkpoint", "KeepCheckpoints"]


@dataclass
class Checkpoint:
    """Which checkpoints are kept, and how often the last one is renewed.

    `last.ckpt` is renewed at the start, after each epoch and each validation, at the end, and when
    the run is told to stop.

    Args:
        monitor: Validation metric whose best value marks the best checkpoint; null takes psnr, or
            loss where the loss needs no true images.
        every_n_steps: Renew `last.ckpt` after so many steps, too.
        every_minutes: Renew `last.ckpt` after so many minutes, too.
        every_n_epochs: Keep `epoch_N.ckpt` after each so many epochs, for good.

    Raises:
        ValueError: If a period is not positive.
    """

    monitor: Literal["nrmse", "psnr", "ssim", "loss"] | None = None
    every_n_steps: int | None = None
    every_minutes: float | None = 10.0
    every_n_epochs: int | None = None

    def __post_init__(self) -> None:
        for name in ("every_n_steps", "every_minutes", "every_n_epochs"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(
                    f"checkpoint: `{name}` must be positive, got {value}. Use null for never."
                )


class KeepCheckpoints(CheckpointCallback):
    """Keeps `last.ckpt` and `best.ckpt`, and stops a run that got a signal once it is saved.

    Args:
        home: Folder of the checkpoints.
        monitor: Validation metric whose best value marks the best checkpoint.
        options: How often to save.
        signals: Signals to stop at.
        about: What a run must have in common with this one to go on from its checkpoints.
    """

    def __init__(
        self,
        home: Path,
        monitor: str,
        options: Checkpoint,
        signals: Signals,
        about: dict[str, Any],
    ) -> None:
        self.home = home
        self.monitor = monitor
        self.options = options
        self.signals = signals
        self.about = about
        self.best: float | None = None
        self.position = Position()
        self._due = True
        self._saved_step, self._saved_time = 0, time.monotonic()
        self._n_logged_behind = 0  # steps that Lightning has yet to count, at this hook
        self._random: dict[str, Any] | None = random_state()  # Lightning may seed anew

    @property
    def last(self) -> Path:
        """Path of the last checkpoint."""
        return self.home / "last.ckpt"

    def on_sanity_check_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Take signals back from Lightning."""
        self.signals.reclaim()

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """From here on, signals wait for a checkpoint."""
        self._saved_step = trainer.global_step
        self.signals.hold()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save if it is time, between steps of the optimizer."""
        self._take_up(trainer)
        self._n_logged_behind = 0
        self.position = Position(trainer.current_epoch, batch_idx)
        if batch_idx % trainer.accumulate_grad_batches == 0:
            told, late = self._agreed(trainer)
            if batch_idx == 0 or self._due or late:
                self._save_last(trainer)
                self._keep_epoch(trainer)
            self._stop_if(told, trainer)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Remember that the batch is done."""
        self._n_logged_behind = 1
        self.position = Position(trainer.current_epoch, batch_idx + 1)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Remember that the validation is not done."""
        if not trainer.sanity_checking:
            self._take_up(trainer)
            self._n_logged_behind = 1
            self.position = dataclasses.replace(self.position, validating=True)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop inside a validation, which the resumed run does anew."""
        n_done, every = self.position.n_done, trainer.accumulate_grad_batches
        stepped = n_done % every == 0 or n_done >= trainer.num_training_batches
        if stepped and not trainer.sanity_checking:
            self._stop_if(self._agreed(trainer)[0], trainer)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save the best so far."""
        if trainer.sanity_checking:
            return
        self.position = dataclasses.replace(self.position, validating=False)
        self._due = True
        value = float(trainer.callback_metrics.get(f"val/{self.monitor}", math.nan))
        if processes.broadcast(self._is_better(value)):
            self.best = value
            self._save(trainer, self.home / "best.ckpt")

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save the end, from which more epochs can follow."""
        self._n_logged_behind = 0
        self._save_last(trainer)
        self._keep_epoch(trainer)
        self.signals.release(f"Training is complete; to test: reconic test {self.home.parent}")

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Add position, random state and what the checkpoint is of."""
        loops = checkpoint["loops"]["fit_loop"]
        n_logged = loops["epoch_loop.state_dict"]["_batches_that_stepped"] + self._n_logged_behind
        position = self.position.after(trainer.num_training_batches)
        position.write(loops, n_logged)
        if trainer.datamodule is not None:  # pyright: ignore[reportAttributeAccessIssue]
            name = type(trainer.datamodule).__qualname__  # pyright: ignore[reportAttributeAccessIssue]
            checkpoint[name] = position.of_data(trainer.num_training_batches)
        checkpoint["position"] = dataclasses.asdict(position)
        checkpoint["random"] = random_state()
        checkpoint["epoch"] = position.epoch
        checkpoint["reconic"] = {"version": __version__, **self.about}

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Take up position and random state, the latter when training does."""
        self.position = Position(**checkpoint["position"])
        self._random = checkpoint["random"]

    def state_dict(self) -> dict[str, Any]:
        """Best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best value, if its checkpoint was adopted."""
        self.best = state_dict["best"] if (self.home / "best.ckpt").is_file() else None

    def adopt(self, resumed: Path) -> None:
        """Copy the best checkpoint beside the one that is resumed, if it was the best by then."""
        best = resumed.parent / "best.ckpt"
        if not best.is_file() or not processes.is_first():
            return
        values = [read_checkpoint(p)["callbacks"][self.state_key]["best"] for p in (best, resumed)]
        if values[0] == values[1]:
            self.home.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.home / "best.ckpt") as temporary:
                shutil.copyfile(best, temporary)

    def _take_up(self, trainer: lightning.Trainer) -> None:
        """Go on from a loaded checkpoint, at the first thing that training does."""
        if self._random is not None:
            set_random_state(self._random)
            self._random = None
            # else Lightning leaves the rest of the epoch out of schedules that go by a metric
            trainer.fit_loop._restarting = False

    def _is_better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        sign = 1 if metric_mode(self.monitor) == "max" else -1
        return self.best is None or sign * value > sign * self.best

    def _period_is_over(self, trainer: lightning.Trainer) -> bool:
        steps, minutes = self.options.every_n_steps, self.options.every_minutes
        by_steps = steps is not None and trainer.global_step - self._saved_step >= steps
        elapsed = time.monotonic() - self._saved_time
        return by_steps or (minutes is not None and elapsed >= 60 * minutes)

    def _agreed(self, trainer: lightning.Trainer) -> tuple[int, bool]:
        """Signal that some rank got, if any, and whether it is time to save, on all ranks alike."""
        own = (self.signals.received or 0, self._period_is_over(trainer))
        told, late = processes.largest(*own)
        return int(told), bool(late)

    def _stop_if(self, told: int, trainer: lightning.Trainer) -> None:
        if told:
            self._save_last(trainer)
            self.signals.stop(self.last, trainer.global_step, told)

    def _save_last(self, trainer: lightning.Trainer) -> None:
        self._save(trainer, self.last)
        self._due = False
        self._saved_step, self._saved_time = trainer.global_step, time.monotonic()

    def _keep_epoch(self, trainer: lightning.Trainer) -> None:
        position = self.position.after(trainer.num_training_batches)
        every = self.options.every_n_epochs
        if every and position.n_done == 0 < position.epoch and position.epoch % every == 0:
            self._save(trainer, self.home / f"epoch_{position.epoch}.ckpt")

    def _save(self, trainer: lightning.Trainer, path: Path) -> None:
        if trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue]
            return
        weights: dict[str, Tensor] = trainer.lightning_module.state_dict()
        broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
        if broken:
            raise FloatingPointError(
                f"step {trainer.global_step}: weights must be finite to be saved, got "
                f"{', '.join(broken[:3])} that are not. Lower the learning rate."
            )
        trainer.save_checkpoint(path)
