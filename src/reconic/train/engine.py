"""Training from start to end: run folder, training, validation, test, table and figure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import lightning
import yaml
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reconic.recons import Recon
from reconic.track import (
    RunWriter,
    TrackerSpec,
    check_trackers,
    environment,
    new_run,
    write_json,
    write_text,
)
from reconic.train import processes
from reconic.train.comparison import Fit, compare
from reconic.train.data import ReconData
from reconic.train.demands import check_data
from reconic.train.ema import AverageWeights
from reconic.train.images import Images, LogImages, fixed_examples
from reconic.train.interrupt import Signals
from reconic.train.keep import Checkpoint, KeepCheckpoints
from reconic.train.launch import check_count, joined
from reconic.train.load import find_checkpoint, load_weights, needs_training
from reconic.train.logger import NoWriter
from reconic.train.losses import Loss
from reconic.train.module import ReconModule
from reconic.train.schedule import Schedule
from reconic.train.start import begin, check_resumable, describe, note_if_ended
from reconic.train.summary import LogSummary
from reconic.train.system import SystemFactory
from reconic.train.trainer import (
    checked,
    explained,
    make_trainer,
    quiet_lightning,
    strategy_of,
)

__all__ = ["Checkpoint", "Fit", "compare", "fit"]

Baseline = Literal["zero-filled", "cg-sense"]


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
    images: Images = Images(),  # noqa: B008 (never changed)
    ema: float | None = None,
    init: str | None = None,
    freeze: list[str] = [],  # noqa: B006 (never changed)
    resume: str | None = None,
    baselines: list[Baseline] = ["zero-filled", "cg-sense"],  # noqa: B006 (never changed)
    trackers: list[str | dict[str, Any]] = [],  # noqa: B006 (never changed)
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
        trainer: Arguments of Lightning's Trainer; see docs/scaling.md for several devices.
        checkpoint: Which checkpoints are kept.
        images: Which images are logged.
        ema: Decay of an exponential moving average of the weights, such as 0.999; the average is
            what is validated, kept as the result, and tested. Null for none.
        init: Run folder or checkpoint of the same recon whose weights training starts from.
        freeze: Patterns of names of parameters that stay as they are, such as "*.network.*".
        resume: Run folder or checkpoint that a new run goes on from, with optimizer, schedule,
            average, position and random numbers as if there had been no interruption.
        baselines: Methods to compare with. The λ of CG-SENSE is the one with the best mean PSNR on
            the validation examples.
        trackers: Experiment trackers beside TensorBoard, offline by default: wandb, mlflow, either
            with arguments of Lightning's logger as {"wandb": {"project": "knee"}}, or any class
            with the interface of Lightning's Logger as {"class_path": …, "init_args": {…}}.
        name: Name of the run.
        logdir: Folder of all runs; this one is logdir/name/version_N.
        seed: Seed of everything that is random.
        config: Text of the run's configuration, kept as its config.yaml.

    Returns:
        Run folder and results.

    Raises:
        FileNotFoundError: If a data file or checkpoint is missing.
        ValueError: If data, system, recon and checkpoint do not fit, or a value is out of range.
        FloatingPointError: If loss or gradient become NaN or infinite; names the examples, the
            terms, and the last good checkpoint.
        Interrupted: If SIGTERM or Ctrl-C stopped it; names the checkpoint to resume from.
        OSError: If the run folder cannot be written to.
        ConnectionError: If another process of the run is lost; names it, and the run to resume.
    """
    if data.seed is None:
        data.seed = seed
    data.system = system
    monitor = checkpoint.monitor or ("psnr" if loss.needs_truth else "loss")
    trains = needs_training(recon)
    check_data(data, loss, monitor, trains, baselines)
    settings = checked(trainer or {})
    check_trackers(trackers)
    resumed = begin(recon, init, freeze, resume, trains)
    module = ReconModule(recon, system, loss, optimizer, lr_scheduler, lr_interval, monitor)
    n_batches = len(data.train_dataloader()) if trains else 1
    about = describe(recon, optimizer, n_batches, ema) if trains else {}
    if resumed is not None:
        check_resumable(resumed, recon, about)
    averages = [] if ema is None else [AverageWeights(ema)]
    strategy = strategy_of(settings)
    check_count(strategy, data.batch_size)
    with (
        Signals().handled() as signals,
        joined(strategy, config) as watch,
        _new_writer(logdir, name, config, trackers) as writer,
    ):
        folder = writer.folder
        if config is not None:
            writer.hparams(yaml.safe_load(config))
        keeper = KeepCheckpoints(folder / "checkpoints", monitor, checkpoint, signals, about)
        if watch is not None:
            watch.last = keeper.last
        callbacks: list[Callback] = []
        if trains:
            shown = LogImages(writer, system, fixed_examples(data, images.n), images)
            callbacks = [LogSummary(writer), shown, *averages, keeper]  # these end in this order
        with quiet_lightning(), explained(folder, keeper.last):
            engine = make_trainer(settings, folder, writer, callbacks, n_batches)
            _apply_limits(data, engine)
            if resumed is not None:
                keeper.adopt(resumed)
            if trains:
                engine.fit(module, datamodule=data, ckpt_path=resumed, weights_only=True)
                _load_result(recon, folder)
            if resumed is not None:
                note_if_ended(resumed, engine.global_step)
        found = compare(folder, recon, data, system, baselines, str(engine.strategy.root_device))
        tested = found.results.get(type(recon).__name__.lower(), {})
        writer.scalars({f"test/{name}": v for name, v in tested.items()}, engine.global_step)
    return found


def _load_result(recon: Recon, folder: Path) -> None:
    """Load the best weights, or without validation the last; a fast_dev_run has neither."""
    with contextlib.suppress(FileNotFoundError):
        if processes.is_first():
            load_weights(recon, find_checkpoint(folder))
    recon.load_state_dict(processes.broadcast(recon.state_dict()))  # not all may see the folder


def _new_writer(
    logdir: str, name: str, config: str | None, trackers: Sequence[TrackerSpec]
) -> RunWriter:
    """What writes into the new run folder, which the first process makes."""
    folder = _new_folder(logdir, name, config) if processes.is_first() else None
    folder = processes.broadcast(folder)
    return RunWriter(folder, trackers) if processes.is_first() else NoWriter(folder)


def _new_folder(logdir: str, name: str, config: str | None) -> Path:
    folder = new_run(logdir, name)
    if config is not None:
        write_text(folder / "config.yaml", config)
    write_json(folder / "environment.json", environment())
    return folder


def _apply_limits(data: ReconData, engine: lightning.Trainer) -> None:
    """Let the Trainer's limits, fast_dev_run's among them, hold for all ranks together.

    They hold for the comparison, too.
    """
    for split, limit in (("val", engine.limit_val_batches), ("test", engine.limit_test_batches)):
        if limit != 1.0 or isinstance(limit, int):
            n = len(data.dataset(split))
            n_used = limit if isinstance(limit, int) else round(limit * n)
            data.limits[split] = max(1, min(n, n_used))
    if 0 < engine.limit_val_batches < 1:
        engine.limit_val_batches = 1.0  # of those that are left
