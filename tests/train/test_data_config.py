"""Masks, maps and folders from a configuration alone."""

import json

import numpy as np
import pytest
from tiny import centred_fft, tiny_arrays, tiny_config, write_h5

from reconic.train import fit
from reconic.train.config import prepare, train_parser
from reconic.train.masks import VariableDensityLines


def prepared(folder, data):
    """Arguments of `fit` from a configuration file."""
    (folder / "config.json").write_text(json.dumps(tiny_config(folder, data)))
    parser = train_parser()
    return prepare(parser, parser.parse_args(["--config", str(folder / "config.json")]))


def test_a_mask_by_its_short_name(tmp_path, splits):
    mask = {"class_path": "VariableDensityLines", "init_args": {"acceleration": [2, 6], "axis": 1}}
    options = {"mask": mask, "drop_last": True, "maps": "espirit"}
    data = prepared(tmp_path, {**splits, **options})["data"]
    assert isinstance(data.mask, VariableDensityLines)
    assert data.mask.accelerations == (2, 6)
    assert data.mask.axis == 1
    assert data.drop_last
    assert data.dataset("train").maps == "espirit"


@pytest.mark.slow
def test_a_run_on_fully_sampled_files_of_different_sizes(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for i, (shape, n_coils) in enumerate([((32, 24), 3), ((24, 32), 4)]):
        arrays = tiny_arrays(2, i, shape, n_coils)
        full = centred_fft(arrays["maps"] * arrays["imgs"][:, None]).astype(np.complex64)
        write_h5(folder / f"{i}.h5", {**arrays, "ksp": full})
    mask = {"class_path": "PoissonDisc", "init_args": {"acceleration": 2, "n_calib": 8}}
    paths = dict.fromkeys(("train", "val", "test"), str(folder))
    data = {**paths, "mask": mask, "batch_size": 2, "augment": True}
    done = fit(**prepared(tmp_path, data))
    assert done.results["cg-sense"]["psnr"] > done.results["zero-filled"]["psnr"]
    assert np.isfinite(done.results["modl"]["psnr"])
