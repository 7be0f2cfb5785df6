"""Data module: training, validation and test examples as batches for Lightning."""

from __future__ import annotations

import functools
from typing import Any, Literal

import lightning
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset, Subset

from reconic.systems import CartesianMRI
from reconic.train import processes
from reconic.train.arrays import SystemDataset
from reconic.train.dataset import ReconDataset
from reconic.train.interrupt import end_workers_at_exit, ignore_signals
from reconic.train.masks import RandomMask
from reconic.train.sampler import EpochSampler
from reconic.train.system import SystemFactory

__all__ = ["Dealt", "ReconData", "collate"]


def collate(items: list[dict[str, Any]], coil_axis: int | None = 0) -> dict[str, Tensor]:
    """Stack items to a batch, with as many coils as the one with most of them has.

    Coils whose maps are zero contribute nothing to the image. They are left out of each item, and
    appended where others have more, with zero k-space: the adjoint, the system applied to any
    image, and so every loss, are the same with them as without.

    Args:
        items: Items of a data set.
        coil_axis: Axis of the coils in the `maps` of an item; in `y` it is the first. None if the
            system has no coils.
    """
    if coil_axis is None:
        return torch.utils.data.default_collate(items)
    trimmed = [_without_zero_coils(item, coil_axis) for item in items]
    most = max(len(item["y"]) for item in trimmed)
    padded = [_with_coils(item, most, coil_axis) for item in trimmed]
    return torch.utils.data.default_collate(padded)


def _without_zero_coils(item: dict[str, Any], coil: int) -> dict[str, Any]:
    maps = item["maps"]
    used = (maps != 0).any(dim=tuple(a for a in range(maps.ndim) if a != coil))
    if used.all() or not used.any():
        return item
    used = used.nonzero().squeeze(1)
    return {**item, "maps": maps.index_select(coil, used), "y": item["y"].index_select(0, used)}


def _with_coils(item: dict[str, Any], n_coils: int, coil: int) -> dict[str, Any]:
    y, maps = item["y"], item["maps"]
    more = n_coils - len(y)
    if not more:
        return item
    return {**item, "y": _append(y, 0, more), "maps": _append(maps, coil, more)}


def _append(a: Tensor, axis: int, n: int) -> Tensor:
    """The array with n zeros appended along an axis."""
    return pad(a, (0, 0) * (a.ndim - 1 - axis) + (0, n))  # counted from behind


class Dealt(Dataset):
    """Examples r, r + p, r + 2p … for rank r of p, as many for every rank.

    Where a rank would have one less, it has the last example again, with `rank_weight` 0 and not 1.

    Args:
        dataset: All examples.
        rank: Number r of the rank.
        n_ranks: Number p of ranks.
    """

    def __init__(self, dataset: ReconDataset | SystemDataset, rank: int, n_ranks: int) -> None:
        self.dataset = dataset
        self.rank = rank
        self.n_ranks = n_ranks

    def __len__(self) -> int:
        """Number of examples of every rank."""
        return -(-len(self.dataset) // self.n_ranks)

    def __getitem__(self, i: int) -> dict[str, Any]:
        """Example i of this rank."""
        index, last = i * self.n_ranks + self.rank, len(self.dataset) - 1
        weight = torch.tensor(float(index <= last))
        return {**self.dataset[min(index, last)], "rank_weight": weight}


class ReconData(lightning.LightningDataModule):
    """Training, validation and test examples from HDF5 files in DeepInPy's layout.

    For a system other than Cartesian MRI the files hold its arrays under the names of its fields;
    see `SystemDataset`.

    A checkpoint holds the position in the training examples: Lightning asks `state_dict` for it,
    and a run that resumes goes on with the next batch of the same epoch, in the same order.

    Args:
        train: Training examples: a file; a folder of files; a pattern such as data/*/train-*.h5; or
            a list of these. Files may differ in size and number of coils; examples of a batch have
            one size.
        val: Validation examples, given alike, always read in order.
        test: Test examples, given alike, always read in order.
        batch_size: Number of examples of a training batch, of all devices together; validation and
            test use 1.
        num_workers: Number of processes that read ahead, for each of the three; 0 reads in the
            training process.
        prefetch_factor: Number of batches that each of them reads ahead.
        persistent_workers: Whether they live on between epochs, with their files open.
        pin_memory: Whether batches are put where a GPU fetches them fastest; null does so where
            there is a GPU.
        shuffle: Whether to shuffle the training examples, anew each epoch, by `seed`.
        drop_last: Whether to leave out training batches that are not full.
        augment: Whether to flip, transpose and give a random phase to training examples.
        mask: Draws sampling masks in place of those stored: PoissonDisc, VariableDensityLines,
            UniformLines or your own; for k-space that is fully sampled. Training examples get a new
            one in each epoch, the others keep theirs. Null uses the stored masks.
        maps: Whether coil maps are those "stored" or estimated by "espirit" from each 2-D example.
        inverse_crime: Number of space axes, 2 or 3, over which to compute k-space from `imgs` and
            `maps`, for files without `ksp` or with another one; null reads `ksp`.
        stdev: Standard deviation of complex noise to add to the k-space, in its units, anew at each
            access, by `seed`, epoch and index. 0 for files whose k-space is noisy already.
        limit_train: Largest number of training examples to use; null uses all.
        limit_val: Largest number of validation examples to use.
        limit_test: Largest number of test examples to use.
        seed: Seed of order, noise, masks and augmentation; null takes the run's.

    Raises:
        ValueError: If `batch_size`, `num_workers` or `prefetch_factor` is out of range.
    """

    def __init__(
        self,
        train: str | list[str] = "data/example/train.h5",
        val: str | list[str] = "data/example/val.h5",
        test: str | list[str] = "data/example/test.h5",
        batch_size: int = 1,
        num_workers: int = 1,
        prefetch_factor: int = 2,
        persistent_workers: bool = True,
        pin_memory: bool | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        augment: bool = False,
        mask: RandomMask | None = None,
        maps: Literal["stored", "espirit"] = "stored",
        inverse_crime: Literal[2, 3] | None = None,
        stdev: float = 0.0,
        limit_train: int | None = None,
        limit_val: int | None = None,
        limit_test: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        least = {"batch_size": (batch_size, 1), "num_workers": (num_workers, 0)}
        for name, (n, fewest) in {**least, "prefetch_factor": (prefetch_factor, 1)}.items():
            if n < fewest:
                raise ValueError(f"ReconData: `{name}` must be at least {fewest}, got {n}.")
        self.paths = {"train": train, "val": val, "test": test}
        self.limits = {"train": limit_train, "val": limit_val, "test": limit_test}
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = torch.cuda.is_available() if pin_memory is None else pin_memory
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.augment = augment
        self.mask = mask
        self.maps: Literal["stored", "espirit"] = maps
        self.inverse_crime: Literal[2, 3] | None = inverse_crime
        self.stdev = stdev
        self.seed = seed
        self.system = SystemFactory()  # whose arrays to read; a run fills it in
        self._datasets: dict[Any, ReconDataset | SystemDataset] = {}
        self._position: dict[str, int] | None = None  # where a resumed run begins
        self._sampler: EpochSampler | None = None

    def dataset(self, split: str) -> ReconDataset | SystemDataset:
        """Examples of "train", "val" or "test"; made once, as long as what they are made of stays.

        To make one, every file of it is opened and checked.
        """
        made_of = (split, self.limits[split], self.seed, self.system)
        if made_of not in self._datasets:
            cartesian = issubclass(self.system.cls, CartesianMRI)
            self._datasets[made_of] = (
                self._recon_dataset(split) if cartesian else self._system_dataset(split)
            )
        return self._datasets[made_of]

    def _recon_dataset(self, split: str) -> ReconDataset:
        """Examples of Cartesian MRI."""
        return ReconDataset(
            self.paths[split],
            self.stdev,
            self.limits[split],
            self.augment and split == "train",
            self.seed or 0,
            self.mask,
            self.maps,
            self.inverse_crime,
        )

    def _system_dataset(self, split: str) -> SystemDataset:
        """Examples of a system other than Cartesian MRI."""
        choices = {
            "augment": self.augment,
            "mask": self.mask is not None,
            "maps": self.maps != "stored",
            "inverse_crime": self.inverse_crime is not None,
        }
        wrong = [name for name, chosen in choices.items() if chosen]
        if wrong:
            raise ValueError(
                f"data: {', '.join(wrong)} must be left out for a system of the arrays "
                f"{', '.join(self.system.arrays)}, got them set. They know Cartesian MRI alone."
            )
        return SystemDataset(
            self.paths[split],
            self.system.arrays,
            self.stdev,
            self.limits[split],
            self.seed or 0,
            self.system.optional,
            self.system.coil_axis,
        )

    def train_dataloader(self) -> DataLoader:
        """Batches of training examples, from the position of a loaded checkpoint on."""
        dataset = self.dataset("train")
        self._sampler = EpochSampler(
            dataset.groups(),
            self.batch_size,
            self.shuffle,
            self.seed or 0,
            self.drop_last,
            processes.rank(),
            processes.count(),
        )
        if self._position is not None:
            self._sampler.load_state_dict(self._position)
            self._position = None
        return self._loader(dataset, batch_sampler=self._sampler)

    def val_dataloader(self) -> DataLoader:
        """Validation examples one by one, in order; the same in every epoch."""
        return self._loader(self._dealt("val"))

    def test_dataloader(self) -> DataLoader:
        """Test examples one by one, in order."""
        return self._loader(self._dealt("test"))

    def share(self, split: str) -> DataLoader:
        """This rank's validation or test examples: r, r + p, r + 2p … for rank r of p."""
        dataset = self.dataset(split)
        own = range(processes.rank(), len(dataset), processes.count())
        return self._loader(Subset(dataset, own))

    def state_dict(self) -> dict[str, Any]:
        """Position in the training examples: the epoch, and the batches of it trained on."""
        if self._sampler is None or self.trainer is None:
            return {}
        return self._sampler.state_dict(self.trainer.num_training_batches)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next training loader begin at a position that `state_dict` gave."""
        self._position = dict(state_dict) or None

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Count the batches that training gets: the loader itself is ahead of it."""
        if self._sampler is not None and self.trainer is not None and self.trainer.training:
            share = self._sampler.share()
            self._sampler.done()
            if processes.count() > 1:
                weight = torch.tensor(share.weight)
                return {**batch, "row": torch.tensor(share.rows), "rank_weight": weight}
        return batch

    def _dealt(self, split: str) -> Dataset:
        dataset, n_ranks = self.dataset(split), processes.count()
        return dataset if n_ranks == 1 else Dealt(dataset, processes.rank(), n_ranks)

    def _loader(self, dataset: Dataset, batch_sampler: EpochSampler | None = None) -> DataLoader:
        if self.num_workers:
            end_workers_at_exit()
        return DataLoader(
            dataset,
            batch_sampler=batch_sampler,
            num_workers=self.num_workers,
            prefetch_factor=self.prefetch_factor if self.num_workers else None,
            persistent_workers=self.persistent_workers and self.num_workers > 0,
            collate_fn=functools.partial(collate, coil_axis=self.system.coil_axis),
            worker_init_fn=ignore_signals,
            pin_memory=self.pin_memory,
            generator=torch.Generator(),  # the global one belongs to what is trained
        )
