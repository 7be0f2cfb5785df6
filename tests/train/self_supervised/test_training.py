"""Training without true images, by configuration alone."""

import json

import h5py
import pytest
from tiny import tiny_config

from reconic.train import fit
from reconic.train.config import prepare, train_parser

SPECS = {
    "SSDU": {"class_path": "SSDU", "init_args": {"fraction": 0.2, "n_splits": 2}},
    "Noise2Noise": {"class_path": "Noise2Noise"},
    "ENSURE": {"class_path": "SURE", "init_args": {"window": 5}},
    "EquivariantImaging": {
        "class_path": "EquivariantImaging",
        "init_args": {"data": {"class_path": "SURE"}, "transforms": ["rotate", "flip"]},
    },
}


@pytest.fixture(scope="module")
def truthless(tmp_path_factory, splits):
    """The tiny files, the ones for training and validation without true images."""
    folder = tmp_path_factory.mktemp("truthless")
    for name in ("train", "val"):
        with h5py.File(splits[name]) as old, h5py.File(folder / f"{name}.h5", "w") as new:
            for key in set(old) - {"imgs"}:
                old.copy(key, new)
    return {**splits, **{name: str(folder / f"{name}.h5") for name in ("train", "val")}}


@pytest.mark.parametrize("name", SPECS)
def test_trains_without_true_images(name, truthless, tmp_path):
    config = tiny_config(tmp_path, truthless, loss=SPECS[name], baselines=["zero-filled"])
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    parser = train_parser()
    run = fit(**prepare(parser, parser.parse_args(["--config", str(path)])))
    assert (run.folder / "checkpoints" / "best.ckpt").is_file()
    assert run.results["modl"]["psnr"] > 0
