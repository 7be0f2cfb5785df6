"""Which checkpoints there are, how often they are renewed, and that they are whole."""

import errno
import math
import os
import resource
import signal

import pytest
import torch

from reconic.train import Checkpoint
from reconic.train.checkpoint_io import WholeCheckpoints
from reconic.train.keep import KeepCheckpoints
from reconic.train.load import read_checkpoint

TRAINER = {"max_epochs": 3, "accelerator": "cpu", "enable_progress_bar": False}


def checkpoints(run):
    home = run.folder / "checkpoints"
    return {path.stem: read_checkpoint(path) for path in home.iterdir()}


def test_every_epoch_can_be_kept(train):
    run = train(trainer=TRAINER, checkpoint={"every_n_epochs": 2}, baselines=[])
    found = checkpoints(run)
    assert found.keys() == {"last", "best", "epoch_2"}
    assert found["epoch_2"]["position"] == {"epoch": 2, "n_done": 0, "validating": False}
    assert found["last"]["position"]["epoch"] == 3
    assert (found["epoch_2"]["global_step"], found["last"]["global_step"]) == (8, 12)


@pytest.fixture
def written(monkeypatch):
    """Steps at which the last checkpoint was written."""
    steps = []
    save = WholeCheckpoints.save_checkpoint

    def note(self, checkpoint, path, storage_options=None):
        save(self, checkpoint, path, storage_options)
        if str(path).endswith("last.ckpt"):
            steps.append(checkpoint["global_step"])

    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", note)
    return steps


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({"every_n_steps": 3, "every_minutes": None}, [0, 3, 4, 7, 8]),
        ({"every_n_steps": None, "every_minutes": None}, [0, 4, 8]),
        ({"every_minutes": 1e-9}, list(range(9))),
    ],
)
def test_how_often_the_last_is_renewed(train, written, options, want):
    train(trainer={**TRAINER, "max_epochs": 2}, checkpoint=options, baselines=[])
    assert written == want


@pytest.mark.parametrize("name", ["every_n_steps", "every_minutes", "every_n_epochs"])
@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_periods_are_positive(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be positive, got {value}"):
        Checkpoint(**{name: value})


@pytest.mark.parametrize(("monitor", "values", "want"), [
    ("psnr", [1.0, 3.0, 2.0, math.nan, math.inf], [True, True, False, False, False]),
    ("loss", [math.nan, 3.0, 3.0, 2.0], [False, True, False, True]),
])  # fmt: skip
def test_what_is_better(tmp_path, monitor, values, want):
    keeper = KeepCheckpoints(tmp_path, monitor, Checkpoint(), None, {})
    found = []
    for value in values:
        found.append(keeper._is_better(value))
        keeper.best = value if found[-1] else keeper.best
    assert found == want


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"state_dict": {}, "a": 1}, path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            WholeCheckpoints().save_checkpoint({"a": torch.zeros(10_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert WholeCheckpoints().load_checkpoint(path)["a"] == 1
    WholeCheckpoints().remove_checkpoint(path)
    assert not list(tmp_path.iterdir())


def test_a_run_on_a_full_disk_names_the_last_good_checkpoint(train, monkeypatch):
    save = WholeCheckpoints.save_checkpoint

    def full(self, checkpoint, path, storage_options=None):
        if checkpoint["global_step"] >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", full)
    with pytest.raises(OSError, match=r"No space left.*Make room.*last good checkpoint is .*last"):
        train(trainer=TRAINER, baselines=[])
