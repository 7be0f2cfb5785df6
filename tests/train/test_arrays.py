"""Data of systems other than Cartesian MRI."""

import h5py
import numpy as np
import pytest
import torch
from tiny import write_h5

from reconic.train import ReconData
from reconic.train.arrays import SystemDataset


def arrays(n=3):
    rng = np.random.default_rng(0)
    return {
        "imgs": rng.random((n, 6, 5)),
        "ksp": rng.random((n, 7)) + 1j,
        "otf": rng.random((n, 6, 5)) + 1j,
        "gain": rng.random((n, 2)),
    }


def test_an_item_has_image_measurements_and_the_fields_of_the_system(tmp_path):
    stored = arrays()
    path = write_h5(tmp_path / "a.h5", {**stored, "unused": np.zeros(3)})
    item = SystemDataset(path, ("otf", "gain"))[1]
    assert set(item) == {"x", "y", "otf", "gain", "index"}
    assert item["x"].dtype == item["y"].dtype == item["otf"].dtype == torch.complex64
    assert item["gain"].dtype == torch.float32
    np.testing.assert_allclose(item["y"].numpy(), stored["ksp"][1], rtol=1e-6)  # single precision
    np.testing.assert_allclose(item["gain"].numpy(), stored["gain"][1], rtol=1e-6)


def test_noise_has_its_level_and_depends_on_seed_epoch_and_index_alone(tmp_path):
    stored = {"ksp": np.zeros((2, 20000), np.complex64)}
    path = write_h5(tmp_path / "a.h5", stored)
    data = SystemDataset(path, (), stdev=0.5, seed=3)
    y = data[(1, 0)]["y"]
    assert abs(y.abs().square().mean().sqrt() - 0.5) < 0.02  # 20000 samples: 0.5 % is one sigma
    assert torch.equal(y, SystemDataset(path, (), stdev=0.5, seed=3)[(1, 0)]["y"])
    assert not torch.equal(y, data[(2, 0)]["y"])
    assert not torch.equal(y, data[(1, 1)]["y"])


def test_a_folder_is_one_set_whose_batches_have_one_shape(tmp_path):
    write_h5(tmp_path / "a.h5", {"ksp": np.ones((2, 3))})
    write_h5(tmp_path / "b.h5", {"ksp": 2 * np.ones((3, 4))})
    data = SystemDataset(tmp_path, (), limit=4)
    assert [len(data[i]["y"]) for i in range(len(data))] == [3, 3, 4, 4]
    assert data.groups().tolist() == [0, 0, 1, 1]


def test_a_missing_array_is_named_with_what_is_there(tmp_path):
    path = write_h5(tmp_path / "a.h5", {"ksp": np.ones((2, 3)), "psf": np.ones((2, 3))})
    with pytest.raises(KeyError, match=r"must have the keys ksp, otf.*got ksp, psf.*Missing: otf"):
        SystemDataset(path, ("otf",))


@pytest.mark.parametrize(
    "otf", [np.ones((3, 4)), np.ones(2), np.ones((2, 0)), np.array([[b"a"], [b"b"]])]
)
def test_an_array_that_does_not_fit_is_named(tmp_path, otf):
    path = write_h5(tmp_path / "a.h5", {"ksp": np.ones((2, 3)), "otf": otf})
    with pytest.raises(ValueError, match=r"'otf' in .*a\.h5 must be numbers of shape"):
        SystemDataset(path, ("otf",))


def test_nan_is_named_by_key_and_example(tmp_path):
    stored = arrays()
    stored["otf"][2, 0, 0] = np.nan
    data = SystemDataset(write_h5(tmp_path / "a.h5", stored), ("otf",))
    assert data[1]["index"] == 1
    with pytest.raises(ValueError, match=r"'otf' in .* must be finite, got NaN.* example 2"):
        data[2]


def test_a_damaged_file_is_named(tmp_path):
    path = write_h5(tmp_path / "a.h5", arrays())
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(ValueError, match=r"a\.h5 must be of a whole HDF5 file"):
        SystemDataset(path, ("otf",))


def test_the_data_module_takes_the_systems_fields(tmp_path):
    path = str(write_h5(tmp_path / "a.h5", arrays()))
    data = ReconData(path, path, path, batch_size=2, num_workers=0, seed=0)
    data.fields = ("otf",)
    batch = next(iter(data.train_dataloader()))
    assert batch["otf"].shape == (2, 6, 5)
    with h5py.File(path) as file:
        assert len(data.dataset("val")) == len(file["ksp"])


def test_options_of_cartesian_mri_are_refused(tmp_path):
    path = str(write_h5(tmp_path / "a.h5", arrays()))
    data = ReconData(path, path, path, augment=True, maps="espirit")
    data.fields = ("otf",)
    with pytest.raises(ValueError, match=r"augment, maps must be left out for a system of .* otf"):
        data.dataset("train")
