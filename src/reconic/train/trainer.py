"""The Lightning Trainer of a run, and what of it a user sees."""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy

from reconic.track import RunWriter
from reconic.train.callbacks import ProgressBar
from reconic.train.checkpoint_io import WholeCheckpoints
from reconic.train.logger import RunLogger

__all__ = ["checked", "explained", "make_trainer", "quiet_lightning", "strategy_of"]

_PRECISIONS = (None, 32, "32", "32-true")
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the Trainer, with those refused that it or reconstructions cannot work with.

    Raises:
        ValueError: If Lightning refuses a setting, the precision is not 32 bits, there are not as
            many GPUs, or the strategy is none that reconstructions can work with.
    """
    precision = settings.get("precision")
    if precision not in _PRECISIONS:
        raise ValueError(
            f"trainer: `precision` must be 32-true, got {precision}: Fourier transforms and data "
            "consistency need complex64. To compute faster, let the network alone work in "
            'bfloat16, with "compute": {"bf16": true} in its init_args.'
        )
    _check_gpus(settings)
    strategy = strategy_of(settings)
    started = getattr(strategy, "_start_method", "popen")
    if not isinstance(strategy, SingleDeviceStrategy | DDPStrategy) or started != "popen":
        raise ValueError(
            f"trainer: `strategy` must be auto, ddp or one of its variants, got "
            f"{settings['strategy']}: averages, checkpoints and checks of the weights need all of "
            "them in each process, of a command that can be started again. Use ddp."
        )
    return dict(settings)


def strategy_of(settings: Mapping[str, Any]) -> Strategy:
    """Strategy of a Trainer with these settings.

    Raises:
        ValueError: If Lightning refuses a setting.
    """
    try:
        with quiet_lightning():
            trial = lightning.Trainer(**{**settings, "callbacks": None, "logger": False})
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise ValueError(f"trainer: {error}") from error
    return trial.strategy


def _check_gpus(settings: Mapping[str, Any]) -> None:
    """Check that the GPUs that are asked for are there."""
    devices, n = settings.get("devices"), torch.cuda.device_count()
    wants_gpus = settings.get("accelerator") in ("gpu", "cuda")
    if not wants_gpus and (n == 0 or settings.get("accelerator", "auto") != "auto"):
        return
    if isinstance(devices, str) and devices.lstrip("-").isdigit():
        devices = int(devices)
    missing = devices > n if isinstance(devices, int) else False
    if isinstance(devices, list | tuple):
        missing = any(not 0 <= device < n for device in devices)
    if missing:
        raise ValueError(
            f"trainer: `devices` must be among the {n} GPUs of this host, got {devices}. Ask for "
            "fewer, or for accelerator cpu."
        )


def make_trainer(
    settings: dict[str, Any],
    folder: Path,
    writer: RunWriter,
    callbacks: list[Callback],
    n_batches: int,
) -> lightning.Trainer:
    """Trainer that writes into a run folder.

    Args:
        settings: Arguments of Lightning's Trainer.
        folder: Run folder.
        writer: Its writer.
        callbacks: The engine's; those of the settings come after.
        n_batches: Number of batches of an epoch; no less often is logged than once an epoch.
    """
    settings = {"enable_model_summary": False, "num_sanity_val_steps": 1, **settings}
    own = settings.pop("callbacks", None) or []
    plugins = settings.pop("plugins", None) or []
    every = settings.pop("log_every_n_steps", None) or 10
    rate = 1 if sys.stdout.isatty() else 10
    bar = [] if settings.get("enable_progress_bar") is False else [ProgressBar(refresh_rate=rate)]
    return lightning.Trainer(
        **{**settings, "use_distributed_sampler": False},  # each rank has its share already
        default_root_dir=folder,
        logger=RunLogger(writer),
        log_every_n_steps=max(1, min(every, _limited(n_batches, settings))),
        callbacks=[*bar, *callbacks, *(own if isinstance(own, list) else [own])],
        plugins=[WholeCheckpoints(), *(plugins if isinstance(plugins, list) else [plugins])],
    )


def _limited(n_batches: int, settings: Mapping[str, Any]) -> int:
    """Number of batches of an epoch after the Trainer's limit, a number or a fraction."""
    limit = settings.get("limit_train_batches")
    if isinstance(limit, int):
        return min(n_batches, limit)
    return n_batches if limit is None else int(n_batches * limit)


@contextlib.contextmanager
def explained(folder: Path, last: Path) -> Iterator[None]:
    """Add to errors that end a run what was saved before, and where there is no room."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{error} {_saved(last)}") from error
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error
    except OSError as error:
        if error.errno not in _STORAGE:
            raise
        raise OSError(
            error.errno,
            f"train: the run folder {folder} must be writable, got: {error.strerror}. Make room, "
            f"or choose another `logdir`. {_saved(last)}",
        ) from error


def _saved(last: Path) -> str:
    if not last.is_file():
        return "No checkpoint was saved before."
    return f"The last good checkpoint is {last}."


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's advertisements, and its warnings about choices that are deliberate."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
            warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
            warnings.filterwarnings(
                "ignore", message=".*isinstance.treespec, LeafSpec.* is deprecated"
            )
            yield
    finally:
        logger.setLevel(level)
