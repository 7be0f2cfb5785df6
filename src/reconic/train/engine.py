"""Training from start to end: run folder, training, validation, test, table and figure."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reconic.recons import CGSense, Recon, ZeroFilled
from reconic.track import RunWriter, environment, new_run, write_json, write_text
from reconic.train.callbacks import LogImages, ProgressBar
from reconic.train.data import ReconData, collate
from reconic.train.evaluate import best_lam, evaluate, means, reconstruct
from reconic.train.load import load_weights
from reconic.train.logger import RunLogger
from reconic.train.losses import Loss
from reconic.train.module import ReconModule, metric_mode
from reconic.train.schedule import Schedule
from reconic.train.system import SystemFactory
from reconic.view import comparison

__all__ = ["Checkpoint", "Fit", "compare", "fit"]

Baseline = Literal["zero-filled", "cg-sense"]
_N_IMAGES = 2  # validation examples whose images are logged


@dataclass
class Checkpoint:
    """Which checkpoints are kept, beside the last one.

    Args:
        monitor: Validation metric whose best value marks the best checkpoint.
        resume: Checkpoint of a run, such as its last.ckpt, to go on from in a new run; optimizer,
            schedule and epoch count go on too.
    """

    monitor: Literal["nrmse", "psnr", "ssim", "loss"] = "psnr"
    resume: str | None = None


@dataclass(frozen=True)
class Fit:
    """What a training run ends with.

    Attributes:
        folder: Run folder.
        results: Mean NRMSE, PSNR and SSIM over the test examples, for each method.
        lam: λ of the CG-SENSE baseline; None without it.
    """

    folder: Path
    results: dict[str, dict[str, float]]
    lam: float | None


def fit(
    data: ReconData,
    system: SystemFactory,
    recon: Recon,
    loss: Loss,
    optimizer: Callable[[Iterable[Tensor]], Optimizer],
    lr_scheduler: list[float] | Schedule | Callable[[Optimizer], LRScheduler] | None = None,
    lr_interval: Literal["step", "epoch"] = "epoch",
    trainer: Mapping[str, Any] | None = None,
    checkpoint: Checkpoint = Checkpoint(),  # noqa: B008 (never changed)
    baselines: list[Baseline] = ["zero-filled", "cg-sense"],  # noqa: B006 (never changed)
    name: str = "default",
    logdir: str = "logs",
    seed: int = 723,
    config: str | None = None,
) -> Fit:
    """Train a recon, validate it along the way, and test its best state beside the baselines.

    Args:
        data: Training, validation and test examples.
        system: Forward model of the examples.
        recon: What is trained: MoDL, ResNetRecon, Chain …, or your own class by its import path.
        loss: What is minimised: ComplexL2, ComplexL1, SSIMLoss, KSpaceLoss, WeightedSum …
        optimizer: Any of torch.optim, by name or import path.
        lr_scheduler: [x, y] multiplies the learning rate by x every y epochs. Or WarmCosine, a
            schedule that ends when max_epochs, max_steps or max_time is over. Or any of
            torch.optim.lr_scheduler. Or null.
        lr_interval: Whether a scheduler of torch steps after each step or each epoch.
        trainer: Arguments of Lightning's Trainer.
        checkpoint: Which checkpoints are kept.
        baselines: Methods to compare with. The λ of CG-SENSE is the one with the best mean PSNR on
            the validation examples.
        name: Name of the run.
        logdir: Folder of all runs; this one is logdir/name/version_N.
        seed: Seed of everything that is random.
        config: Text of the run's configuration, kept as its config.yaml.

    Returns:
        Run folder and results.

    Raises:
        FileNotFoundError: If a data file is missing.
        ValueError: If data, system and recon do not fit, or a value is out of range.
    """
    if data.seed is None:
        data.seed = seed
    n_train, *_ = [len(data.dataset(split)) for split in ("train", "val", "test")]  # all there?
    if checkpoint.resume is not None and not Path(checkpoint.resume).is_file():
        raise FileNotFoundError(
            f"checkpoint: `resume` must be a checkpoint file, got {checkpoint.resume!r}. Give one "
            "of logs/NAME/version_N/checkpoints."
        )
    module = ReconModule(
        recon, system, loss, optimizer, lr_scheduler, lr_interval, checkpoint.monitor
    )
    folder = _new_folder(logdir, name, config)
    with contextlib.closing(RunWriter(folder)) as writer:
        if config is not None:
            writer.hparams(yaml.safe_load(config), [f"val/{m}" for m in ("nrmse", "psnr", "ssim")])
        callbacks = [
            *_keepers(folder, checkpoint.monitor),
            LogImages(writer, system, _fixed_examples(data)),
        ]
        with _quiet_lightning():
            n_batches = -(-n_train // data.batch_size)
            engine = _trainer(dict(trainer or {}), folder, writer, callbacks, n_batches)
            engine.fit(module, datamodule=data, ckpt_path=checkpoint.resume)
        best = folder / "checkpoints" / "best.ckpt"
        if best.is_file():
            load_weights(recon, best)
        _apply_limits(data, engine)
        found = compare(folder, recon, data, system, baselines, str(engine.strategy.root_device))
        tested = found.results[type(recon).__name__.lower()]
        writer.scalars({f"test/{name}": v for name, v in tested.items()}, engine.global_step)
    return found


def compare(
    folder: Path,
    recon: Recon,
    data: ReconData,
    system: SystemFactory,
    baselines: Iterable[str],
    device: str = "cpu",
) -> Fit:
    """Compare a trained recon with baselines on the test examples.

    Written into the folder are `results.json` (means), `slices.json` (each example, and the λ of
    CG-SENSE) and `figures/comparison.png` (the example with the median PSNR).

    Args:
        folder: Where results go.
        recon: Trained recon.
        data: Examples; the validation examples choose the λ of CG-SENSE.
        system: Forward model of the examples.
        baselines: "zero-filled", "cg-sense".
        device: Where to compute.
    """
    lam = None
    recons: dict[str, Recon] = {}
    for name in baselines:
        if name == "cg-sense":
            lam = best_lam(data.val_dataloader(), system, device=device)
            recons[name] = CGSense(lam)
        else:
            recons[name] = ZeroFilled()
    own = type(recon).__name__.lower()
    recons[own] = recon
    found = evaluate(recons, data.test_dataloader(), system, device, progress="Testing")
    results = means(found)
    write_json(folder / "slices.json", {"cg-sense lam": lam, "slices": found})
    write_json(folder / "results.json", results)
    psnr = found[own]["psnr"]
    median = int(np.argsort(psnr)[len(psnr) // 2])
    _figure(folder / "figures" / "comparison.png", recons, data, median, system, device)
    return Fit(folder, results, lam)


def _figure(
    path: Path,
    recons: dict[str, Recon],
    data: ReconData,
    index: int,
    system: SystemFactory,
    device: str,
) -> None:
    batch = collate([data.dataset("test")[index]])
    images = reconstruct(recons, batch, system, device)
    path.parent.mkdir(parents=True, exist_ok=True)
    titles = {"zero-filled": "Zero-filled", "cg-sense": "CG-SENSE"}
    titled = {titles.get(name, type(recons[name]).__name__): x[0] for name, x in images.items()}
    comparison(titled, batch["x"][0].numpy(), path)


def _new_folder(logdir: str, name: str, config: str | None) -> Path:
    folder = new_run(logdir, name)
    if config is not None:
        write_text(folder / "config.yaml", config)
    write_json(folder / "environment.json", environment())
    return folder


def _fixed_examples(data: ReconData) -> list[dict[str, Tensor]]:
    """Some validation examples, evenly spaced, whose images are logged."""
    dataset = data.dataset("val")
    spaced = {int((i + 0.5) * len(dataset) / _N_IMAGES) for i in range(_N_IMAGES)}
    return [collate([dataset[i]]) for i in sorted(spaced)]


def _keepers(folder: Path, monitor: str) -> list[Callback]:
    """Callbacks that keep `checkpoints/best.ckpt` and `last.ckpt`, each written anew as a whole."""
    home = folder / "checkpoints"
    best = ModelCheckpoint(
        dirpath=home,
        filename="best",
        monitor=f"val/{monitor}",
        mode=metric_mode(monitor),
        enable_version_counter=False,
    )
    last = ModelCheckpoint(
        dirpath=home, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
    )
    return [best, last]


def _trainer(
    settings: dict[str, Any],
    folder: Path,
    writer: RunWriter,
    callbacks: list[Callback],
    n_batches: int,
) -> lightning.Trainer:
    own = settings.pop("callbacks", None) or []
    every = settings.pop("log_every_n_steps", None) or 10
    rate = 1 if sys.stdout.isatty() else 10
    bar = [] if settings.get("enable_progress_bar") is False else [ProgressBar(refresh_rate=rate)]
    try:
        return lightning.Trainer(
            **settings,
            default_root_dir=folder,
            logger=RunLogger(writer),
            log_every_n_steps=max(1, min(every, n_batches)),
            callbacks=[*bar, *callbacks, *(own if isinstance(own, list) else [own])],
        )
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def _apply_limits(data: ReconData, engine: lightning.Trainer) -> None:
    """Let the Trainer's limits, fast_dev_run's among them, hold for the comparison too."""
    for split, limit in (("val", engine.limit_val_batches), ("test", engine.limit_test_batches)):
        n = len(data.dataset(split))
        n_used = limit if isinstance(limit, int) else round(limit * n)
        data.limits[split] = max(1, min(n, n_used))


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Without Lightning's advertisements, and its warnings about choices that are deliberate."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message="The dirpath has changed")  # a new run's own
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.* is deprecated")
        yield
    logger.setLevel(level)
