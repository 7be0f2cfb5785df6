"""Where batches come from during a run: memory, in one compiled loop, or a source outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.data_terms import KEPT
from reconic.descent.devices import ONE, Devices, is_stored
from reconic.descent.loop import CAPACITY, Batches, advance, advance_one
from reconic.descent.rules import Arrays
from reconic.descent.shares import size_of, take, whole
from reconic.descent.sources import IterableSource, Source, StoredSource, ahead
from reconic.descent.state import Program, State

__all__ = ["Feed", "Resident", "Streamed", "make_feed"]

Data = Any  # arrays by name, an iterable of batches, or a function from the epoch to one


@dataclass(frozen=True)
class Resident:
    """Measurements in memory.

    Attributes:
        batches: How they are cut.
        data: Arrays by name, or shares of them.
        extra: Entries that every batch has whole, such as what is held out.
        held_out: Batch to judge by, which no step sees; None if nothing is held out.
    """

    batches: Batches
    data: Mapping[str, Array]
    extra: Mapping[str, Any]
    held_out: Mapping[str, Any] | None

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch."""
        return self.batches.n_batches

    @property
    def n_order(self) -> int:
        """Number of measurements that are shuffled."""
        return self.batches.n if self.batches.shuffle and self.n_batches > 1 else 0

    def first(self) -> dict[str, Any]:
        """Shapes and dtypes of a batch."""
        return jax.eval_shape(self._first, self.data, self.extra)

    def _first(self, data: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        n = self.batches.size
        if n == self.batches.n:
            return whole({**data, **extra})
        return {**{k: take(v, jnp.arange(n)) for k, v in data.items()}, **whole(extra)}

    def advance(
        self,
        program: Program,
        state: State,
        model: Arrays,
        weights: Array,
        epoch: int,  # noqa: ARG002
        n_epochs: int,
        n_steps: int,
        enough: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> tuple[State, np.ndarray]:
        """Take at most `n_steps` steps and at most up to the end of `n_epochs` epochs.

        Returns:
            State, and the mean of each term for every epoch that ended.
        """
        before = int(state.step)
        begun, n = divmod(before, self.n_batches)
        n_steps = min(n_steps, min(n_epochs, CAPACITY) * self.n_batches - n)
        state, rows = advance(
            program, self.batches, state, model, self.data, self.extra, weights, n_steps
        )
        ended = int(state.step) // self.n_batches - begun
        return state, np.asarray(rows)[:ended]


@dataclass(frozen=True)
class Streamed:
    """Measurements from a source outside memory.

    Attributes:
        source: Source of batches.
        n_batches: Number of batches in an epoch; 2, for many, where that is unknown.
        held_out: Batch to judge by, which no step sees; None if nothing is held out.
    """

    source: Source
    n_batches: int
    held_out: Mapping[str, Any] | None
    n_order: int = 0

    def first(self) -> dict[str, Any]:
        """Shapes and dtypes of a batch."""
        for batch in self.source.epoch(0):
            return jax.eval_shape(whole, batch)
        raise ValueError("reconstruct: `data` must give a batch, got none. Check the source.")

    def advance(
        self,
        program: Program,
        state: State,
        model: Arrays,
        weights: Array,
        epoch: int,
        n_epochs: int,  # noqa: ARG002
        n_steps: int,  # noqa: ARG002
        enough: Callable[[], bool] = lambda: False,
    ) -> tuple[State, np.ndarray]:
        """Take the steps of one epoch, or what is left of it, until it is `enough`."""
        means, nothing = None, np.zeros((0, len(weights)))
        before = float(state.sums[-1])  # measurements of this epoch that are done
        state = state._replace(failed=jnp.asarray(False))
        with closing(ahead(self.source.epoch(epoch))) as batches:
            for batch, last in batches:
                size = size_of(batch)
                if before > 0:
                    before -= size
                    continue
                if enough():
                    return state, nothing
                state, means = advance_one(
                    program, size, state, model, batch, weights, epoch, jnp.asarray(last)
                )
        if means is None:
            raise ValueError(
                f"reconstruct: `data` gave no batch in epoch {epoch}. It must be one that can be "
                "gone through again: a list, or a function of the epoch."
            )
        if state.failed:  # the epoch begins anew
            return state._replace(sums=jnp.zeros_like(state.sums)), nothing
        return state, np.asarray(means)[None]


Feed = Resident | Streamed


def make_feed(
    data: Data,
    *,
    batch_size: int | None,
    remainder: bool,
    shuffle: bool,
    seed: int,
    holdout: float,
    targets: Iterable[str],
    devices: Devices = ONE,
) -> Feed:
    """Feed of a user's data.

    Args:
        data: Arrays by name, in memory or on disk; or an iterable of batches, or a function from
            the epoch to one.
        batch_size: Number of measurements in a batch; None for all at once.
        remainder: Whether a last, smaller batch takes what is left over.
        shuffle: Whether every epoch has an order of its own.
        seed: Seed of the order, and of what is held out.
        holdout: Share of the measurements to hold out; with one batch, of the values of each.
        targets: Entries that terms of the loss compare with, whose values may be held out.
        devices: Where the data go.

    Raises:
        ValueError: If there are no data, or sizes do not fit.
    """
    if not 0 <= holdout < 1:
        raise ValueError(f"reconstruct: `holdout` must be at least 0 and below 1, got {holdout}.")
    if not isinstance(data, Mapping):
        if holdout:
            raise ValueError(
                "reconstruct: `holdout` needs `data` as arrays by name, got an iterable of batches."
            )
        return Streamed(IterableSource(_factory(data), devices), 2, None)
    _check_names(data)
    if batch_size is None:
        return _whole(data, seed, holdout, list(targets), devices)
    n = _count(data, batch_size)
    rows, out = _split_rows(n, holdout, seed)
    if batch_size > len(rows):
        raise ValueError(
            f"reconstruct: `batch_size` must be at most the number of measurements, {len(rows)}, "
            f"got {batch_size}. None takes all at once."
        )
    if any(is_stored(v) for v in data.values()):
        source = StoredSource(data, batch_size, remainder, shuffle, seed, rows, devices)
        held = source.read(out) if len(out) else None
        n_batches = Batches(len(rows), batch_size, remainder).n_batches
        return Streamed(source, n_batches, held)
    held = {k: devices.share(v, out) for k, v in data.items()} if len(out) else None
    kept = {k: devices.share(v, rows if len(out) else None) for k, v in data.items()}
    return Resident(Batches(len(rows), batch_size, remainder, shuffle), kept, {}, held)


def _whole(
    data: Mapping[str, Any], seed: int, holdout: float, targets: list[str], devices: Devices
) -> Resident:
    """All at once; values are held out one by one."""
    if holdout and not targets:
        raise ValueError(
            "reconstruct: `holdout` without `batch_size` needs a stock term that compares with "
            "data, such as l2. Your own terms would see what is held out."
        )
    arrays = {k: devices.share(v) for k, v in data.items()}
    extra, held_out = {}, None
    if holdout:
        rng = np.random.default_rng(seed)
        shapes = {k: np.shape(data[k]) for k in dict.fromkeys(targets) if k in data}
        kept = {k: rng.random(shape) >= holdout for k, shape in shapes.items()}
        extra = {KEPT: {k: devices.share(v) for k, v in kept.items()}}
        held_out = {**arrays, KEPT: {k: devices.share(~v) for k, v in kept.items()}}
    return Resident(Batches(1, 1), arrays, extra, held_out)


def _factory(data: Any) -> Callable[[int], Any]:
    if callable(data):
        return data
    if not isinstance(data, Iterable) or isinstance(data, str | bytes):
        raise TypeError(
            "reconstruct: `data` must be a dict of arrays, an iterable of batches, or a function "
            f"from the epoch to one, got {type(data).__name__}."
        )
    if iter(data) is data:
        raise TypeError(
            "reconstruct: `data` must be an iterable that can be gone through in every epoch, got "
            "a generator. Pass the function that makes it, of the epoch."
        )
    return lambda epoch: data  # noqa: ARG005


def _check_names(data: Mapping[str, Any]) -> None:
    if not data:
        raise ValueError("reconstruct: `data` must hold an array, got an empty dict.")
    if taken := {"epoch", "step", KEPT} & data.keys():
        raise ValueError(
            f"reconstruct: `data` must not have the entry {', '.join(sorted(taken))}, which every "
            "batch has of its own. Rename it."
        )


def _count(data: Mapping[str, Any], batch_size: int) -> int:
    shapes = {k: tuple(np.shape(v)) for k, v in data.items()}
    counts = {shape[0] if shape else None for shape in shapes.values()}
    if len(counts) != 1 or None in counts:
        raise ValueError(
            "reconstruct: with `batch_size`, all data must have one leading axis of measurements, "
            f"got the shapes {shapes}. Leave it out to take all at once."
        )
    if batch_size < 1 or not (n := counts.pop()):
        raise ValueError(
            f"reconstruct: `batch_size` must be at least 1 and data not empty, got {batch_size} "
            f"and the shapes {shapes}."
        )
    return n


def _split_rows(n: int, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the measurements to use and of those to hold out."""
    n_out = round(holdout * n)
    if holdout and not 0 < n_out < n:
        raise ValueError(
            f"reconstruct: `holdout` must leave measurements on both sides, got {holdout} of {n}."
        )
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[n_out:]), np.sort(order[:n_out])
