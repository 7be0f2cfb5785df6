"""CalCIL's loader: an endless iterator of epochs, each a list of batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Loader", "loader_from_numpy"]

Batch = dict[str, Any]


class Loader:
    """Endless iterator of lists of batches. `reconstruct_sgd` takes its arrays as a whole.

    Attributes:
        arrays: Measurements, one leading axis in common.
        prefix_dim: Shape that the measurements of a batch are arranged in.
        random: Whether every epoch has an order of its own.
        seed: Seed of the order.
        aux_terms: Entries that all batches have unchanged.
    """

    def __init__(
        self,
        arrays: Mapping[str, Any],
        prefix_dim: tuple[int, ...] | None,
        random: bool,
        seed: int,
        aux_terms: Mapping[str, Any],
    ) -> None:
        counts = {k: len(v) for k, v in arrays.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(
                f"loader_from_numpy: all arrays must have as many measurements, got {counts}."
            )
        self.arrays, self.random, self.seed, self.aux_terms = arrays, random, seed, aux_terms
        self.n = next(iter(counts.values()))
        self.prefix_dim = prefix_dim or (self.n,)
        self.size = math.prod(self.prefix_dim)
        if not 1 <= self.size <= self.n:
            raise ValueError(
                f"loader_from_numpy: `prefix_dim` must hold at most the {self.n} measurements, got "
                f"{self.prefix_dim}, which holds {self.size}."
            )
        self._epoch = 0

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch; what is left over is dropped."""
        return self.n // self.size

    def __iter__(self) -> Iterator[list[Batch]]:
        """Itself."""
        return self

    def __next__(self) -> list[Batch]:
        """Batches of the next epoch."""
        order = np.arange(self.n)
        if self.random:
            order = np.random.default_rng((self.seed, self._epoch)).permutation(self.n)
        self._epoch += 1
        return [self._batch(order, i) for i in range(self.n_batches)]

    def _batch(self, order: np.ndarray, i: int) -> Batch:
        rows = order[i * self.size : (i + 1) * self.size]
        parts = {k: np.asarray(v)[rows] for k, v in self.arrays.items()}
        parts = {k: v.reshape(*self.prefix_dim, *v.shape[1:]) for k, v in parts.items()}
        step = (self._epoch - 1) * self.n_batches + i + 1
        return {**parts, **self.aux_terms, "epoch": self._epoch, "step": step, "batch": i}


def loader_from_numpy(
    input_dict: Mapping[str, Any],
    prefix_dim: Sequence[int] | None = None,
    random: bool = True,
    seed: int = 951,
    aux_terms: Mapping[str, Any] | None = None,
    nojax: bool = True,  # noqa: ARG001  (arrays of either kind are taken)
) -> Loader:
    """Endless iterator of epochs: lists of batches with `epoch` and `step` from 1, `batch` from 0.

    Args:
        input_dict: Measurements by name, the leading axis counts them.
        prefix_dim: Shape that the measurements of a batch are arranged in; all in one if None.
        random: Whether every epoch has an order of its own.
        seed: Seed of the order.
        aux_terms: Entries that all batches have unchanged.
        nojax: As in CalCIL; NumPy and JAX arrays are taken either way.

    Raises:
        ValueError: If a batch would hold more than there is, or the arrays differ in number.
    """
    return Loader(
        input_dict, tuple(prefix_dim) if prefix_dim else None, random, seed, aux_terms or {}
    )
