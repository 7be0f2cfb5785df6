"""Data sets of examples in HDF5 files, read one by one and only when asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from torch.utils.data import Dataset

from reconic.train.files import Handles

__all__ = ["Examples"]


class _File(Protocol):
    @property
    def n(self) -> int:
        """Number of examples."""
        ...

    @property
    def layout(self) -> Any:
        """What examples of a batch must have in common."""
        ...


F = TypeVar("F", bound=_File)


class Examples(Dataset, ABC, Generic[F]):
    """Examples of one file after the other, by index, with noise that can be drawn again.

    A subclass writes `_example`. Whatever it draws depends on `seed`, epoch and index alone. Files
    are opened by the process that reads, when it first needs them, a few at a time.

    Args:
        files: What is known of each file.
        stdev: Standard deviation of the complex noise to add to the measurements.
        limit: Largest number of examples to use, from the first on; None uses all.
        seed: Seed of what is random.

    Raises:
        ValueError: If `stdev` or `limit` is out of range.
    """

    def __init__(
        self, files: Sequence[F], stdev: float = 0.0, limit: int | None = None, seed: int = 0
    ) -> None:
        name = type(self).__name__
        if stdev < 0:
            raise ValueError(f"{name}: `stdev` must not be negative, got {stdev}.")
        if limit is not None and limit < 1:
            raise ValueError(f"{name}: `limit` must be at least 1, got {limit}. Use null for all.")
        self.files = files
        self.stdev = stdev
        self.seed = seed
        self._ends = np.cumsum([file.n for file in files])
        n = int(self._ends[-1])
        self.n = n if limit is None else min(n, limit)
        self._handles = Handles()

    def __len__(self) -> int:
        """Number of examples."""
        return self.n

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, Any]:
        """Example by index, or by (epoch, index) where what is random changes per epoch.

        Raises:
            IndexError: If there is no such example.
            ValueError: If the file is damaged there, or holds NaN or Inf.
        """
        epoch, index = item if isinstance(item, tuple) else (0, item)
        if not -self.n <= index < self.n:
            raise IndexError(f"{type(self).__name__}: index must be below {self.n}, got {index}.")
        index %= self.n
        i = int(np.searchsorted(self._ends, index, side="right"))
        within = index - int(self._ends[i]) + self.files[i].n
        return {**self._example(self.files[i], within, (self.seed, epoch, index)), "index": index}

    def groups(self) -> np.ndarray:
        """For each example a number that those share which can be in a batch together."""
        layouts: dict[Any, int] = {}
        numbers = [layouts.setdefault(file.layout, len(layouts)) for file in self.files]
        return np.repeat(numbers, [file.n for file in self.files])[: self.n]

    @abstractmethod
    def _example(self, file: F, within: int, entropy: tuple[int, int, int]) -> dict[str, Any]:
        """Example `within` of a file as tensors; `entropy` seeds what is random."""
