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
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback

from reconic.track import RunWriter
from reconic.train.callbacks import ProgressBar
from reconic.train.checkpoint_io import WholeCheckpoints
from reconic.train.logger import RunLogger

__all__ = ["checked", "explained", "make_trainer", "quiet_lightning"]

_PRECISIONS = (None, 32, "32", "32-true")
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the Trainer, with those refused that it or reconstructions cannot work with.

    Raises:
        ValueError: If Lightning refuses a setting, or the precision is not 32 bits.
    """
    precision = settings.get("precision")
    if precision not in _PRECISIONS:
        raise ValueError(
            f"trainer: `precision` must be 32-true, got {precision}: Fourier transforms and data "
            "consistency need complex64. To compute faster, let the network alone work in "
            'bfloat16, with "compute": {"bf16": true} in its init_args.'
        )
    try:
        with quiet_lightning():
            lightning.Trainer(**{**settings, "callbacks": None, "logger": False})
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error
    return dict(settings)


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
        **settings,
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
            warnings.filterwarnings(
                "ignore", message=".*isinstance.treespec, LeafSpec.* is deprecated"
            )
            yield
    finally:
        logger.setLevel(level)
