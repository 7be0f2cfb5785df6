"""Measurements that are too many for memory: read batch by batch, ahead of their use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from reconic.descent.devices import Devices

__all__ = ["IterableSource", "Source", "StoredSource", "ahead"]

Batch = dict[str, Any]  # arrays by name, or shares of them


class Source(Protocol):
    """Where batches come from."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Batches of one epoch, counted from zero, on the devices."""
        ...


@dataclass(frozen=True)
class StoredSource:
    """Arrays on disk (h5py, Zarr, a TIFF stack mapped or opened as Zarr) that are read by rows.

    Attributes:
        arrays: Arrays with `shape` and slicing by sorted positions.
        size: Number of measurements in a batch.
        remainder: Whether a last, smaller batch takes what is left over.
        shuffle: Whether every epoch has an order of its own, drawn from `seed` and its number.
        seed: Seed of the order.
        rows: Positions to read from; the others are held out.
        devices: Where batches go.
    """

    arrays: Mapping[str, Any]
    size: int
    remainder: bool
    shuffle: bool
    seed: int
    rows: np.ndarray
    devices: Devices

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Batches of one epoch; rows within a batch in the order of the file."""
        rows = self.rows
        if self.shuffle:
            rows = np.random.default_rng((self.seed, epoch)).permutation(rows)
        end = len(rows) if self.remainder else len(rows) - len(rows) % self.size
        for start in range(0, end, self.size):
            yield self.read(rows[start : min(start + self.size, end)])

    def read(self, rows: np.ndarray) -> Batch:
        """The measurements at these positions."""
        rows = np.sort(rows)
        return {name: self.devices.share(a, rows) for name, a in self.arrays.items()}


@dataclass(frozen=True)
class IterableSource:
    """Batches that a user's iterable gives, once through per epoch.

    Attributes:
        make: Epoch ↦ iterable of batches.
        devices: Where batches go.
    """

    make: Callable[[int], Iterable[Mapping[str, Any]]]
    devices: Devices

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Batches of one epoch."""
        for batch in self.make(epoch):
            if not isinstance(batch, Mapping):
                raise TypeError(
                    "reconstruct: `data` must give batches that are dicts of arrays, got "
                    f"{type(batch).__name__}."
                )
            yield jax.tree.map(self.devices.share, dict(batch))


def ahead(batches: Iterator[Batch], depth: int = 2) -> Generator[tuple[Batch, bool], None, None]:
    """Batches fetched by a thread while earlier ones are used.

    Args:
        batches: Batches of an epoch.
        depth: Number of batches to hold ready.

    Yields:
        Batch, and whether it is the last.
    """
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:  # handed on to the reader's thread
            put(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        current = _take(ready)
        while current is not None:
            following = _take(ready)
            yield current, following is None
            current = following
    finally:
        stopped.set()
        thread.join()


def _take(ready: queue.Queue) -> Any:
    item = ready.get()
    if isinstance(item, BaseException):
        raise item
    return item
