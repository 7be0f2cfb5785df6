"""Order of the training examples: batches of one shape, the same for the same seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler

__all__ = ["EpochSampler", "Share"]


@dataclass(frozen=True)
class Share:
    """What one rank has of a batch.

    Attributes:
        rows: Its examples' rows in the batch. A rank that would have none has the first one.
        weight: Its part of the batch times the number of ranks, so that the mean over the ranks of
            weight times mean is the mean over the batch.
    """

    rows: range
    weight: float

    @classmethod
    def of(cls, size: int, rank: int, n_ranks: int) -> Share:
        """Share of one of `n_ranks` in a batch of `size` examples; they differ by one at most."""
        rows = range(-(-size * rank // n_ranks), -(-size * (rank + 1) // n_ranks))
        return cls(rows or range(1), len(rows) * n_ranks / size)


class EpochSampler(Sampler[list[tuple[int, int]]]):
    """Batches of pairs (epoch, index), in an order that seed and epoch alone determine.

    The epoch travels with the index, so worker processes that live on know it. Examples of
    different shapes never meet in a batch: each goes to its shape's next batch, which follows when
    it is full, or at the end of the epoch.

    Loaders read ahead, so the sampler is told how far training is: `n_done` batches of the epoch.
    With `state_dict` and `load_state_dict` an interrupted epoch goes on with the batch after those.

    With several ranks the batches are the same, and each rank gets its share of every batch: the
    position means the same for any number of ranks.

    Args:
        groups: For each example, a number that examples of the same shape share.
        batch_size: Number of examples in a batch, of all ranks together.
        shuffle: Whether to draw a new order each epoch.
        seed: Seed of the orders.
        drop_last: Whether to leave out batches that are not full.
        rank: Number of the rank that this is for.
        n_ranks: Number of ranks.
    """

    def __init__(
        self,
        groups: Sequence[int] | np.ndarray,
        batch_size: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        rank: int = 0,
        n_ranks: int = 1,
    ) -> None:
        self.groups = np.asarray(groups)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.rank = rank
        self.n_ranks = n_ranks
        self.epoch = 0
        self.n_done = 0
        self._lead = 0  # of the epochs that are told over those here
        self._begin: int | None = None  # `n_done` where a loaded position begins
        self._sizes: tuple[int, list[int]] = (-1, [])  # an epoch, and those of its batches

    @property
    def sampler(self) -> EpochSampler:
        """Itself: Lightning looks for `set_epoch` at the sampler of a loader's batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch the next iteration is; Lightning calls it.

        A run that ended by `max_steps` has counted the epoch that it was in as a whole one; if it
        is resumed with more steps, the epochs told are ahead. So from a loaded position on they
        only say when an epoch ends, and the first begins there whatever its number.
        """
        if self.n_done == self._begin:
            self._lead = epoch - self.epoch
        if epoch - self._lead != self.epoch:
            self.epoch, self.n_done, self._begin = epoch - self._lead, 0, None

    def done(self) -> None:
        """Tell that training has the next batch."""
        self.n_done += 1

    def share(self) -> Share:
        """This rank's share of the batch that training gets next."""
        if self._sizes[0] != self.epoch:
            self._sizes = (self.epoch, [len(batch) for batch in self._batches()])
        return self._share(self._sizes[1][self.n_done])

    def state_dict(self, n_batches: float | None = None) -> dict[str, int]:
        """Position of training: the epoch, and how many batches of it are done.

        Args:
            n_batches: Number of batches after which the epoch is over; None for all.
        """
        if self.n_done >= (len(self) if n_batches is None else n_batches):
            return {"epoch": self.epoch + 1, "n_done": 0}
        return {"epoch": self.epoch, "n_done": self.n_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration begin where training was."""
        self.epoch, self.n_done = state["epoch"], state["n_done"]
        self._begin = self.n_done

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Go through this rank's shares of the batches of the epoch that are not done yet."""
        epoch = self.epoch  # of this iteration, whatever is set while it lasts
        left = self._batches()[self.n_done :]
        return iter(
            [[(epoch, batch[row]) for row in self._share(len(batch)).rows] for batch in left]
        )

    def __len__(self) -> int:
        """Number of batches of a whole epoch."""
        counts = np.unique(self.groups, return_counts=True)[1]
        full = counts // self.batch_size if self.drop_last else -(-counts // self.batch_size)
        return int(full.sum())

    def _share(self, size: int) -> Share:
        return Share.of(size, self.rank, self.n_ranks)

    def _batches(self) -> list[list[int]]:
        batches: list[list[int]] = []
        open_batches: dict[int, list[int]] = {}
        for index in self._order():
            group = int(self.groups[index])
            batch = open_batches.setdefault(group, [])
            batch.append(index)
            if len(batch) == self.batch_size:
                batches.append(open_batches.pop(group))
        return batches if self.drop_last else [*batches, *open_batches.values()]

    def _order(self) -> list[int]:
        n = len(self.groups)
        if not self.shuffle:
            return list(range(n))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return torch.randperm(n, generator=generator).tolist()
