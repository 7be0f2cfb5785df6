"""Commands find modules in the present folder and beside a configuration, without PYTHONPATH."""

import sys

import pytest

MODEL = """
from reconic.operator import LinearSystem, system

@system
class Mine(LinearSystem):
    gain: object
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model and a configuration that names it; the present one is another."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (there / "beside_model.py").write_text(MODEL)
    (there / "own.yaml").write_text(
        "system: {class_path: beside_model.Mine}\n"
        "data: {train: none.h5, val: none.h5, test: none.h5}\n"
    )
    yield there
    sys.modules.pop("beside_model", None)


def test_beside_the_configuration(reconic, folder):
    before = list(sys.path)
    _, _, err = reconic("train", "--config", folder / "own.yaml")
    assert "got 'none.h5', which is no file" in err  # the class was found: data come after it
    assert sys.path == before


def test_in_the_present_folder(reconic, folder, monkeypatch):
    monkeypatch.chdir(folder)
    text = (folder / "own.yaml").read_text()
    (folder / "configs").mkdir()
    (folder / "configs" / "own.yaml").write_text(text)
    _, _, err = reconic("train", "--config", "configs/own.yaml")
    assert "got 'none.h5', which is no file" in err


def test_a_file_that_has_the_name_of_an_installed_module_does_not_take_its_place(reconic, folder):
    (folder / "colorsys.py").write_text("raise RuntimeError('mine')")
    sys.modules.pop("colorsys", None)
    (folder / "own.yaml").write_text("system: {class_path: colorsys.Mine}")
    status, _, err = reconic("train", "--config", folder / "own.yaml")
    assert status == 2
    assert "must name a LinearSystem (there is none in" in err


@pytest.mark.parametrize("key", ["system: {class_path: no_such_x.Mine}", "recon: no_such_x.Mine"])
def test_a_module_that_is_not_found(reconic, folder, key):
    (folder / "own.yaml").write_text(key)
    status, _, err = reconic("train", "--config", folder / "own.yaml")
    assert status == 2
    assert "no_such_x" in err
    if "system" in key:
        assert "is installed, in this folder or beside the configuration" in err
