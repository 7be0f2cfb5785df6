"""Data sets: DeepInPy's layout, the same bits however made, never half-written or overwritten."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from reconic.operator import Identity
from reconic.simulate import Recipe, make_dataset
from reconic.simulate.dataset import write_examples
from reconic.solvers import cg
from reconic.systems import NonCartesianMRI

SMALL = {
    "source": "shepp-logan",
    "shape": (48, 40),
    "n_train": 4,
    "n_val": 1,
    "n_test": 2,
    "coils": (2, 4),
    "photos": 0.0,
    "progress": False,
    "processes": 1,
}


def _read(path):
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file}


def test_layout(tmp_path):
    files = make_dataset(tmp_path / "new" / "data", **SMALL)
    assert [p.name for p in files.values()] == ["train.h5", "val.h5", "test.h5"]
    with h5py.File(files["train"]) as file:
        found = {k: (d.shape, d.dtype, d.chunks) for k, d in file.items()}
        settings = json.loads(file.attrs["settings"])
    assert found == {
        "imgs": ((4, 48, 40), np.complex64, (1, 48, 40)),
        "maps": ((4, 4, 48, 40), np.complex64, (1, 4, 48, 40)),
        "masks": ((4, 48, 40), np.float32, (1, 48, 40)),
        "ksp": ((4, 4, 48, 40), np.complex64, (1, 4, 48, 40)),
        "noise_std": ((4,), np.float32, None),
    }
    assert settings["split"] == "train"
    assert settings["coils"] == [2, 4]


def test_shards_hold_the_examples_of_one_file(tmp_path):
    whole = _read(make_dataset(tmp_path, **SMALL)["train"])
    made = make_dataset(tmp_path, **SMALL, shards=3)
    assert made["train"] == tmp_path / "train"
    paths = sorted(made["train"].iterdir())
    assert [p.name for p in paths] == [f"train-000{i}.h5" for i in range(3)]
    parts = [_read(p) for p in paths]
    assert [len(p["ksp"]) for p in parts] == [1, 1, 2]
    for key, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([p[key] for p in parts]), values)
    before = [p.stat().st_mtime_ns for p in paths]
    paths[1].unlink()
    make_dataset(tmp_path, **SMALL, shards=3)  # the one that is missing is made again
    after = [p.stat().st_mtime_ns for p in paths]
    assert (before[0], before[2]) == (after[0], after[2])
    np.testing.assert_array_equal(_read(paths[1])["ksp"], parts[1]["ksp"])


@pytest.mark.parametrize("shards", [0, 5])
def test_shards_that_would_be_empty(tmp_path, shards):
    with pytest.raises(ValueError, match="from 1 to the number of training examples, 4, got"):
        make_dataset(tmp_path, **SMALL, shards=shards)


def test_files_of_another_number_of_shards_are_not_left_among_them(tmp_path):
    make_dataset(tmp_path, **SMALL, shards=3)
    with pytest.raises(FileExistsError, match=r"but its 2 files, got train-0002\.h5"):
        make_dataset(tmp_path, **SMALL, shards=2, overwrite=True)
    with pytest.raises(FileExistsError, match="made with other seed"):
        make_dataset(tmp_path, **SMALL, shards=3, seed=1)


def test_every_example_can_be_made_alone_and_missing_coils_are_zero(tmp_path):
    files = make_dataset(tmp_path, **SMALL, seed=3)
    recipe = Recipe("shepp-logan", "train", (48, 40), (2, 4), photos=0.0, seed=3)
    data = _read(files["train"])
    counts = set()
    for index in (3, 0, 2, 1):
        alone = recipe.example(index)
        n = alone["maps"].shape[0]
        counts.add(n)
        np.testing.assert_array_equal(data["imgs"][index], alone["img"])
        np.testing.assert_array_equal(data["maps"][index, :n], alone["maps"])
        np.testing.assert_array_equal(data["ksp"][index, :n], alone["ksp"])
        np.testing.assert_array_equal(data["masks"][index], alone["mask"])
        assert not data["maps"][index, n:].any()
        assert not data["ksp"][index, n:].any()
    assert len(counts) > 1


def test_number_of_processes_does_not_matter(tmp_path):
    recipe = Recipe("shepp-logan", "val", (48, 40), (2, 3), photos=0.0)
    for processes in (1, 2):
        write_examples({tmp_path / f"{processes}.h5": range(3)}, recipe, processes, progress=False)
    one, two = _read(tmp_path / "1.h5"), _read(tmp_path / "2.h5")
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])


def test_splits_and_seeds_differ_and_held_out_has_the_one_acceleration(tmp_path):
    files = make_dataset(tmp_path / "a", **SMALL)
    other = make_dataset(tmp_path / "b", **SMALL, seed=1)
    data = {split: _read(path) for split, path in files.items()}
    assert np.abs(data["val"]["imgs"][0] - data["test"]["imgs"][0]).max() > 0
    assert np.abs(data["test"]["imgs"] - _read(other["test"])["imgs"]).max() > 0
    factor = data["test"]["masks"][0].size / data["test"]["masks"].sum(axis=(1, 2))
    np.testing.assert_allclose(factor, 4.0, rtol=0.03)


def test_held_out_examples_show_the_volume_as_it_is_at_one_noise_level(tmp_path):
    files = make_dataset(tmp_path, **SMALL)
    settings = {}
    for split, path in files.items():
        with h5py.File(path) as file:
            settings[split] = json.loads(file.attrs["settings"])
    assert settings["train"]["plain"] < 1
    assert settings["train"]["noise"][0] < settings["train"]["noise"][1]
    for split in ("val", "test"):
        assert settings[split]["plain"] == 1
        assert settings[split]["photos"] == 0
        assert settings[split]["noise"] == [0.03, 0.03]
        data = _read(files[split])
        peak = np.abs(data["imgs"]).max(axis=(1, 2))
        # relative to the brightest pixel before the support and the shading of the phase: near it
        np.testing.assert_allclose(data["noise_std"] / peak, 0.03, rtol=0.05)


def test_splits_draw_from_streams_of_their_own():
    # the scale is drawn before anything that depends on the volume
    def peaks(split):
        recipe = Recipe("shepp-logan", split, (48, 40), (2, 2), photos=0.0)
        return [np.abs(recipe.example(index)["img"]).max() for index in range(3)]

    assert not np.isclose(peaks("val"), peaks("test"), rtol=0.02).any()


def test_own_volume(tmp_path, save_nifti, ellipsoid):
    files = make_dataset(tmp_path / "out", **{**SMALL, "source": save_nifti(ellipsoid), "n_val": 0})
    assert set(files) == {"train", "test"}
    with h5py.File(files["test"]) as file:
        settings = json.loads(file.attrs["settings"])
    assert settings["source"] == "head.nii.gz"  # a name and a checksum, no path of a machine
    assert len(settings["source_sha256"]) == 64


def test_same_settings_are_not_made_again_and_others_not_overwritten(tmp_path):
    path = make_dataset(tmp_path, **SMALL)["val"]
    before = path.stat().st_mtime_ns
    make_dataset(tmp_path, **SMALL)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(FileExistsError, match=r"train.h5, made with other seed. Pass overwrite"):
        make_dataset(tmp_path, **SMALL, seed=9)
    assert path.stat().st_mtime_ns == before
    make_dataset(tmp_path, **SMALL, seed=9, overwrite=True)
    assert path.stat().st_mtime_ns > before


def test_a_conflict_is_found_before_anything_is_made(tmp_path):
    (tmp_path / "test.h5").write_text("mine")
    with pytest.raises(FileExistsError, match=r"got .*test\.h5"):
        make_dataset(tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["test.h5"]


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    (tmp_path / "train.h5").write_text("mine")
    with pytest.raises(FileExistsError, match="must not hold other data"):
        make_dataset(tmp_path, **SMALL)
    assert (tmp_path / "train.h5").read_text() == "mine"


def test_nothing_is_left_of_a_file_that_failed(tmp_path, monkeypatch):
    calls = []

    def fail(self, index):
        calls.append(index)
        if index == 2:
            raise OSError("disk full")
        return {}

    monkeypatch.setattr(Recipe, "example", fail)
    with pytest.raises(OSError, match="disk full"):
        make_dataset(tmp_path, **SMALL)
    assert calls == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (8, 8)}, r"`shape` must be \(ny, nx\), each at least 32, for cartesian, got"),
        ({"coils": (4, 2)}, "`coils` must be a smallest and a largest value, 1 or more, got"),
        ({"accelerations": (0.5, 2)}, "`accelerations` must be a smallest"),
        ({"test_acceleration": 0.5}, "`test_acceleration` must be"),
        ({"noise": (0.0, 0.1)}, "`noise` must be"),
        ({"photos": 1.5}, "`photos` must be between 0 and 1, got 1.5"),
        ({"trajectory": "zigzag"}, "`trajectory` must be cartesian, radial, .* got 'zigzag'"),
        ({"trajectory": "radial", "spokes": 0}, "`spokes` must be at least 1, got 0"),
        ({"trajectory": "radial", "test_acceleration": 2}, "`accelerations` and `test_accel"),
        ({"spokes": 5}, "`spokes` must be left out for Cartesian masks, got 5"),
    ],
)
def test_bad_settings_are_named(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=f"make_dataset: {message}"):
        make_dataset(tmp_path, **{**SMALL, **kwargs})
    assert list(tmp_path.iterdir()) == []


def test_a_bad_source_fails_before_any_process_starts(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be mni152, shepp-logan or a NIfTI file"):
        make_dataset(tmp_path, **{**SMALL, "source": "nowhere.nii", "processes": 2})


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from reconic.simulate import make_dataset\n"
        f"make_dataset({str(tmp_path / 'out')!r}, 'shepp-logan', (48, 40), 3, 0, 0, photos=0.0,\n"
        "             processes=2, progress=False)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert run.returncode != 0
    assert (
        "RuntimeError: make_dataset: a process ended early. Call it below `if __name__"
        in run.stderr
    )
    assert list((tmp_path / "out").iterdir()) == []


RADIAL = {**SMALL, "trajectory": "radial", "spokes": 9}


def test_trajectories_have_a_layout_of_their_own_and_the_same_images(tmp_path):
    cartesian = _read(make_dataset(tmp_path / "a", **SMALL)["train"])
    files = make_dataset(tmp_path / "b", **RADIAL)
    data = _read(files["train"])
    assert {key: (v.shape, v.dtype) for key, v in data.items()} == {
        "imgs": ((4, 48, 40), np.complex64),
        "maps": ((4, 4, 48, 40), np.complex64),
        "ksp": ((4, 4, 9, 96), np.complex64),
        "traj": ((4, 9, 96, 2), np.float32),
        "dcf": ((4, 9, 96), np.float32),
        "noise_std": ((4,), np.float32),
    }
    for key in ("imgs", "maps"):  # what is drawn before the sampling
        np.testing.assert_array_equal(data[key], cartesian[key])
    with h5py.File(files["test"]) as file:
        settings = json.loads(file.attrs["settings"])
    assert settings["trajectory"] == "radial"
    assert settings["spokes"] == 9
    assert "accelerations" not in settings


def test_cartesian_settings_say_nothing_of_trajectories(tmp_path):
    with h5py.File(make_dataset(tmp_path, **SMALL)["val"]) as file:
        assert not {"trajectory", "spokes"} & set(json.loads(file.attrs["settings"]))


@pytest.mark.parametrize("trajectory", ["radial", "radial-linear", "spiral", "rosette", "epi"])
def test_samples_are_those_of_the_trajectory_with_noise(tmp_path, trajectory):
    settings = {**SMALL, "trajectory": trajectory, "spokes": 7, "n_train": 0, "n_val": 0}
    data = _read(make_dataset(tmp_path, **settings)["test"])
    y, x = np.meshgrid(np.arange(48) - 24, np.arange(40) - 20, indexing="ij")
    for i in range(2):
        k = data["traj"][i].reshape(-1, 2).astype(float)
        assert 0.9 * np.pi < np.abs(k).max() < 1.001 * np.pi
        waves = np.exp(-1j * (np.outer(k[:, 0], y.ravel()) + np.outer(k[:, 1], x.ravel())))
        coils = (data["maps"][i] * data["imgs"][i]).reshape(len(data["maps"][i]), -1)
        expected = coils @ waves.T / np.sqrt(48 * 40)
        used = np.abs(coils).max(axis=1) > 0
        noise = (data["ksp"][i].reshape(expected.shape) - expected)[used]
        assert not data["ksp"][i][~used].any()
        # |n|² is exponential: five deviations of its mean over that many samples
        assert np.mean(np.abs(noise) ** 2) == pytest.approx(
            float(data["noise_std"][i]) ** 2, rel=5 * noise.size**-0.5
        )
    assert (data["dcf"] > 0).all()
    assert not np.allclose(data["traj"][0], data["traj"][1])  # another first angle, or line


@pytest.mark.parametrize("trajectory", ["koosh-ball", "stack-of-stars", "stack-of-spirals"])
def test_samples_of_a_volume_are_those_of_the_trajectory_with_noise(tmp_path, trajectory):
    """Against the sum over voxels, at some of the samples; stacks are Cartesian along z."""
    settings = {**SMALL, "trajectory": trajectory, "spokes": 40, "n_train": 0, "n_val": 0}
    data = _read(make_dataset(tmp_path, **{**settings, "shape": (10, 20, 16)})["test"])
    shape, z = (10, 20, 16), np.arange(10) - 5
    r = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"))
    for i in range(2):
        traj, ksp = data["traj"][i].astype(float), data["ksp"][i]
        assert 0.9 * np.pi < np.abs(traj).max() < 1.001 * np.pi
        if trajectory == "koosh-ball":
            k = traj
        else:  # partitions before spokes
            planes = np.broadcast_to((2 * np.pi / 10 * z)[:, None, None, None], (10, *traj.shape))
            k = np.concatenate([planes[..., :1], np.broadcast_to(traj, planes.shape)], axis=-1)
        assert ksp.shape[1:] == k.shape[:-1]
        some = np.random.default_rng(i).integers(0, ksp[0].size, 300)
        waves = np.exp(-1j * k.reshape(-1, 3)[some] @ r.reshape(3, -1))
        coils = (data["maps"][i] * data["imgs"][i]).reshape(len(ksp), -1)
        used = np.abs(coils).max(axis=1) > 0
        noise = (ksp.reshape(len(ksp), -1)[:, some] - coils @ waves.T / np.sqrt(r[0].size))[used]
        assert np.mean(np.abs(noise) ** 2) == pytest.approx(
            float(data["noise_std"][i]) ** 2, rel=5 * noise.size**-0.5
        )
    assert (data["dcf"] > 0).all()
    assert data["dcf"].shape == data["traj"].shape[:-1]
    assert not np.allclose(data["traj"][0], data["traj"][1])  # another first angle


@pytest.mark.parametrize("trajectory", ["koosh-ball", "stack-of-stars", "stack-of-spirals"])
def test_a_simulated_volume_is_found_again(tmp_path, trajectory):
    n = 800 if trajectory == "koosh-ball" else 32  # spokes of 64 samples
    settings = {**SMALL, "trajectory": trajectory, "spokes": n, "test_noise": 1e-3}
    settings |= {"shape": (8, 32, 32), "n_train": 0, "n_val": 0}
    data = _read(make_dataset(tmp_path, **settings)["test"])
    x, maps, y, traj = (data[k][0] for k in ("imgs", "maps", "ksp", "traj"))
    A = NonCartesianMRI(maps, traj, n_space=3, n_sample_axes=2)
    dense = A.replace(dcf=data["dcf"][0])
    gridded = dense.H(dense.weigh(y))
    gridded = gridded * (np.vdot(gridded, x) / np.vdot(gridded, gridded))
    found = cg(A.N + 0.01 * Identity(A.in_shape), A.H(y), max_iter=20).x
    errors = [np.linalg.norm(z - x) / np.linalg.norm(x) for z in (found, gridded)]
    assert errors[0] < 0.25  # the corners of k-space are not measured
    assert errors[0] < errors[1] < 0.4


@pytest.mark.parametrize(
    ("trajectory", "shape", "message"),
    [
        (
            "koosh-ball",
            (48, 40),
            r"\(nz, ny, nx\), each at least 8, for koosh-ball, got \(48, 40\)",
        ),
        ("stack-of-stars", (4, 48, 40), r"each at least 8, for stack-of-stars"),
        (
            "radial",
            (8, 48, 40),
            r"\(ny, nx\), .* for radial, .* of 3-D images are koosh-ball, stack",
        ),
    ],
)
def test_shapes_are_those_of_the_trajectory(tmp_path, trajectory, shape, message):
    with pytest.raises(ValueError, match=message):
        make_dataset(tmp_path, **{**SMALL, "trajectory": trajectory, "shape": shape})


def test_number_of_processes_does_not_matter_with_trajectories(tmp_path):
    recipe = Recipe(
        "shepp-logan", "val", (48, 40), (2, 3), photos=0.0, trajectory="spiral", spokes=4
    )
    for processes in (1, 2):
        write_examples({tmp_path / f"{processes}.h5": range(3)}, recipe, processes, progress=False)
    one, two = _read(tmp_path / "1.h5"), _read(tmp_path / "2.h5")
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])


def test_another_trajectory_is_another_setting(tmp_path):
    make_dataset(tmp_path, **RADIAL)
    make_dataset(tmp_path, **RADIAL)
    with pytest.raises(FileExistsError, match=r"made with other spokes\. Pass overwrite"):
        make_dataset(tmp_path, **{**RADIAL, "spokes": 10})
