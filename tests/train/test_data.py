"""Batches: order, workers, zero coils."""

import os

import numpy as np
import pytest
import torch
from tiny import tiny_arrays, write_h5

from reconic.train import ReconData, ReconDataset
from reconic.train.data import EpochSampler, collate


def test_order_depends_on_seed_and_epoch():
    def order(seed, epoch):
        sampler = EpochSampler(20, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert sorted(i for _, i in order(0, 3)) == list(range(20))
    assert {epoch for epoch, _ in order(0, 3)} == {3}
    assert order(0, 3) == order(0, 3)
    assert [i for _, i in order(0, 3)] != [i for _, i in order(0, 4)]
    assert [i for _, i in order(0, 3)] != [i for _, i in order(1, 3)]
    assert list(EpochSampler(3, shuffle=False, seed=0)) == [(0, 0), (0, 1), (0, 2)]


def test_collate_drops_coils_that_are_zero_in_all_examples(tmp_path):
    few = ReconDataset(write_h5(tmp_path / "few.h5", tiny_arrays(1, n_coils=3, n_zero_coils=3)))
    more = ReconDataset(write_h5(tmp_path / "more.h5", tiny_arrays(1, n_coils=4, n_zero_coils=2)))
    batch = collate([few[0], more[0]])
    assert tuple(batch["maps"].shape) == tuple(batch["y"].shape) == (2, 4, 32, 24)
    np.testing.assert_array_equal(batch["y"][1].numpy(), more[0]["y"][:4].numpy())
    assert tuple(collate([few[0]])["maps"].shape) == (1, 3, 32, 24)


def test_collate_keeps_batches_without_any_signal():
    item = {"x": torch.zeros(4, 4), "y": torch.zeros(2, 4, 4), "maps": torch.zeros(2, 4, 4)}
    assert tuple(collate([item])["y"].shape) == (1, 2, 4, 4)


def test_collate_finds_the_coil_axis_behind_sets():
    maps = torch.ones(2, 3, 4, 4)  # set, coil
    maps[:, 1] = 0
    batch = collate([{"y": torch.ones(3, 4, 4), "maps": maps}])
    assert tuple(batch["maps"].shape) == (1, 2, 2, 4, 4)
    assert tuple(batch["y"].shape) == (1, 2, 4, 4)


# other tests may have loaded JAX, whose threads a worker never meets
forks = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


class RecordsProcess(ReconDataset):
    def __getitem__(self, item):
        return {**super().__getitem__(item), "process": os.getpid(), "handle": self._open[0]}


@forks
def test_workers_read_with_handles_of_their_own(splits, monkeypatch):
    monkeypatch.setattr("reconic.train.data.ReconDataset", RecordsProcess)
    data = ReconData(**splits, num_workers=1, seed=3)
    loader = data.train_dataloader()
    loader.dataset[0]  # the parent's handle is open when the workers start
    first, second = list(loader), list(loader)
    processes = {int(b["process"][0]) for b in first + second}
    assert len(processes) == 1  # one worker, and it lives on
    assert os.getpid() not in processes
    assert all(b["process"][0] == b["handle"][0] for b in first + second)


@forks
def test_workers_and_the_training_process_read_the_same(splits):
    def batches(num_workers):
        data = ReconData(**splits, num_workers=num_workers, stdev=0.1, augment=True, seed=3)
        loader = data.train_dataloader()
        loader.sampler.set_epoch(5)
        return torch.stack([b["y"] for b in loader])

    torch.testing.assert_close(batches(0), batches(1), rtol=0, atol=0)


def test_validation_is_in_order_and_never_changes(splits):
    data = ReconData(**splits, num_workers=0, batch_size=2, stdev=0.1, augment=True, limit_val=2)
    loader = data.val_dataloader()
    assert [int(b["index"]) for b in loader] == [0, 1]
    first, second = (torch.stack([b["y"] for b in loader]) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_batch_size(splits):
    assert (
        len(next(iter(ReconData(**splits, num_workers=0, batch_size=3).train_dataloader()))["x"])
        == 3
    )


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"num_workers": -1}])
def test_values_out_of_range(splits, wrong):
    with pytest.raises(ValueError, match="must be at least"):
        ReconData(**splits, **wrong)
