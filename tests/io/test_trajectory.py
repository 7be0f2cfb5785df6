"""Trajectories from files: formats, units, axes, and what is refused."""

import shutil
import subprocess

import h5py
import numpy as np
import pytest

from reconic.io import Measurement, read_kspace, read_trajectory, with_trajectory, write_cfl
from reconic.io.trajectory import covered_shape, in_radians

SHAPE = (32, 24)


@pytest.fixture
def traj(rng):
    """(spoke, sample, 2) in cycles/voxel, from edge to edge."""
    k = rng.uniform(-0.5, 0.5, (5, 16, 2))
    k[0, 0] = -0.5
    return k


def test_units(traj):
    want = (2 * np.pi * traj).astype(np.float32)
    for unit, values in {
        "rad/voxel": 2 * np.pi * traj,
        "cycles/voxel": traj,
        "1/fov": traj * SHAPE,
    }.items():
        found = in_radians(values, SHAPE, unit)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, want, rtol=1e-6)


def test_the_last_axes_of_space_count_in_a_stack(traj):
    found = in_radians(traj * SHAPE, (7, *SHAPE), "1/fov")
    np.testing.assert_allclose(found, 2 * np.pi * traj, rtol=1e-6)


def test_npy_is_as_it_is(tmp_path, traj):
    np.save(tmp_path / "traj.npy", traj)
    found, unit = read_trajectory(tmp_path / "traj.npy")
    assert unit == "rad/voxel"
    np.testing.assert_array_equal(found, traj)


@pytest.mark.parametrize("shape", [(5, 16), (1, 16), (3, 5, 16), (3, 1, 16)])
@pytest.mark.parametrize("n", [2, 3])
def test_bart_has_x_first_and_frames_far_behind(tmp_path, rng, shape, n):
    k = rng.standard_normal((*shape, n)).astype(np.float32)
    bart = np.zeros((*shape, 3), np.complex64)
    bart[..., :n] = k[..., ::-1]
    frames = shape[:-2]
    lead = (*frames, *(1,) * 7) if frames else (1,)
    write_cfl(tmp_path / "traj.cfl", bart.reshape(*lead, *shape[-2:], 3))
    found, unit = read_trajectory(tmp_path / "traj.cfl")
    assert unit == "1/fov"
    samples = shape[1:] if shape == (1, 16) else shape
    np.testing.assert_array_equal(found, k.reshape(*samples, n))


@pytest.mark.skipif(shutil.which("bart") is None, reason="needs bart")
def test_bart_transforms_the_same_samples(tmp_path, rng):
    from reconic.systems import NonCartesianMRI

    image = rng.standard_normal((24, 24)) + 1j * rng.standard_normal((24, 24))
    write_cfl(tmp_path / "image.cfl", image)
    for line in ("traj -r -x 24 -y 7 traj", "nufft traj image ksp"):
        subprocess.run(["bart", *line.split()], cwd=tmp_path, check=True, capture_output=True)
    raw, unit = read_trajectory(tmp_path / "traj.cfl")
    assert covered_shape(raw) == (24, 24)
    traj = in_radians(raw, (24, 24), unit)
    scan = with_trajectory(read_kspace(tmp_path / "ksp.cfl"), traj)
    A = NonCartesianMRI(np.ones((1, 24, 24), np.complex64), traj, n_sample_axes=2)
    want = A(image.astype(np.complex64))
    assert scan.ksp.shape == want.shape == (1, 7, 24)
    inner = np.linalg.norm(traj, axis=-1) < 2.5  # bart's is far less accurate at the edge
    error = (scan.ksp - want)[:, inner]
    assert np.linalg.norm(error) < 1e-2 * np.linalg.norm(want[:, inner])


@pytest.mark.parametrize(
    ("ksp", "samples", "shape"),
    [
        ((4, 5, 16), (5, 16), (4, 5, 16)),
        ((4, 16, 1), (16,), (4, 16)),
        ((4, 1, 16), (16,), (4, 16)),
        ((4, 3, 5, 16), (3, 5, 16), (4, 3, 5, 16)),
        ((4, 6, 5, 16), (5, 16), (4, 6, 5, 16)),
        ((4, 3, 6, 5, 16), (3, 5, 16), (4, 3, 6, 5, 16)),
    ],
)
def test_kspace_takes_the_axes_of_the_samples(ksp, samples, shape):
    scan = Measurement(np.zeros(ksp, np.complex64), mask=np.zeros(ksp[1:]))
    found = with_trajectory(scan, np.zeros((*samples, 2), np.float32))
    assert found.ksp.shape == shape
    assert found.mask is None


@pytest.mark.parametrize("samples", [(6, 16), (5, 15), (16, 5), (3, 5, 16)])
def test_lengths_that_differ(samples):
    scan = Measurement(np.zeros((4, 5, 16), np.complex64))
    with pytest.raises(ValueError, match=r"must have the samples of k-space.*\(4, 5, 16\)"):
        with_trajectory(scan, np.zeros((*samples, 2), np.float32))


@pytest.mark.parametrize(
    ("change", "unit", "message"),
    [
        (lambda k: k, "rad/voxel", "Or give --traj_unit cycles/voxel"),
        (lambda k: k * SHAPE, "rad/voxel", "Or give --traj_unit 1/fov"),
        (lambda k: k * 100, "rad/voxel", "must be in rad/voxel"),
        (lambda k: k + np.nan, "rad/voxel", "`traj` must be finite"),
        (lambda k: k[..., :1], "rad/voxel", "last axis"),
        (lambda k: k + 0j, "rad/voxel", "must be real"),
    ],
)
def test_bad_values(traj, change, unit, message):
    with pytest.raises(ValueError, match=message):
        in_radians(change(traj), SHAPE, unit)


@pytest.mark.parametrize("shape", [(32,), (2, 2, 32, 24)])
def test_bad_shape(traj, shape):
    with pytest.raises(ValueError, match="`shape` must have 2 or 3 axes"):
        in_radians(traj, shape)


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="`traj` must be a file"):
        read_trajectory(tmp_path / "traj.npy")
    (tmp_path / "traj.npy").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"must be a whole \.npy file"):
        read_trajectory(tmp_path / "traj.npy")
    write_cfl(tmp_path / "maps.cfl", np.ones((4, 1, 8, 8)))
    with pytest.raises(ValueError, match="must be a trajectory"):
        read_trajectory(tmp_path / "maps.cfl")


@pytest.fixture
def arrays(rng, normal):
    return {
        "ksp": normal(2, 4, 5, 16).astype(np.complex64),
        "traj": rng.uniform(-3, 3, (2, 5, 16, 2)).astype(np.float32),
        "dcf": rng.random((2, 5, 16)).astype(np.float32),
        "maps": normal(2, 4, *SHAPE).astype(np.complex64),
        "imgs": normal(2, *SHAPE).astype(np.complex64),
    }


def written(path, arrays):
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
    return path


def test_hdf5_holds_the_trajectory(tmp_path, arrays):
    found = read_kspace(written(tmp_path / "scan.h5", arrays), 1)
    for name, key in {"reference": "imgs"}.items() | {
        (k, k) for k in ("ksp", "traj", "dcf", "maps")
    }:
        np.testing.assert_array_equal(getattr(found, name), arrays[key][1])
    assert found.mask is None


@pytest.mark.parametrize("key", ["dcf", "maps"])
def test_hdf5_shapes_that_differ(tmp_path, arrays, key):
    arrays[key] = arrays[key][..., 1:]
    with pytest.raises(ValueError, match=f"{key!r} must have shape"):
        read_kspace(written(tmp_path / "scan.h5", arrays))
