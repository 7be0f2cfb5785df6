"""`reconic descend`: from a configuration to a run folder."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

from reconic.cli import main
from reconic.descent.scene import Deconvolution, Scene, disc, portrait

CONFIG = Path(__file__).parents[2] / "configs" / "deconvolution.yaml"
SMALL = ["--scene.side", "40", "--scene.margin", "8", "--epochs", "60"]


def test_the_shipped_config_deblurs(tmp_path, capsys):
    assert main(["descend", "--config", str(CONFIG), *SMALL, "--logdir", str(tmp_path)]) == 0
    folder = tmp_path / "deconvolution" / "version_0"
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    scores = json.loads((folder / "results.json").read_text())["object"]
    assert scores["Reconstructed"] < 0.8 * scores["Before"]
    assert (folder / "figures" / "object.png").exists()
    assert np.load(folder / "variables.npz")["object"].shape == (56, 56)  # with margins
    again = ["descend", "--config", str(folder / "config.yaml"), "--logdir", str(tmp_path)]
    assert main(again) == 0  # what a run keeps can be run
    other = tmp_path / "deconvolution" / "version_1" / "results.json"
    assert json.loads(other.read_text())["object"] == scores


@pytest.mark.parametrize(("words", "says"), [
    (["--loss", "{l3: {target: y}}"], "there is no term 'l3'. Did you mean 'l2'?"),
    (["--loss", "{l2: {targets: y}}"], "loss.l2: .*targets"),
    (["--optimizers", "{object: {method: adm, learning_rate: 1}}"], "no optimizer 'adm'"),
    (["--scene.psff", "x"], "psff"),
    (["--scene.measurement", "no.png"], "a `measurement` needs its `psf`"),
])  # fmt: skip
def test_mistakes_are_named(words, says, tmp_path, capsys):
    command = ["descend", "--config", str(CONFIG), *SMALL, "--logdir", str(tmp_path), *words]
    assert main(command) == 2
    assert re.search(says, capsys.readouterr().err)


class NoData(Scene):
    """A scene whose author forgot the data."""

    def __init__(self) -> None:
        self.forward, self.variables = (lambda v, _: v), {}


class WrongKey(Scene):
    """A scene whose author asks for a key that is not there."""

    def __init__(self) -> None:
        self.data = {}["imgs"]


class Broken(Scene):
    """A scene whose code fails, as torch does for shapes that do not fit."""

    def __init__(self) -> None:
        raise RuntimeError("7 is not 24")


@pytest.mark.parametrize(("cls", "says"), [
    (Broken, r"RuntimeError: 7 is not 24, at .*test_descend.py:\d+: `raise Runtime.*`\. Try"),
    (NoData, r"NoData: `data` must be set, got none\. Set self\.data in its `__init__`"),
    (WrongKey, r"imgs, at .*test_descend.py:\d+: `self.data = {}\[\"imgs\"\]`"),
])  # fmt: skip
def test_mistakes_of_a_scene_of_ones_own_are_named(cls, says, tmp_path, capsys):
    words = ["--scene", f"{__name__}.{cls.__name__}", "--optimizers", "{x: {learning_rate: 1}}"]
    words += ["--epochs", "1"]
    assert main(["descend", "--loss", "{l2: {target: y}}", *words, "--logdir", str(tmp_path)]) == 1
    assert re.search(says, capsys.readouterr().err)


def test_a_scene_needs_no_truth():
    scene = Scene()
    assert not {**scene.truth, **scene.before}


def test_a_measurement_from_files(tmp_path):
    y = portrait(20)
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "psf.npy", 7 * disc(2.0))
    scene = Deconvolution(str(tmp_path / "y.npy"), str(tmp_path / "psf.npy"), margin=4)
    assert scene.truth == {}
    assert scene.forward.in_shape == (28, 28)
    flat = np.ones((28, 28), np.float32)
    np.testing.assert_allclose(scene.forward(flat), 1, atol=1e-5)  # the PSF's sum is one
    with pytest.raises(FileNotFoundError, match=r"there is no file 'no\.npy'"):
        Deconvolution("no.npy", "no.npy")


@pytest.mark.slow
@pytest.mark.parametrize("how", [
    "{method: ensemble, n: 3, at_once: 2}",
    "{method: langevin, n_samples: 20, burn_in: 20, thin: 2, noise: 0.01}",
])  # fmt: skip
def test_uncertainty_stands_beside_the_image(how, tmp_path, capsys):
    command = ["descend", "--config", str(CONFIG), *SMALL, "--logdir", str(tmp_path)]
    assert main([*command, "--uncertainty", how]) == 0
    folder = tmp_path / "deconvolution" / "version_0"
    said = capsys.readouterr().out
    assert f"figure: {folder / 'figures' / 'uncertainty.png'}" in said
    assert said.splitlines()[-1] == str(folder)
    with np.load(folder / "uncertainty.npz") as arrays:
        assert arrays["std/object"].shape == arrays["mean/object"].shape == (40, 40)
        assert np.all(arrays["std/object"] > 0)
        deviation = float(arrays["std/object"].mean())
    scores = json.loads((folder / "results.json").read_text())["object"]
    assert scores["Standard deviation"] == pytest.approx(deviation)
    assert deviation < 0.3


@pytest.mark.parametrize(("how", "says"), [
    ("ensembel", "there is no method 'ensembel'. Did you mean 'ensemble'?"),
    ("{method: ensemble, members: 3}", "uncertainty: .*members"),
])  # fmt: skip
def test_mistakes_in_uncertainty_are_named_before_the_fit(how, says, tmp_path, capsys):
    command = ["descend", "--config", str(CONFIG), *SMALL, "--logdir", str(tmp_path)]
    assert main([*command, "--uncertainty", how]) == 2
    assert re.search(says, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
