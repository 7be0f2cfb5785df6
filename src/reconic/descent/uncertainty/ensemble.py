"""An ensemble: many fits in one compiled loop, whose spread tells how sure the image is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reconic.descent.checks import check, user_line_first
from reconic.descent.feed import Data
from reconic.descent.loss import Loss
from reconic.descent.problem import Problem, make_problem
from reconic.descent.stopping import interruptible
from reconic.descent.trees import split
from reconic.descent.uncertainty.descents import Descents
from reconic.descent.uncertainty.members import (
    Start,
    bar,
    enough,
    failures,
    in_memory,
    leave_out,
    member,
    seeds_of,
)  # fmt: skip
from reconic.descent.uncertainty.resample import Resample
from reconic.descent.uncertainty.spread import Spread

__all__ = ["Ensemble", "ensemble"]


@dataclass(frozen=True)
class Ensemble(Spread):
    """Many fits of one problem.

    Attributes:
        mean: Mean of the members, in the tree of the variables.
        std: Their standard deviation, of n - 1 degrees of freedom.
        members: Variables of each member with its smallest loss, along a leading axis.
        losses: Loss of each member's variables (n,).
        history: By name, one value per member and epoch (n, n_epochs); NaN after an early end.
        seeds: Seed of each: `reconstruct(…, seed=…)` is that member's fit, for the same start and
            measurements.
        stopped: Why it ended early; None if it did not.
    """

    members: Any
    losses: np.ndarray
    history: Mapping[str, np.ndarray]
    seeds: tuple[int, ...]
    stopped: str | None = None

    def of(self, fn: Callable[[Any], Any]) -> Spread:
        """Mean and standard deviation of what `fn` makes of a member's variables.

        Args:
            fn: Function of the variables to an array, or a tree of them, such as
                `lambda v: jnp.abs(v["object"])`.
        """
        made = [fn(member(self.members, i)) for i in range(len(self.losses))]
        _, frame = split(made[0])
        columns = zip(*(split(m)[0] for m in made), strict=True)
        stacks = [np.stack([np.asarray(a) for a in column]) for column in columns]
        return Spread(*map(frame.join, _mean_and_std(stacks)))


def ensemble(
    forward: Callable[..., Any],
    variables: Any,
    data: Data,
    loss: Loss,
    optimizers: Any,
    *,
    n: int,
    epochs: int,
    start: Start | None = None,
    resample: Resample | None = None,
    batch_size: int | None = None,
    remainder: bool = True,
    shuffle: bool = True,
    seed: int = 0,
    after_step: Callable[[Any], Any] | None = None,
    after_epoch: Callable[[Any], Any] | None = None,
    alternate: Sequence[tuple[str | Sequence[str], int]] = (),
    keep_best: Literal["loss"] | None = "loss",
    at_once: int | None = None,
    time_limit: float | None = None,
    progress: bool | None = None,
) -> Ensemble:
    """Fit many times, from other starts or to other measurements, all in one compiled loop.

    From other starts alone the spread shows what the data leave open. With measurements that might
    as well have been made (`gaussian_noise`, `bootstrap`) it is what the noise does to the image.

    Args:
        forward: As `reconstruct` takes it; so are all that are not named here.
        variables: Pytree to start from.
        data: Measurements by name, in memory.
        loss: Loss.
        optimizers: Settings by variable.
        n: Number of members, 2 at least.
        epochs: Number of epochs of each.
        start: `start(key, variables)`, which returns the variables that a member starts from; None
            starts all from `variables`.
        resample: `resample(key, data)`, which returns the measurements that a member fits; None
            fits all to `data`.
        batch_size: Number of measurements in a step; None takes all at once.
        remainder: Whether a last, smaller batch takes what is left over.
        shuffle: Whether every epoch of each member has an order of its own.
        seed: Seed of all randomness.
        after_step: Function of the variables applied after each step.
        after_epoch: The same after each epoch.
        alternate: Variables that take turns.
        keep_best: Whether a member is its variables with the smallest loss, or the last (None).
        at_once: Number of members in memory at a time; None for all.
        time_limit: Seconds after which to stop.
        progress: Whether to show a progress bar; None does on a terminal.

    Returns:
        Members, mean and standard deviation. After Ctrl-C or the time limit the members as they
        are. One whose loss or gradient is not finite is left out, with a warning.

    Raises:
        ValueError, TypeError, KeyError: If arguments do not fit each other.
        FloatingPointError: If fewer than two members are left.
    """
    began = time.monotonic()
    _check_counts(n, epochs, at_once)
    feed = in_memory("ensemble", data, batch_size, remainder, shuffle, seed)
    problem = make_problem(
        forward,
        variables,
        loss,
        optimizers,
        n_batches=feed.n_batches,
        keep_best=keep_best is not None,
        after_step=after_step,
        after_epoch=after_epoch,
        alternate=alternate,
    )
    check(problem.program, problem.arrays, problem.model, feed.first())
    if not (start or resample or feed.n_order or "key" in problem.program.arguments):
        raise ValueError(
            "ensemble: members must differ, got neither `start` nor `resample`. Pass "
            "resample=gaussian_noise({…: sigma}), or start=…"
        )
    seeds, size = seeds_of(seed, n), at_once or n
    parts = [seeds[i : i + size] for i in range(0, n, size)]
    runs, stopped, n_epochs = [], None, epochs * len(parts)
    with interruptible() as asked, user_line_first(), bar(n_epochs, "epoch", progress) as shown:
        for part in parts:
            run = Descents.of(problem, feed, part, variables, start, resample)
            while stopped is None and run.epoch < epochs:
                shown.update(run.advance(epochs))
                stopped = enough(asked, began, time_limit)
            runs.append(run)
            if stopped is not None:
                break
    return _gather(problem, runs, stopped)


def _check_counts(n: int, epochs: int, at_once: int | None) -> None:
    for name, value, least in (("n", n, 2), ("epochs", epochs, 1), ("at_once", at_once or 1, 1)):
        if value < least:
            raise ValueError(f"ensemble: `{name}` must be at least {least}, got {value}.")


def _gather(problem: Problem, runs: Sequence[Descents], stopped: str | None) -> Ensemble:
    """The members of all runs, without those that failed."""
    failed, n = {}, 0
    for run in runs:
        told = failures(problem, run.feed, run.state, run.data_of)
        failed |= {n + i: what for i, what in told.items()}
        n += len(run.seeds)
    left = np.asarray(leave_out("ensemble: member", failed, n, least=2))
    states = [run.state.best if problem.program.keep_best else run.state.arrays for run in runs]
    arrays = [np.concatenate(parts)[left] for parts in zip(*states, strict=True)]
    history = _history(problem, runs, left)
    seeds = [seed for run in runs for seed in run.seeds]
    best = np.concatenate([run.state.best_loss for run in runs])[left]
    join = problem.program.frame.join
    mean, std = _mean_and_std(arrays)
    return Ensemble(
        mean=join(mean),
        std=join(std),
        members=join(arrays),
        losses=best if problem.program.keep_best else history["total"][:, -1],
        history=history,
        seeds=tuple(seeds[i] for i in left),
        stopped=stopped,
    )


def _history(problem: Problem, runs: Sequence[Descents], left: np.ndarray) -> dict[str, np.ndarray]:
    longest = max(run.epoch for run in runs)
    padded = [
        np.pad(
            np.concatenate(run.rows, axis=1),
            ((0, 0), (0, longest - run.epoch), (0, 0)),
            constant_values=np.nan,
        )
        for run in runs
    ]
    rows = np.concatenate(padded)[left]  # (n, n_epochs, n_terms)
    names = [t.name for t in problem.program.terms]
    columns = dict(zip(names, np.moveaxis(rows, -1, 0), strict=True))
    return {"total": rows @ np.asarray(problem.weights), **columns}


def _mean_and_std(stacks: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Mean along the leading axis, and standard deviation of n - 1 degrees of freedom."""
    means = [stack.mean(0) for stack in stacks]
    return means, [stack.std(0, ddof=1) for stack in stacks]
