"""The Cartesian centre of non-Cartesian k-space, against the transform of a known image."""

import numpy as np
import pytest
from tiny import centred_fft, tiny_arrays

pytest.importorskip("finufft")

from reconic._array import from_numpy, to_numpy
from reconic.calibrate import cartesian_centre, espirit
from reconic.simulate.trajectories import radial
from reconic.systems import NonCartesianMRI

SHAPE = (48, 40)


@pytest.fixture(scope="module")
def arrays():
    return tiny_arrays(1, shape=SHAPE, centre=16)


def acquired(arrays, traj):
    A = NonCartesianMRI(arrays["maps"][0], traj)
    return A(arrays["imgs"][0])


@pytest.fixture(scope="module")
def traj():
    return radial(48, 96).reshape(-1, 2).astype(np.float32)


def middle(a, n):
    return a[..., 24 - n // 2 : 24 - n // 2 + n, 20 - n // 2 : 20 - n // 2 + n]


def test_is_that_of_the_image(arrays, traj, like):
    found = cartesian_centre(
        from_numpy(acquired(arrays, traj), like), from_numpy(traj, like), SHAPE, 12
    )
    found = to_numpy(found)
    assert found.shape == (4, *SHAPE)
    assert found.dtype == np.complex64
    want = middle(centred_fft(arrays["maps"][0] * arrays["imgs"][0]), 12)
    error = np.linalg.norm(middle(found, 12) - want) / np.linalg.norm(want)
    assert error < 0.05  # samples beyond the centre reach into it a little
    assert np.count_nonzero(found) == 4 * 12 * 12


def test_maps_from_it_are_nearly_those_of_a_cartesian_scan(arrays, traj):
    centre = cartesian_centre(acquired(arrays, traj), traj, SHAPE, 16)
    cartesian = centred_fft(arrays["maps"][0] * arrays["imgs"][0]).astype(np.complex64)
    found, want = (espirit(y, 16) for y in (centre, cartesian))
    inside = np.all([np.any(m, axis=0) for m in (found, want)], axis=0)
    assert inside.mean() > 0.4
    likeness = np.abs(np.sum(np.conj(found) * want, axis=0))[inside]
    assert likeness.mean() > 0.995  # 1 where both are the same up to a phase


def test_stack_of_stars(arrays, traj, rng):
    image = np.stack([arrays["imgs"][0], 2j * arrays["imgs"][0], 0 * arrays["imgs"][0]])
    maps = np.repeat(arrays["maps"][0][:, None], 3, axis=1)
    y = NonCartesianMRI(maps, traj, n_space=3)(image)
    found = cartesian_centre(y, traj, (3, *SHAPE), 12)
    one = cartesian_centre(acquired(arrays, traj), traj, SHAPE, 12)
    weights = np.fft.fftshift(np.fft.fft(np.fft.ifftshift([1, 2j, 0]), norm="ortho"))
    want = weights[:, None, None] * one[:, None]
    # each plane by itself is the same problem, up to where its iterations stop
    assert np.linalg.norm(found - want) < 1e-3 * np.linalg.norm(want)


def test_bad_arguments(arrays, traj):
    y = acquired(arrays, traj)
    with pytest.raises(ValueError, match="`n_calib` must be positive, got 0"):
        cartesian_centre(y, traj, SHAPE, 0)
    outside = np.linalg.norm(traj, axis=-1) > 2.8
    with pytest.raises(ValueError, match="must have samples in the central 20 x 20 of k-space"):
        cartesian_centre(y[:, outside], traj[outside], SHAPE, 12)
