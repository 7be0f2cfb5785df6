"""What a recon is, and how its scores spread over the validation examples."""

from __future__ import annotations

from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from reconic.recons import Recon
from reconic.track import RunWriter
from reconic.train import processes

__all__ = ["LogSummary", "describe_recon"]


class LogSummary(Callback):
    """Logs the recon's parts once, and a histogram of each metric after each validation.

    The histograms' tags are `val_slices/nrmse` and so on, with one value for each example.

    Args:
        writer: Where they go.
    """

    def __init__(self, writer: RunWriter) -> None:
        self.writer = writer
        self.scores: dict[str, list[float]] = {}

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Log the recon's parts."""
        if trainer.is_global_zero:
            self.writer.text("recon", describe_recon(pl_module.recon))  # pyright: ignore

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: dict[str, Tensor],  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Collect the scores of a batch, what the validation step returned."""
        for name, values in (outputs or {}).items():
            self.scores.setdefault(name, []).extend(values.tolist())

    def on_validation_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """Log the histograms, of the scores that all ranks have."""
        shares, self.scores = processes.gather(self.scores), {}
        if not trainer.sanity_checking and trainer.is_global_zero:
            for name in dict.fromkeys(name for share in shares for name in share):
                values = [value for share in shares for value in share.get(name, [])]
                self.writer.histogram(f"val_slices/{name}", values, trainer.global_step)


def describe_recon(recon: Recon) -> str:
    """Markdown table of a recon's parts: class, number of parameters, and how many are learned."""
    parts = [("", recon), *recon.named_children()]
    rows = [
        f"| {name or 'all'} | {type(part).__name__} | {_count(part)} "
        f"| {_count(part, learned=True)} |"
        for name, part in parts
    ]
    return "\n".join(["| part | class | parameters | learned |", "|---|---|---:|---:|", *rows])


def _count(module: nn.Module, *, learned: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not learned)
