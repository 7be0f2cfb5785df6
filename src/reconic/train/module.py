"""Lightning module: trains any Recon with any loss, optimizer and schedule."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Timer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reconic.metrics import nrmse, psnr, ssim
from reconic.recons import Recon
from reconic.recons.draws import rows
from reconic.train import processes
from reconic.train.finite import check_gradient, check_loss, gradient_norm
from reconic.train.losses import Loss
from reconic.train.schedule import Schedule, factor_and_epochs, make_scheduler
from reconic.train.system import SystemFactory

__all__ = ["METRICS", "ReconModule", "metric_mode", "scores"]

METRICS = {"nrmse": nrmse, "psnr": psnr, "ssim": ssim}


def metric_mode(name: str) -> Literal["min", "max"]:
    """Whether the best value of a metric is its smallest or its largest."""
    return "max" if name in ("psnr", "ssim") else "min"


def scores(x_hat: Tensor, x: Tensor, n_space: int) -> dict[str, Tensor]:
    """NRMSE, PSNR and SSIM of each example of a batch, each averaged over its frames."""
    return {
        name: metric(x_hat, x, n_space=n_space).flatten(1).mean(1)
        if x.ndim > n_space + 1
        else metric(x_hat, x, n_space=n_space)
        for name, metric in METRICS.items()
    }


class ReconModule(lightning.LightningModule):
    """A recon in training: loops, logging, optimizer and schedule.

    Logged are `train/loss` with its terms by name, `train/nrmse`, what the recon reports
    (`train/lam`, `train/n_cg`), `train/lr`, `train/gradient_norm` (before clipping) and
    `train/samples_per_second`; `val/` and `test/` `loss` and, where there are true images, `nrmse`,
    `psnr` and `ssim`, means over the examples.
    A loss that draws random numbers draws the same at each validation, and in training the same for
    an example whatever the number of devices. All are means over the whole batch.

    Args:
        recon: What is trained.
        system: Makes the forward model of a batch.
        loss: What is minimised.
        optimizer: Makes the optimizer from parameters.
        lr_scheduler: A pair [x, y], a `Schedule`, a function that makes a torch scheduler, or None.
        lr_interval: When a torch scheduler steps.
        monitor: Metric for schedulers that ask for one.
    """

    def __init__(
        self,
        recon: Recon,
        system: SystemFactory,
        loss: Loss,
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        lr_scheduler: Sequence[float] | Schedule | Callable[[Optimizer], LRScheduler] | None = None,
        lr_interval: Literal["step", "epoch"] = "epoch",
        monitor: str = "psnr",
    ) -> None:
        super().__init__()
        if isinstance(lr_scheduler, Sequence):
            factor_and_epochs(lr_scheduler)  # an unclear pair is better told before the run starts
        self.recon = recon
        self.system = system
        self.loss = loss
        self.make_optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.lr_interval = lr_interval
        self.monitor = monitor
        self._last_batch_end: float | None = None
        self._evaluated: list[tuple[int, dict[str, Tensor]]] = []  # number of examples, their means
        self._batch: dict[str, Tensor] = {}  # the one in training, to name it if it goes wrong

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Image (batch, *in_shape) of a batch."""
        return self.recon(*self.system.measured(batch))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch.

        Raises:
            FloatingPointError: If it is not finite; names the examples and what is wrong.
        """
        self._batch = batch
        x = batch.get("x")
        with rows(batch.get("row", torch.arange(len(batch["y"]))).tolist()):
            x_hat, loss = self.loss.step(self.recon, x, *self.system.measured(batch))
        terms = {**self.loss.report, **self.recon.report}
        check_loss(loss.detach(), batch, terms, self._when())
        if x is not None:
            terms["nrmse"] = nrmse(x_hat.detach(), x, n_space=x.ndim - 1).mean()
        weight = batch.get("rank_weight", torch.ones_like(loss.detach()))
        terms = processes.average({"loss": loss.detach(), **terms}, weight)
        self.log("train/loss", terms.pop("loss"), prog_bar=True)
        self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log_dict({f"train/{name}": value for name, value in terms.items()})
        return loss * weight

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Log the norm of the gradient, before it is clipped.

        Raises:
            FloatingPointError: If it is not finite; names the examples and parameters.
        """
        norm = gradient_norm(self.recon.parameters())
        check_gradient(norm, self.recon.named_parameters(), self._batch, self._when())
        self.log("train/gradient_norm", norm)

    def _when(self) -> str:
        return f"step {self.trainer.global_step} of epoch {self.trainer.current_epoch}"

    def on_train_batch_end(self, outputs: Any, batch: dict[str, Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Log how many examples are trained on in a second."""
        now = time.perf_counter()
        if self._last_batch_end is not None:
            weight = max(float(batch.get("rank_weight", 1.0)), 1e-9)  # rank 0, which logs, has some
            n = len(batch["y"]) * processes.count() / weight
            self.log("train/samples_per_second", n / max(now - self._last_batch_end, 1e-9))
        self._last_batch_end = now

    def on_validation_end(self) -> None:
        """Leave the time that validation takes out of the rate of training."""
        self._last_batch_end = None

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Compute loss and, where there are true images, metrics of a validation batch.

        Returns:
            Each metric of each example; none of one that is here only to keep step with others.
        """
        return self._evaluation_step(batch, batch_idx, "val")

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Compute loss and, where there are true images, metrics of a test batch."""
        self._evaluation_step(batch, batch_idx, "test")

    def _evaluation_step(
        self, batch: dict[str, Tensor], batch_idx: int, split: str
    ) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        counts = bool(batch.get("rank_weight", 1))
        x, (y, A) = batch.get("x"), self.system.measured(batch)
        with self._own_randomness(batch_idx * processes.count() + processes.rank()):
            x_hat, loss = self.loss.step(self.recon, x, y, A)
        logged = {f"{split}/loss": loss}
        if x is not None:
            if type(self.loss).step is not Loss.step:  # its estimate is not of all measurements
                x_hat = self.recon(y, A)
            values = scores(x_hat, x, self.system.n_space)
            logged |= {f"{split}/{name}": value.mean() for name, value in values.items()}
        if counts:
            self._evaluated += [(len(y), {k: v.detach() for k, v in logged.items()})]
        return values if counts else {}

    def on_validation_epoch_start(self) -> None:
        """Leave out what an interrupted validation has seen."""
        self._evaluated = []

    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation examples of all ranks."""
        self._log_means()

    def on_test_epoch_end(self) -> None:
        """Log the means over the test examples of all ranks."""
        self._log_means()

    def _log_means(self) -> None:
        own = [(n, {k: float(v) for k, v in values.items()}) for n, values in self._evaluated]
        found = [pair for share in processes.gather(own) for pair in share]
        self._evaluated = []
        n_examples = sum(n for n, _ in found)
        for name in found[0][1]:
            mean = sum(n * values[name] for n, values in found) / n_examples
            on_bar = name == f"val/{self.monitor}"
            self.log(name, mean, prog_bar=on_bar, sync_dist=processes.count() > 1)

    @contextlib.contextmanager
    def _own_randomness(self, seed: int) -> Iterator[None]:
        """The same random numbers at each validation, without a trace in those of training."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            yield

    def configure_optimizers(self) -> Any:
        """Optimizer over the recon's parameters, with its schedule."""
        parameters = [p for p in self.recon.parameters() if p.requires_grad]
        if not parameters:
            raise ValueError(
                f"{type(self.recon).__name__}: a recon to train must have parameters, got none. "
                "Use `reconic recon` for recons that need no training."
            )
        optimizer = self.make_optimizer(parameters)
        if self.lr_scheduler is None:
            return optimizer
        scheduler = make_scheduler(
            self.lr_scheduler, optimizer, self.lr_interval, f"val/{self.monitor}", self.progress
        )
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def progress(self) -> float:
        """How far training is, from 0 to 1, by steps or by time, whichever is further."""
        steps = self.trainer.global_step / max(self.trainer.estimated_stepping_batches, 1)
        timers = [c for c in self.trainer.callbacks if isinstance(c, Timer)]  # pyright: ignore
        if not timers:
            return steps
        return max(steps, *processes.largest(*map(_elapsed_fraction, timers)))


def _elapsed_fraction(timer: Timer) -> float:
    remaining = timer.time_remaining()
    if remaining is None:
        return 0.0
    elapsed = timer.time_elapsed()
    return min(elapsed / max(elapsed + remaining, 1e-9), 1.0)
