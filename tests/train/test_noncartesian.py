"""A run on radial data from file to table: module, comparison and figures weigh alike."""

import json

import pytest
import torch
from tiny import tiny_config

from reconic.recons import CGSense, ZeroFilled
from reconic.simulate import make_dataset
from reconic.train import ReconData, ReconModule, SystemFactory, fit, load_run
from reconic.train.config import prepare, train_parser
from reconic.train.data import collate
from reconic.train.images import fixed_examples
from reconic.train.snapshot import snapshot

RADIAL = {"class_path": "NonCartesianMRI", "init_args": {"n_sample_axes": 2}}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Tiny radial files of two to four coils."""
    files = make_dataset(
        tmp_path_factory.mktemp("radial"), "shepp-logan", (32, 32), 3, 2, 2, (2, 4), photos=0.0,
        trajectory="radial", spokes=11, processes=1, progress=False,
    )  # fmt: skip
    return {split: str(path) for split, path in files.items()}


@pytest.fixture(scope="module")
def run(tmp_path_factory, paths):
    """A finished run of two epochs."""
    folder = tmp_path_factory.mktemp("run")
    config = tiny_config(folder, {**paths, "batch_size": 2}, system=RADIAL)
    (folder / "config.json").write_text(json.dumps(config))
    parser = train_parser()
    return fit(**prepare(parser, parser.parse_args(["--config", str(folder / "config.json")])))


@pytest.fixture
def data(paths):
    made = ReconData(**paths, num_workers=0)
    made.system = SystemFactory(**RADIAL)
    return made


def own_images(data, recon):
    """Images of the test examples, with the weights applied by hand."""
    for i in range(2):
        batch = collate([data.dataset("test")[i]])
        A = data.system(batch)
        y = batch["y"] * batch["dcf"].sqrt()[:, None]
        with torch.no_grad():
            yield batch, recon(y, A)


def test_the_table_is_of_weighted_measurements(run, data):
    assert list(run.results) == ["zero-filled", "cg-sense", "modl"]
    for name, recon in {"zero-filled": ZeroFilled(), "modl": load_run(run.folder)}.items():
        errors = [
            float((x_hat - batch["x"]).norm() / batch["x"].norm())
            for batch, x_hat in own_images(data, recon)
        ]
        # transforms of tolerance 1e-5, through CG
        assert run.scores[name]["nrmse"] == pytest.approx(errors, rel=1e-3)
    assert run.results["cg-sense"]["nrmse"] < run.results["zero-filled"]["nrmse"]
    assert (run.folder / "figures" / "comparison.png").is_file()


def test_module_and_images_see_weighted_measurements_too(run, data):
    recon = load_run(run.folder)
    module = ReconModule(recon, data.system, None, None)  # pyright: ignore
    data.paths["val"] = data.paths["test"]
    shots = [snapshot(recon, data.system, batch) for batch in fixed_examples(data, 2)]
    for (batch, x_hat), shot in zip(own_images(data, recon), shots, strict=True):
        with torch.no_grad():
            torch.testing.assert_close(module(batch), x_hat, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(torch.from_numpy(shot.x_hat), x_hat[0], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            torch.from_numpy(shot.y), (batch["y"] * batch["dcf"].sqrt()[:, None])[0]
        )


def test_files_without_weights_train_as_well(run, data, tmp_path):
    import h5py

    path = tmp_path / "plain.h5"
    with h5py.File(data.paths["test"]) as old, h5py.File(path, "w") as new:
        for key in ("imgs", "maps", "ksp", "traj"):
            new[key] = old[key][()]
    data.paths["test"] = str(path)
    (batch, *_) = data.test_dataloader()
    y, A = data.system.measured(batch)
    assert A.dcf is None
    assert torch.equal(y, batch["y"])


def test_cg_sense_is_compared_without_density_weights(run, data):
    errors = []
    for i in range(2):
        batch = collate([data.dataset("test")[i]])
        y, A = data.system.measured(batch, weighted=False)
        assert A.dcf is None
        assert torch.equal(y, batch["y"])
        with torch.no_grad():
            x_hat = CGSense(run.lam)(y, A)
        errors.append(float((x_hat - batch["x"]).norm() / batch["x"].norm()))
    # transforms of tolerance 1e-5, through CG
    assert run.scores["cg-sense"]["nrmse"] == pytest.approx(errors, rel=1e-3)
