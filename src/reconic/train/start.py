"""What training starts from: weights of another run, frozen parts, or an interrupted run."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from reconic.recons import Recon
from reconic.train import processes
from reconic.train.load import (
    check_weights,
    find_checkpoint,
    load_weights,
    read_checkpoint,
    recon_weights,
)

__all__ = ["begin", "check_resumable", "describe", "note_if_ended"]

_log = logging.getLogger(__name__)


def begin(
    recon: Recon, init: str | None, freeze: Sequence[str], resume: str | None, trains: bool
) -> Path | None:
    """Give a recon the weights that it starts from, and keep those that do not change.

    Args:
        recon: Recon to train.
        init: Run folder or checkpoint to take the weights of; None keeps the recon's.
        freeze: Patterns of names of parameters that stay as they are.
        resume: Run folder or checkpoint of an interrupted run.
        trains: Whether there is something to train.

    Returns:
        The checkpoint to resume from.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If weights do not fit, or what is asked for makes no sense.
    """
    if not trains and (init or freeze or resume):
        raise ValueError(
            f"fit: `init`, `freeze` and `resume` must be left out for {type(recon).__name__}, "
            "which learns nothing before it meets a scan."
        )
    if init and resume:
        raise ValueError(
            f"fit: only one of `init` and `resume` must be given, got {init!r} and {resume!r}. "
            "A resumed run has its weights."
        )
    if init is not None:
        load_weights(recon, find_checkpoint(init))
    _freeze(recon, freeze)
    return None if resume is None else find_checkpoint(resume, ("last", "best"))


def _freeze(recon: Recon, patterns: Sequence[str]) -> None:
    """Keep parameters as they are, by patterns of their names."""
    parameters = dict(recon.named_parameters())
    for pattern in patterns:
        names = fnmatch.filter(parameters, pattern)
        if not names:
            raise ValueError(
                f"freeze: each pattern must fit a parameter, got {pattern!r}. The parameters of "
                f"{type(recon).__name__} are {', '.join(parameters)}."
            )
        for name in names:
            parameters[name].requires_grad_(False)
    if patterns and not any(p.requires_grad for p in parameters.values()):
        raise ValueError(
            f"freeze: some parameter must be left to train, got {', '.join(patterns)}, which fit "
            "all. Freeze fewer, or test the recon with `reconic test`."
        )


def describe(
    recon: Recon,
    optimizer: Callable[[Iterable[Tensor]], Optimizer],
    n_batches: int,
    ema: float | None,
) -> dict[str, Any]:
    """What a run must have in common with another one to go on from its checkpoints.

    Args:
        recon: Recon to train.
        optimizer: Makes its optimizer.
        n_batches: Number of batches of an epoch.
        ema: Decay of the averaging of weights, if any.
    """
    trained = [p for p in recon.parameters() if p.requires_grad]
    return {
        "recon": type(recon).__name__,
        "optimizer": type(optimizer(trained)).__name__,
        "ema": ema,
        "number of batches in an epoch": n_batches,
        "number of weights in training": sum(p.numel() for p in trained),
    }


def check_resumable(path: Path, recon: Recon, about: Mapping[str, Any]) -> None:
    """Check that a run can go on from a checkpoint, before anything is written.

    Args:
        path: Checkpoint.
        recon: Recon to train.
        about: Description of the run.

    Raises:
        ValueError: If it cannot; tells what differs.
    """
    checkpoint = read_checkpoint(path)
    then = checkpoint.get("reconic")
    if then is None or "position" not in checkpoint:
        raise ValueError(
            f"resume: {path} must be a checkpoint of a run of Reconic, got one without its state. "
            "Start from its weights with `init`."
        )
    try:
        check_weights(recon, recon_weights(checkpoint, path), path)
    except ValueError as error:
        raise ValueError(f"{error} It was written by Reconic {then['version']}.") from None
    for what, now in about.items():
        if then.get(what) != now:
            raise ValueError(
                f"resume: {what} must be as in {path}, {then.get(what)}, got {now}. Use the "
                "configuration that the run was started with, or start anew from its weights with "
                "`init`."
            )


def note_if_ended(path: Path, n_steps: int) -> None:
    """Say so where a resumed run had made all its steps before, and nothing was trained.

    Args:
        path: Checkpoint that was resumed.
        n_steps: Optimizer steps of the run by now.
    """
    if processes.is_first() and read_checkpoint(path)["global_step"] == n_steps:
        _log.warning(
            "resume: %s had made all its %d steps; nothing was trained. To go on for longer, raise "
            "the limit that ended it: `--trainer.max_epochs`, `max_steps` or `max_time`.",
            path, n_steps,
        )  # fmt: skip
