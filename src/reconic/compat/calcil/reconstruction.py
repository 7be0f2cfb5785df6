"""CalCIL's reconstruction functions."""

from __future__ import annotations

import inspect
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

import reconic.descent as rd
from reconic._array import Array
from reconic.compat.calcil.data_utils import Loader
from reconic.compat.calcil.loss import Loss

__all__ = [
    "ReconIterParameters",
    "ReconVarParameters",
    "TrainState",
    "generate_nested_dict_keys",
    "load_checkpoint_and_output",
    "load_tensorboard_log",
    "reconstruct_multivars_sgd",
    "reconstruct_sgd",
    "update_iter_sgd",
]

Variables = Any
Output = Mapping[str, Array]


@dataclass(frozen=True)
class ReconIterParameters:
    """Periods of a run, in epochs.

    Attributes:
        save_dir: Folder; every run gets a folder named by the time in it.
        n_epoch: Number of epochs.
        keep_checkpoints: Number of checkpoints to keep.
        checkpoint_every: Epochs between checkpoints.
        output_every: Epochs between outputs.
        log_every: Epochs between logs.
        log_max_imgs: As in CalCIL; of a stack of images TensorBoard shows the middle one.
    """

    save_dir: str | Path
    n_epoch: int
    keep_checkpoints: int = 1
    checkpoint_every: int = 10000
    output_every: int = 1000
    log_every: int = 100
    log_max_imgs: int = 5


@dataclass(frozen=True)
class ReconVarParameters:
    """Settings of a variable, or of a tree of them.

    Attributes:
        lr: Learning rate; with an optimizer by name, 0 or less keeps the variable as it is.
        opt: Name of an Optax optimizer, or a transformation, whose learning rate is its own.
        opt_kwargs: Arguments of an optimizer given by name.
        schedule: Name of an Optax schedule, or a function from the number of updates.
        schedule_kwargs: Arguments of a schedule given by name.
        delay_update_n_iter: Number of steps before the first update.
        update_every: Number of steps whose gradients are averaged for an update.
    """

    lr: float = 0
    opt: Any = "adam"
    opt_kwargs: Mapping[str, Any] | None = None
    schedule: Any = "constant_schedule"
    schedule_kwargs: Mapping[str, Any] | None = None
    delay_update_n_iter: int = 0
    update_every: int = 1

    def to_optimizer(self) -> rd.Optimizer:
        """The same as settings of `reconic.descent`."""
        window: dict[str, Any] = {"start": self.delay_update_n_iter, "every": self.update_every}
        if not isinstance(self.opt, str):
            return rd.optimizer(self.opt, **window)
        if callable(self.schedule):
            return rd.optimizer(
                self.opt, schedule=self.schedule, **window, **dict(self.opt_kwargs or {})
            )
        if self.lr <= 0:
            return rd.frozen()
        return rd.optimizer(
            self.opt,
            self.lr,
            schedule=self.schedule,
            schedule_options=dict(self.schedule_kwargs or {}),
            **window,
            **dict(self.opt_kwargs or {}),
        )


@dataclass(frozen=True)
class TrainState:
    """What `output_fn` and `post_update_handler` get; the latter may replace `params`.

    Attributes:
        params: Variables.
        apply_fn: The forward model, to be called with them.
    """

    params: Variables
    apply_fn: Callable[..., Any]

    def replace(self, **changes: Any) -> TrainState:
        """Same state with other parameters."""
        return replace(self, **changes)


def update_iter_sgd(
    state: Any, input_dict: Mapping[str, Any], rngs: Mapping[str, Array] | None, loss_fn: Callable
) -> tuple[Any, dict[str, Array]]:
    """One step of a Flax `TrainState` along the steepest descent, also of complex variables.

    Args:
        state: State with `params`, `apply_fn` and `apply_gradients`.
        input_dict: Batch.
        rngs: PRNG keys by name.
        loss_fn: As `Loss.get_loss_fn` makes it.

    Returns:
        Next state, and the weighted terms by name with `total_loss`.
    """
    forward = jax.tree_util.Partial(state.apply_fn, rngs=rngs)
    slope = jax.value_and_grad(loss_fn, has_aux=True)
    (_, terms), grads = slope(state.params, input_dict, forward)
    return state.apply_gradients(grads=jax.tree.map(jax.numpy.conj, grads)), terms


def generate_nested_dict_keys(d: Any) -> list[str]:
    """Labels of the entries of nested dicts: sorted keys joined by "_", and "0" at the end."""
    if not isinstance(d, dict):
        return ["0"]
    return [f"{key}_{rest}" for key in sorted(d) for rest in generate_nested_dict_keys(d[key])]


def reconstruct_sgd(
    forward_fn: Callable[..., Any],
    variables: Variables,
    data_loader: Iterable[list[dict[str, Any]]],
    loss: Loss,
    var_params: ReconVarParameters,
    recon_param: ReconIterParameters,
    output_fn: Callable[..., Output] | None = None,
    post_update_handler: Callable[[TrainState], TrainState] | None = None,
    rngs: Mapping[str, Array] | None = None,
    output_info: bool = False,
) -> tuple[Any, ...]:
    """Reconstruct with the same settings for all variables; see `reconstruct_multivars_sgd`."""
    return reconstruct_multivars_sgd(
        forward_fn, variables, var_params, data_loader, loss, recon_param, output_fn,
        post_update_handler, rngs, output_info,
    )  # fmt: skip


def reconstruct_multivars_sgd(
    forward_fn: Callable[..., Any],
    variables: Variables,
    var_params_pytree: Any,
    data_loader: Iterable[list[dict[str, Any]]],
    loss: Loss,
    recon_param: ReconIterParameters,
    output_fn: Callable[..., Output] | None = None,
    post_update_handler: Callable[[TrainState], TrainState] | None = None,
    rngs: Mapping[str, Array] | None = None,
    output_info: bool = False,
) -> tuple[Any, ...]:
    """Reconstruct with settings for each variable.

    Args:
        forward_fn: `forward_fn(variables, input_dict, rngs=…)`, with `mutable=["intermediates"]`
            too if the loss reads these.
        variables: Nested dicts of arrays.
        var_params_pytree: `ReconVarParameters`, or nested dicts of them.
        data_loader: Made by `loader_from_numpy`, or an iterator of lists of batches.
        loss: Loss.
        recon_param: Periods.
        output_fn: `output_fn(params, state)` or `output_fn(params)`, a dict of arrays to log.
        post_update_handler: Applied after each epoch; may replace `params`.
        rngs: PRNG keys by name; the forward model gets new ones in every step.
        output_info: Whether to return the history too.

    Returns:
        Variables of the smallest loss, lists of outputs by name, and, if asked for, the history:
        `epoch`, `elapsed time`, `total_loss` and each weighted term, all of one length.
    """
    began = time.monotonic()
    forward = _Forward(forward_fn, loss.has_intermediates, dict(rngs or {}), data_loader)
    handler = post_update_handler
    fit = rd.reconstruct(
        forward,
        variables,
        loss=loss.native,
        optimizers=_settings(var_params_pytree),
        epochs=recon_param.n_epoch,
        images=None if output_fn is None else lambda v: _call_output(output_fn, v, forward_fn),
        after_epoch=None
        if handler is None
        else lambda v: handler(TrainState(v, forward_fn)).params,
        run=Path(recon_param.save_dir, time.strftime("%Y%m%d-%H%M%S")),
        log_every=recon_param.log_every,
        images_every=recon_param.output_every,
        checkpoint_every=recon_param.checkpoint_every,
        keep_checkpoints=recon_param.keep_checkpoints,
        **_data(data_loader),
    )
    outputs = {name: [image for _, image in found] for name, found in fit.images.items()}
    if not output_info:
        return fit.best, outputs
    n = len(fit.history["epoch"])
    info: dict[str, Any] = {
        "epoch": fit.history["epoch"],
        "total_loss": fit.history["total"],
        "elapsed time": (time.monotonic() - began) * np.arange(1, n + 1) / n,
    }
    info |= {name: fit.history[f"weighted/{name}"] for name in loss.name}
    return fit.best, outputs, info


class _Forward:
    """CalCIL's forward model as one of `reconic.descent`, on batches as its loader makes them."""

    def __init__(
        self, fn: Callable[..., Any], intermediates: bool, rngs: dict[str, Array], loader: Any
    ) -> None:
        self.fn, self.intermediates, self.rngs = fn, intermediates, rngs
        self.loader = loader if isinstance(loader, Loader) else None

    def __call__(self, variables: Any, batch: Mapping[str, Any]) -> rd.Prediction:
        """Prediction; reports the batch and the intermediates as CalCIL's terms know them."""
        rngs = {name: jax.random.fold_in(k, batch["step"]) for name, k in self.rngs.items()}
        settings: dict[str, Any] = {"rngs": rngs or None}
        if self.intermediates:
            settings["mutable"] = ["intermediates"]
        seen = self._batch(batch)
        found = self.fn(variables, seen, **settings)
        value, state = found if self.intermediates else (found, {})
        return rd.Prediction(value, {"calcil": (seen, state.get("intermediates", {}))})

    def _batch(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Batch as CalCIL's loader makes it: epochs and steps from 1."""
        found = {**batch, "epoch": batch["epoch"] + 1, "step": batch["step"] + 1}
        loader = self.loader
        if loader is None:
            return found
        for name in loader.arrays:
            found[name] = found[name].reshape(*loader.prefix_dim, *found[name].shape[1:])
        return {**found, **loader.aux_terms, "batch": batch["step"] % loader.n_batches}


def _data(loader: Any) -> dict[str, Any]:
    if not isinstance(loader, Loader):
        return {"data": _Epochs(iter(loader))}
    size = None if loader.n_batches == 1 and loader.size == loader.n else loader.size
    return {
        "data": dict(loader.arrays),
        "batch_size": size,
        "remainder": False,
        "shuffle": loader.random,
        "seed": loader.seed,
    }


class _Epochs:
    """Function from the epoch to the batches that an iterator gives for it, the first one twice."""

    def __init__(self, lists: Iterator[list[dict[str, Any]]]) -> None:
        self.lists = lists
        self.first: list[dict[str, Any]] | None = None

    def __call__(self, epoch: int) -> list[dict[str, Any]]:
        if self.first is not None:
            found, self.first = self.first, None
            return found
        found = [_without_place(batch) for batch in next(self.lists, [])]
        self.first = found if epoch == 0 else None
        return found


def _without_place(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in batch.items() if k not in ("epoch", "step")}


def _settings(tree: Any) -> Any:
    if isinstance(tree, ReconVarParameters):
        return tree.to_optimizer()
    if isinstance(tree, Mapping):
        return {name: _settings(entry) for name, entry in tree.items()}
    return tree


def _call_output(
    output_fn: Callable[..., Output], variables: Any, forward_fn: Any = None
) -> Output:
    """Outputs; CalCIL passes the state too while it trains."""
    try:
        inspect.signature(output_fn).bind(variables, None)
    except TypeError:
        return output_fn(variables)
    return output_fn(variables, TrainState(variables, forward_fn))


def load_checkpoint_and_output(
    path: str | Path, output_fn: Callable[..., Output] | None = None
) -> Any:
    """Best variables of a run's newest checkpoint, and their outputs if asked for.

    Args:
        path: `save_dir`, a run folder in it, or a checkpoint.
        output_fn: As `reconstruct_sgd` takes it.

    Returns:
        Nested dicts of arrays; with `output_fn` these and its outputs.

    Raises:
        FileNotFoundError: If there is no checkpoint.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.rglob("epoch_*.npz"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise FileNotFoundError(f"there is no checkpoint in {str(path)!r}.")
        path = found[-1]
    fit = rd.load(path)
    return fit.best if output_fn is None else (fit.best, _call_output(output_fn, fit.best))


def load_tensorboard_log(
    path: str | Path, tag: str, is_image: bool = False
) -> tuple[list[Any], list[int]]:
    """Values and steps of a tag of TensorBoard events, without TensorFlow.

    Args:
        path: Folder of the events.
        tag: Tag, such as "loss/total".
        is_image: Whether the tag is of images, which come as arrays.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 0}).Reload()
    if not is_image:
        scalars = events.Scalars(tag)
        return [s.value for s in scalars], [s.step for s in scalars]
    images = events.Images(tag)
    arrays = [np.asarray(Image.open(io.BytesIO(i.encoded_image_string))) for i in images]
    return arrays, [i.step for i in images]
