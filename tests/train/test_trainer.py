"""The Trainer's settings, and errors that end a run."""

import errno

import pytest

from reconic.train.trainer import checked, explained


@pytest.mark.parametrize("precision", [None, 32, "32-true"])
def test_full_precision(precision):
    assert checked({"precision": precision}) == {"precision": precision}


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "bf16-true", 16, "64-true"])
def test_other_precisions_are_refused(precision):
    with pytest.raises(ValueError, match=rf"`precision` must be 32-true, got {precision}.*network"):
        checked({"precision": precision})


def test_a_run_that_cannot_be_stored(tmp_path):
    last = tmp_path / "last.ckpt"
    with (
        pytest.raises(OSError, match=r"must be writable, got: full\. .*No checkpoint was saved"),
        explained(tmp_path, last),
    ):
        raise OSError(errno.ENOSPC, "full")
    last.touch()
    with (
        pytest.raises(OSError, match=r"The last good checkpoint is .*last\.ckpt"),
        explained(tmp_path, last),
    ):
        raise OSError(errno.EDQUOT, "over quota")


def test_other_errors_are_not_touched(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^data$"), explained(tmp_path, tmp_path / "a"):
        raise FileNotFoundError("data")


def test_settings_that_lightning_refuses(train):
    trainer = {"accelerator": "cpu", "limit_val_batches": 7.5, "enable_progress_bar": False}
    with pytest.raises(ValueError, match=r"trainer: .*limit_val_batches"):
        train(trainer=trainer)
