import numpy as np
import pytest

from reconic._array import from_numpy
from reconic.systems import NonCartesianMRI
from reconic.systems.trajectory import check_trajectory, trajectory_unit

SHAPE = (32, 24)


@pytest.fixture
def radial():
    angle, along = np.pi * np.arange(9)[:, None] / 9, 2 * np.pi * (np.arange(64) - 32) / 64
    return np.stack([along * np.sin(angle), along * np.cos(angle)], axis=-1)


def units(radial):
    return {
        "rad/voxel": radial,
        "cycles/voxel": radial / (2 * np.pi),
        "-N/2…N/2": radial / (2 * np.pi) * SHAPE,
        None: 10 * radial * SHAPE,
    }


@pytest.mark.parametrize("unit", ["rad/voxel", "cycles/voxel", "-N/2…N/2", None])
def test_units_are_recognised(radial, like, unit):
    traj = from_numpy(units(radial)[unit], like)
    assert trajectory_unit(traj, SHAPE) == unit


@pytest.mark.parametrize(
    ("unit", "fix"),
    [
        ("cycles/voxel", "looks like cycles/voxel: multiply by 2π"),
        ("-N/2…N/2", "looks like -N/2…N/2: multiply by 2π/N"),
        (None, r"Convert it to rad/voxel of an image of shape \(32, 24\)"),
    ],
)
def test_another_unit_is_named_with_what_to_do(radial, normal, unit, fix):
    maps = normal(2, *SHAPE)
    with pytest.raises(ValueError, match=f"NonCartesianMRI: `traj` must be in rad/voxel.*{fix}"):
        NonCartesianMRI(maps, units(radial)[unit], n_sample_axes=2)


@pytest.mark.parametrize("scale", [1.0, 1.04, 0.3, 0.2, 0.1, 0.01, 0.0])
def test_low_resolution_and_delays_are_no_mistake(radial, scale):
    check_trajectory("here", scale * radial, SHAPE)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_named(radial, like, bad):
    radial[3, 5, 0] = bad
    with pytest.raises(ValueError, match="here: `traj` must be finite"):
        check_trajectory("here", from_numpy(radial, like), SHAPE)


def test_traced_values_are_not_looked_at(radial, normal):
    jax = pytest.importorskip("jax")
    maps = jax.numpy.asarray(normal(2, *SHAPE))
    make = jax.jit(lambda k: NonCartesianMRI(maps, k, n_sample_axes=2).traj)
    np.testing.assert_array_equal(make(9 * radial), 9 * radial)


def test_meta_tensors_have_no_values(radial, normal):
    torch = pytest.importorskip("torch")
    A = NonCartesianMRI(torch.tensor(normal(2, *SHAPE)), torch.tensor(radial), n_sample_axes=2)
    assert A.to("meta").traj.device.type == "meta"
