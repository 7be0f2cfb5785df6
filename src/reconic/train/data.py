"""Data module: training, validation and test examples as batches for Lightning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from reconic.train.dataset import ReconDataset

__all__ = ["EpochSampler", "ReconData", "collate"]


class EpochSampler(Sampler[tuple[int, int]]):
    """Pairs (epoch, index) in an order that depends on the seed and the epoch alone.

    The epoch travels with the index, so worker processes that live on know it.

    Args:
        n: Number of examples.
        shuffle: Whether to draw a new order each epoch.
        seed: Seed of the orders.
    """

    def __init__(self, n: int, shuffle: bool, seed: int) -> None:
        self.n = n
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch the next iteration is; Lightning calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Go through all examples once."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = (
            torch.randperm(self.n, generator=generator) if self.shuffle else torch.arange(self.n)
        )
        epoch = self.epoch
        return ((epoch, i) for i in order.tolist())

    def __len__(self) -> int:
        """Number of examples."""
        return self.n


def collate(items: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Stack items to a batch, without the coils that are zero in all of them.

    Coils with zero maps contribute nothing to the image: data with a varying number of coils are
    stored with zeros, and this is where the zeros stop to cost time.
    """
    batch = torch.utils.data.default_collate(items)
    maps, y = batch["maps"], batch["y"]
    coil = 1 + maps.ndim - y.ndim  # a set axis may come before it
    others = tuple(axis for axis in range(maps.ndim) if axis != coil)
    used = (maps != 0).any(dim=others)
    if used.any() and not used.all():
        used = used.nonzero().squeeze(1)
        batch["maps"] = maps.index_select(coil, used)
        batch["y"] = y.index_select(1, used)
    return batch


class ReconData(lightning.LightningDataModule):
    """Training, validation and test examples from HDF5 files in DeepInPy's layout.

    Args:
        train: File with the training examples.
        val: File with the validation examples, always read in order.
        test: File with the test examples, always read in order.
        batch_size: Number of examples of a training batch; validation and test use 1.
        num_workers: Number of processes that read ahead, for each of the three; 0 reads in the
            training process.
        shuffle: Whether to shuffle the training examples, anew each epoch, by `seed`.
        augment: Whether to flip, transpose and give a random phase to training examples.
        stdev: Standard deviation of complex noise to add to the k-space, in its units, anew at each
            access, by `seed`, epoch and index. 0 for files whose k-space is noisy already.
        limit_train: Largest number of training examples to use; null uses all.
        limit_val: Largest number of validation examples to use.
        limit_test: Largest number of test examples to use.
        seed: Seed of order, noise and augmentation; null takes the run's.
    """

    def __init__(
        self,
        train: str = "data/example/train.h5",
        val: str = "data/example/val.h5",
        test: str = "data/example/test.h5",
        batch_size: int = 1,
        num_workers: int = 1,
        shuffle: bool = True,
        augment: bool = False,
        stdev: float = 0.0,
        limit_train: int | None = None,
        limit_val: int | None = None,
        limit_test: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise ValueError(
                f"ReconData: `batch_size` must be at least 1 and `num_workers` at least 0, got "
                f"{batch_size} and {num_workers}."
            )
        self.paths = {"train": train, "val": val, "test": test}
        self.limits = {"train": limit_train, "val": limit_val, "test": limit_test}
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.shuffle = shuffle
        self.augment = augment
        self.stdev = stdev
        self.seed = seed

    def dataset(self, split: str) -> ReconDataset:
        """Examples of "train", "val" or "test"."""
        augmented = self.augment and split == "train"
        return ReconDataset(
            self.paths[split], self.stdev, self.limits[split], augmented, self.seed or 0
        )

    def train_dataloader(self) -> DataLoader:
        """Batches of training examples."""
        return self._loader("train", self.batch_size, self.shuffle)

    def val_dataloader(self) -> DataLoader:
        """Validation examples one by one, in order."""
        return self._loader("val", 1, shuffle=False)

    def test_dataloader(self) -> DataLoader:
        """Test examples one by one, in order."""
        return self._loader("test", 1, shuffle=False)

    def _loader(self, split: str, batch_size: int, shuffle: bool) -> DataLoader:
        dataset = self.dataset(split)
        varies = split == "train"  # validation and test examples are the same in every epoch
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=EpochSampler(len(dataset), shuffle, self.seed or 0) if varies else None,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
        )
