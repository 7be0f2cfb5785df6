"""Data of systems other than Cartesian MRI."""

import h5py
import numpy as np
import pytest
import torch
from tiny import write_h5

from reconic.operator import LinearSystem, system
from reconic.train import ReconData, SystemFactory
from reconic.train.arrays import SystemDataset
from reconic.train.data import collate


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


def test_optional_arrays_are_read_where_a_file_has_them(tmp_path):
    stored = {"ksp": np.ones((2, 3)), "otf": np.ones((2, 3)), "gain": np.ones((2, 4))}
    write_h5(tmp_path / "a.h5", stored)
    write_h5(tmp_path / "b.h5", {"ksp": np.ones((2, 3)), "otf": np.ones((2, 3))})
    data = SystemDataset(tmp_path, ("otf", "gain"), optional=("gain",))
    assert ["gain" in data[i] for i in range(4)] == [True, True, False, False]
    assert data.groups().tolist() == [0, 0, 1, 1]  # they cannot be in a batch together
    bad = write_h5(tmp_path / "c.h5", {"ksp": np.ones((2, 3))})
    with pytest.raises(KeyError, match=r"must have the keys ksp, otf for .*Missing: otf"):
        SystemDataset(bad, ("otf", "gain"), optional=("gain",))


def test_batches_may_mix_numbers_of_coils(tmp_path):
    for name, n_coils in (("a", 3), ("b", 5)):
        maps, ksp = np.ones((2, n_coils, 6, 5)) + 0j, np.ones((2, n_coils, 4, 7)) + 0j
        maps[:, 2] = ksp[:, 2] = 0
        write_h5(tmp_path / f"{name}.h5", {"ksp": ksp, "maps": maps, "traj": np.ones((2, 4, 7, 2))})
    system = SystemFactory("NonCartesianMRI", {"n_sample_axes": 2})
    path = str(tmp_path)
    data = ReconData(path, path, path, batch_size=4, num_workers=0, seed=0)
    data.system = system
    (batch,) = data.train_dataloader()
    assert batch["y"].shape == (4, 4, 4, 7)  # the coil that is zero is left out
    assert batch["maps"].shape == (4, 4, 6, 5)
    assert system(batch).in_shape == (6, 5)


@pytest.mark.parametrize("sets", [False, True])
def test_coils_are_those_of_the_maps_whatever_the_measurements_look_like(sets):
    maps = torch.zeros(*((2,) if sets else ()), 3, 6, 5, dtype=torch.complex64)
    maps[..., :2, :, :] = 1
    system = SystemFactory("NonCartesianMRI", {"sets": sets})
    item = {"maps": maps, "y": torch.ones(3, 20), "traj": torch.zeros(20, 2)}
    batch = collate([item], system.coil_axis)
    assert batch["y"].shape == (1, 2, 20)
    assert batch["maps"].shape == (1, *maps.shape[:-3], 2, 6, 5)


def test_deepinpys_coordinates_are_read_as_a_trajectory(tmp_path):
    rng = np.random.default_rng(0)
    traj = rng.uniform(-np.pi, np.pi, (2, 9, 2))
    units = traj / (2 * np.pi) * [6, 5]  # SigPy's: -N/2 to N/2 along each axis
    stored = {"ksp": np.ones((2, 3, 9)) + 0j, "maps": np.ones((2, 3, 6, 5)) + 0j}
    own = SystemDataset(write_h5(tmp_path / "a.h5", {**stored, "traj": traj}), ("maps", "traj"))
    old = SystemDataset(write_h5(tmp_path / "b.h5", {**stored, "masks": units}), ("maps", "traj"))
    torch.testing.assert_close(old[1]["traj"], own[1]["traj"])


@pytest.mark.parametrize(("name", "value"), [("limit", 0), ("limit", -2), ("stdev", -0.1)])
def test_numbers_out_of_range_are_refused(tmp_path, name, value):
    path = write_h5(tmp_path / "a.h5", arrays())
    with pytest.raises(ValueError, match=f"SystemDataset: `{name}` must .* got {value}"):
        SystemDataset(path, ("otf",), **{name: value})


def test_a_data_set_is_made_once_until_its_limit_changes(tmp_path):
    path = str(write_h5(tmp_path / "a.h5", arrays()))
    data = ReconData(path, path, path)
    data.system = SystemFactory("Convolution", {})
    first = data.dataset("val")
    assert data.dataset("val") is first
    assert data.dataset("test") is not first
    data.limits["val"] = 1
    assert len(data.dataset("val")) == 1


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
    data.system = SystemFactory("Convolution")
    batch = next(iter(data.train_dataloader()))
    assert batch["otf"].shape == (2, 6, 5)
    with h5py.File(path) as file:
        assert len(data.dataset("val")) == len(file["ksp"])


@system
class Aperture(LinearSystem):
    """A system of another kind, whose array happens to be called `mask`."""

    mask: object


def test_a_system_is_not_taken_for_cartesian_mri_by_its_field_names(tmp_path):
    path = str(write_h5(tmp_path / "a.h5", {**arrays(), "mask": np.ones((3, 4, 6, 5))}))
    data = ReconData(path, path, path, num_workers=0, seed=0)
    data.system = SystemFactory(f"{__name__}.Aperture")
    batch = next(iter(data.train_dataloader()))
    assert batch["mask"].shape == (1, 4, 6, 5)
    assert batch["y"].shape == (1, 7)


def test_options_of_cartesian_mri_are_refused(tmp_path):
    path = str(write_h5(tmp_path / "a.h5", arrays()))
    data = ReconData(path, path, path, augment=True, maps="espirit")
    data.system = SystemFactory("Convolution")
    with pytest.raises(ValueError, match=r"augment, maps must be left out for a system of .* otf"):
        data.dataset("train")
