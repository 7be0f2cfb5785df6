"""`reconic descend`: from a configuration to a run folder."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

from reconic.cli import main
from reconic.descent.scene import Deconvolution, disc, portrait

CONFIG = Path(__file__).parents[2] / "configs" / "deconvolution.yaml"
SMALL = ["--scene.side", "40", "--scene.margin", "8", "--epochs", "60"]


def test_the_shipped_config_deblurs(tmp_path, capsys):
    assert main(["descend", "--config", str(CONFIG), *SMALL, "--logdir", str(tmp_path)]) == 0
    folder = tmp_path / "deconvolution" / "version_0"
    assert capsys.readouterr().out.splitlines()[-1] == str(folder)
    scores = json.loads((folder / "results.json").read_text())["object"]
    assert scores["Reconstructed"] < 0.8 * scores["Before"]
    assert (folder / "figures" / "object.png").exists()
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
    import re

    assert re.search(says, capsys.readouterr().err)


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
