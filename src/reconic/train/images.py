"""Images of fixed validation examples over time, in TensorBoard and as figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from reconic.recons import Recon
from reconic.track import RunWriter
from reconic.train import processes
from reconic.train.data import ReconData, collate
from reconic.train.snapshot import Snapshot, changing_panels, fixed_panels, snapshot
from reconic.train.system import SystemFactory
from reconic.view import comparison

__all__ = ["Images", "LogImages", "fixed_examples"]


@dataclass
class Images:
    """Which images are logged.

    Args:
        n: Number of validation examples, evenly spaced, whose images are logged; 0 logs none.
        every_n_epochs: Images go to TensorBoard after the validations of each so many epochs.
        figures_every_n_epochs: `figures/epoch_N_example_I.png` is drawn after the validations of
            each so many epochs, and at the end; null draws none.
    """

    n: int = 2
    every_n_epochs: int = 1
    figures_every_n_epochs: int | None = 10

    def __post_init__(self) -> None:
        if self.n < 0 or self.every_n_epochs < 1 or (self.figures_every_n_epochs or 1) < 1:
            raise ValueError(
                "Images: `n` must be at least 0 and the numbers of epochs at least 1, got "
                f"{self.n}, {self.every_n_epochs} and {self.figures_every_n_epochs}. Use n: 0 to "
                "log no images, and null to draw no figures."
            )


class LogImages(Callback):
    """Logs images of fixed validation examples; see `Images` and `changing_panels`.

    Each example has one grey scale, that of its truth, for good. What does not change, the input,
    the truth and the measured k-space, is logged once.

    Args:
        writer: Where images go.
        system: Makes the forward model of an example.
        examples: Batches of one example each.
        images: Which images are logged.
    """

    def __init__(
        self,
        writer: RunWriter,
        system: SystemFactory,
        examples: list[dict[str, Tensor]],
        images: Images = Images(),  # noqa: B008 (never changed)
    ) -> None:
        self.writer = writer
        self.system = system
        self.examples = examples
        self.images = images
        self.started = False
        self.epoch = 0
        self.undrawn: list[Snapshot] = []  # of that epoch

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Log the images, those that do not change only the first time."""
        epoch = trainer.current_epoch + 1
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        if epoch % self.images.every_n_epochs and not self._draws(epoch):
            return
        recon: Recon = pl_module.recon  # pyright: ignore
        self.epoch = epoch
        self.undrawn = [snapshot(recon, self.system, example) for example in self.examples]
        for i, shot in enumerate(self.undrawn):
            panels = changing_panels(shot) | ({} if self.started else fixed_panels(shot))
            named = {f"example_{i}/{name}": panel for name, panel in panels.items()}
            self.writer.images(named, trainer.global_step)
        self.started = True
        if self._draws(epoch):
            self._draw()

    def on_train_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """Draw what was validated last."""
        if self.images.figures_every_n_epochs and self.undrawn:
            self._draw()

    def _draws(self, epoch: int) -> bool:
        every = self.images.figures_every_n_epochs
        return every is not None and epoch % every == 0

    def _draw(self) -> None:
        folder = Path(self.writer.folder, "figures")
        folder.mkdir(exist_ok=True)
        for i, shot in enumerate(self.undrawn):
            images = {self.system.adjoint_title: shot.adjoint, f"Epoch {self.epoch}": shot.x_hat}
            comparison(images, shot.truth, folder / f"epoch_{self.epoch:04d}_example_{i}.png")
        self.undrawn = []


def fixed_examples(data: ReconData, n: int) -> list[dict[str, Tensor]]:
    """Some validation examples, evenly spaced, as batches of one; none but on the first rank."""
    if not processes.is_first():
        return []
    dataset = data.dataset("val")
    spaced = {int((i + 0.5) * len(dataset) / n) for i in range(n)}
    return [collate([dataset[i]], data.system.coil_axis) for i in sorted(spaced)]
