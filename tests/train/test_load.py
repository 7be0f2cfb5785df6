"""Errors of loading runs; that it works is in test_engine."""

import shutil

import pytest

from reconic.train import load_run


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained.folder, tmp_path / "run")


def test_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run folder with config\.yaml"):
        load_run(tmp_path)


def test_no_checkpoint(run):
    (run / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(FileNotFoundError, match=r"must have a checkpoint 'best\.ckpt'"):
        load_run(run)
    load_run(run, "last")


def test_other_configuration(run):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("width: 8", "width: 9"))
    with pytest.raises(ValueError, match="does not fit MoDL"):
        load_run(run)


def test_configuration_of_something_else(run):
    (run / "config.yaml").write_text("a: 1")
    with pytest.raises(ValueError, match="got one without `recon`"):
        load_run(run)
