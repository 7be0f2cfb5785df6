"""Training examples in many files: what is read when and by whom, and going on amid an epoch."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tiny import tiny_arrays, tiny_config, write_h5

from reconic.train import ReconData, ReconDataset
from reconic.train.config import prepare, train_parser
from reconic.train.sampler import EpochSampler

N_FILES, EACH = 5, 2


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A folder of files, and the same examples in one file."""
    folder = tmp_path_factory.mktemp("shards")
    (folder / "train").mkdir()
    parts = [tiny_arrays(EACH, seed) for seed in range(N_FILES)]
    for i, part in enumerate(parts):
        write_h5(folder / "train" / f"{i}.h5", part)
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return folder / "train", write_h5(folder / "whole.h5", whole)


def batches(splits, train, **options):
    options = {"num_workers": 0, "batch_size": 3, "seed": 2, "stdev": 0.1, **options}
    return list(ReconData(**{**splits, "train": train}, **options).train_dataloader())


@pytest.mark.parametrize("spelt", ["folder", "pattern", "list"])
def test_files_give_the_batches_of_one_file(splits, shards, spelt):
    folder, whole = shards
    paths = [str(folder / f"{i}.h5") for i in range(N_FILES)]
    train = {"folder": str(folder), "pattern": str(folder / "*"), "list": paths}[spelt]
    for found, expected in zip(batches(splits, train), batches(splits, str(whole)), strict=True):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_a_list_of_files_from_a_configuration(tmp_path, splits, shards):
    train = [str(shards[0] / "0.h5"), str(shards[0] / "[34].h5")]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tiny_config(tmp_path, {**splits, "train": train})))
    parser = train_parser()
    data = prepare(parser, parser.parse_args(["--config", str(path)]))["data"]
    assert len(data.dataset("train")) == 6


def test_each_rank_opens_the_files_of_its_own_examples(shards, monkeypatch):
    opened, open_file = [], h5py.File.__init__

    def noted(self, path, *args, **kwargs):
        opened.append(path)
        open_file(self, path, *args, **kwargs)

    monkeypatch.setattr(h5py.File, "__init__", noted)
    for rank in range(2):
        dataset = ReconDataset(shards[0])
        sampler = EpochSampler(dataset.groups(), 2, seed=1, rank=rank, n_ranks=2)
        own = [item for batch in sampler for item in batch]
        assert len(own) == N_FILES * EACH // 2
        opened.clear()
        for item in own:
            dataset[item]
        assert {p.stem for p in opened if isinstance(p, Path)} == {
            str(index // EACH) for _, index in own
        }


def test_options_of_reading_ahead_reach_the_loader(splits):
    loader = ReconData(**splits, num_workers=2, prefetch_factor=5).train_dataloader()
    assert (loader.prefetch_factor, loader.persistent_workers) == (5, True)
    assert loader.pin_memory == torch.cuda.is_available()
    data = ReconData(**splits, num_workers=2, persistent_workers=False, pin_memory=True)
    assert (data.val_dataloader().persistent_workers, data.val_dataloader().pin_memory) == (0, 1)
    assert ReconData(**splits, num_workers=0).train_dataloader().prefetch_factor is None
    with pytest.raises(ValueError, match="`prefetch_factor` must be at least 1, got 0"):
        ReconData(**splits, prefetch_factor=0)


def copy(shards, tmp_path):
    for path in shards[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_damaged_file_among_good_ones_is_named(shards, tmp_path):
    folder = copy(shards, tmp_path)
    (folder / "3.h5").write_bytes((folder / "3.h5").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"3\.h5 must be of a whole HDF5 file"):
        ReconDataset(folder)


def test_a_file_of_another_layout_among_good_ones_is_named(shards, tmp_path):
    folder = copy(shards, tmp_path)
    with h5py.File(folder / "2.h5", "w") as file:
        file["kspace"] = np.zeros((2, 4, 8, 8), np.complex64)
    with pytest.raises(KeyError, match=r"2\.h5 must have the data set 'ksp', got the keys kspace"):
        ReconDataset(folder)


def test_files_of_other_shapes_make_batches_of_their_own(splits, shards, tmp_path):
    folder = copy(shards, tmp_path)
    write_h5(folder / "9.h5", tiny_arrays(3, 9, shape=(24, 24)))
    found = batches(splits, str(folder))
    assert sum(len(b["y"]) for b in found) == N_FILES * EACH + 3
    assert {tuple(b["y"].shape[-2:]) for b in found} == {(32, 24), (24, 24)}
