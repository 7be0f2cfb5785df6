"""`reconstruct`: gradient descent on any variables through any forward model and loss."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from reconic.descent import checkpoint
from reconic.descent.checks import check, user_line_first
from reconic.descent.data_terms import DataTerm
from reconic.descent.describe import as_yaml, describe
from reconic.descent.devices import make_devices
from reconic.descent.feed import Data, make_feed
from reconic.descent.fit import Fit, load
from reconic.descent.live import make_screen
from reconic.descent.loss import Loss
from reconic.descent.problem import make_problem
from reconic.descent.record import Record, make_run
from reconic.descent.rescue import Rescue
from reconic.descent.session import Session, Timetable
from reconic.descent.state import start
from reconic.descent.stopping import Criterion
from reconic.track import check_trackers, write_text

__all__ = ["reconstruct"]


def reconstruct(
    forward: Callable[..., Any],
    variables: Any,
    data: Data,
    loss: Loss,
    optimizers: Any,
    *,
    epochs: int,
    batch_size: int | None = None,
    remainder: bool = True,
    shuffle: bool = True,
    seed: int = 0,
    after_step: Callable[[Any], Any] | None = None,
    after_epoch: Callable[[Any], Any] | None = None,
    alternate: Sequence[tuple[str | Sequence[str], int]] = (),
    holdout: float = 0.0,
    keep_best: Literal["loss", "holdout"] | None = "loss",
    stop: Criterion | Sequence[Criterion] = (),
    time_limit: float | None = None,
    on_failure: Literal["stop", "lower"] = "stop",
    images: Callable[[Any], Mapping[str, Any]] | None = None,
    run: str | Path | None = None,
    resume: str | Path | None = None,
    log_every: int | None = None,
    images_every: int | None = None,
    checkpoint_every: int | None = None,
    keep_checkpoints: int = 2,
    progress: bool | None = None,
    live: bool = False,
    devices: int | Literal["all"] | Sequence[Any] | None = None,
    trackers: list[str | dict[str, Any]] = [],  # noqa: B006 (never changed)
    config: str | None = None,
) -> Fit:
    """Minimise a loss by gradient descent on the variables of a forward model.

    Many steps run in one compiled loop; Python is touched a few times a second, and when something
    is logged. The same arguments give the same bits.

    Args:
        forward: `forward(variables, batch)` or `forward(variables, batch, key)`, which returns a
            prediction, an array or a dict of them, or a `Prediction` that also reports
            intermediates. `key` is a new PRNG key for each step. Or a System, of the one array that
            `variables` hold.
        variables: Pytree to start from: arrays, dicts, Systems, parameters of networks.
        data: Measurements by name; with `batch_size` their leading axis counts the measurements. In
            memory, or on disk (h5py, Zarr, memory-mapped), or an iterable of batches (one pass an
            epoch), or a function from the epoch to one.
        loss: Sum of terms, such as `l2("y") + 1e-3 * tv("object")`. Batches also have `epoch` and
            `step`, counted from 0.
        optimizers: `adam(1e-2)`, for all variables, or dicts of such that follow the variables'
            tree as far as settings differ; `frozen()` for what is known.
        epochs: Number of times to go through the data, in all; a resumed run counts those done.
        batch_size: Number of measurements in a step; None takes all at once.
        remainder: Whether a last, smaller batch takes what is left over; else it is left out.
        shuffle: Whether every epoch goes through the measurements in an order of its own.
        seed: Seed of all randomness: keys, order, and what is held out.
        after_step: Function of the variables applied after each step, such as a constraint.
        after_epoch: The same after each epoch.
        alternate: Variables that take turns, such as `[("object", 10), ("psf", 5)]`: ten steps of
            the object with the PSF fixed, then five of the PSF. A path may stand for several.
        holdout: Share of the measurements that no step sees: with `batch_size` whole ones, else
            single values of each.
        keep_best: Whether `fit.best` has the smallest loss, or the smallest held-out loss; None
            keeps none.
        stop: Criteria to stop early, `Plateau` or `HoldoutRises`, looked at every `log_every`.
        time_limit: Seconds after which to stop, compilation included.
        on_failure: What to do when the loss or a gradient is NaN or infinite: "stop", or "lower"
            all steps by half, go back to the last good state and go on; if that fails again at
            the same step, to the best variables. Costs the memory of two states more.
        images: Function from the variables to images by name, to log.
        run: Name of the run with its log folder, such as "logs/deconvolution", in which a new
            `version_N` is made; None writes nothing.
        resume: Run folder to go on with, with the same arguments, from its newest checkpoint.
        log_every: Epochs between entries in TensorBoard and looks at held-out data; None takes a
            hundredth of all.
        images_every: Epochs between images; None takes a tenth.
        checkpoint_every: Epochs between checkpoints, if there is a run folder; None takes a tenth.
        keep_checkpoints: Number of checkpoints to keep, the newest.
        progress: Whether to show a progress bar; None does on a terminal.
        live: Whether to draw images and losses in a notebook's output as the run goes, in place of
            the progress bar: those of `images`, or else all variables of two axes or more.
        devices: Devices that share the measurements, each with a copy of the variables: "all" of
            every process, a number in each process, or JAX devices; None uses JAX's default one.
            The first process writes the run folder.
        trackers: Experiment trackers beside TensorBoard, offline by default, if there is a run
            folder: wandb, mlflow, either with arguments of Lightning's logger as
            {"wandb": {"project": "lens"}}, or any class with the interface of Lightning's Logger as
            {"class_path": …, "init_args": {…}}.
        config: Text of a configuration, kept as the run's config.yaml; None keeps these arguments.

    Returns:
        Variables, best variables, history and images.

    Raises:
        ValueError, TypeError, KeyError: If arguments do not fit each other; before anything is
            compiled.
        FloatingPointError: If the loss is not finite for the variables given.
    """
    arguments = dict(locals())
    _check_arguments(loss, epochs, run, resume, keep_best, holdout)
    check_trackers(trackers)
    began = time.monotonic()
    hardware = make_devices(devices)
    feed = make_feed(
        data,
        batch_size=batch_size,
        remainder=remainder,
        shuffle=shuffle,
        seed=seed,
        holdout=holdout,
        targets=[t.fn.target for t in loss.terms if isinstance(t.fn, DataTerm)],
        devices=hardware,
    )
    problem = make_problem(
        forward,
        variables,
        loss,
        optimizers,
        n_batches=feed.n_batches,
        keep_best=keep_best == "loss",
        after_step=after_step,
        after_epoch=after_epoch,
        alternate=alternate,
        devices=hardware,
    )
    check(problem.program, problem.arrays, problem.model, feed.first())
    state = start(problem.program, problem.arrays, seed, feed.n_order, keep_best is not None)
    names = [t.name for t in problem.program.terms]
    facts = {
        "seed": seed,
        "batch_size": batch_size,
        "holdout": holdout,
        "terms": names,
        "variables": [json.dumps(p) for p in problem.program.frame.paths],
    }
    saved = None if resume is None else checkpoint.latest(Path(resume))
    state = state if saved is None else hardware.copy(checkpoint.restore(saved, state, facts))
    every = [log_every, images_every, checkpoint_every, run is None, images is None]
    done = saved.epoch if saved else 0
    hardware.check_same({**facts, "n_batches": feed.n_batches, "epochs": [epochs, done, every]})
    folder = _folder(run, saved) if hardware.is_chief else None
    if folder is not None and (config is not None or saved is None):
        told = {k: v for k, v in arguments.items() if k not in ("run", "resume", "config")}
        write_text(folder / "config.yaml", config or as_yaml(describe(told)))
    screen = make_screen(images) if live and hardware.is_chief else None
    progress = screen is None if live else progress
    progress = progress if hardware.is_chief else False
    record = Record(names, problem.weights, epochs, folder, progress, trackers)
    if saved is not None:
        record.resume(saved.arrays, dict(load(saved.path).images))
    criteria = list(stop) if isinstance(stop, Sequence) else [stop]
    writes = run is not None or saved is not None
    tenth = max(1, epochs // 10)
    periods = {  # a look from Python costs time, so only where it is needed
        "log": (writes or criteria or holdout, log_every),
        "images": (images is not None, images_every or tenth),
        "checkpoint": (writes, checkpoint_every or tenth),
    }
    session = Session(
        problem=problem,
        feed=feed,
        record=record,
        timetable=Timetable(epochs, {name: k for name, (due, k) in periods.items() if due}),
        stop=criteria,
        deadline=None if time_limit is None else began + time_limit,
        images=images,
        facts=facts,
        keep_checkpoints=keep_checkpoints,
        rescue=Rescue() if on_failure == "lower" else None,
        best_by_holdout=keep_best == "holdout",
        devices=hardware,
        screen=screen,
    )
    with record, screen or contextlib.nullcontext(), user_line_first(), hardware.or_all_fail():
        return session.run(state)


def _folder(run: str | Path | None, saved: checkpoint.Saved | None) -> Path | None:
    """Where a run writes: a new folder, or that of the run it goes on with."""
    if run is not None:
        return make_run(run)
    return None if saved is None else saved.path.parents[1]


def _check_arguments(
    loss: Any, epochs: int, run: Any, resume: Any, keep_best: str | None, holdout: float
) -> None:
    if not isinstance(loss, Loss):
        raise TypeError(
            f"reconstruct: `loss` must be a Loss, such as l2('y') or term(fn), got "
            f"{type(loss).__name__}."
        )
    if epochs < 1:
        raise ValueError(f"reconstruct: `epochs` must be at least 1, got {epochs}.")
    if run is not None and resume is not None:
        raise TypeError("reconstruct: `run` and `resume` exclude each other; give one of them.")
    if keep_best == "holdout" and not holdout:
        raise ValueError(
            'reconstruct: keep_best="holdout" needs `holdout` above 0, such as 0.1, got 0.'
        )
