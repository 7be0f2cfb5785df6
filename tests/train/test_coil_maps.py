"""Coil maps of a scan: how large a centre a trajectory measures."""

import numpy as np
import pytest

from reconic.train.coil_maps import _sampled_side, read_maps


@pytest.mark.parametrize(("extent", "side"), [(3, 8), (8, 16), (11, 22), (20, 24)])
def test_centre_of_samples_on_a_grid(extent, side):
    """Samples at the integers up to an extent, in 1/fov."""
    k = np.arange(-extent, extent + 1)
    grid = np.stack(np.meshgrid(k, k), -1).reshape(-1, 2) * 2 * np.pi / (64, 48)
    assert _sampled_side(grid, (64, 48)) == side


@pytest.mark.parametrize("n_spokes", [16, 24])
def test_centre_of_spokes_ends_where_they_are_too_far_apart(n_spokes):
    angle = np.arange(n_spokes) * np.pi / n_spokes
    radius = np.linspace(-np.pi, np.pi, 256)
    spokes = radius[:, None, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    side = _sampled_side(spokes.reshape(-1, 2), (64, 64))
    farthest = np.sqrt(0.5) / np.sin(np.pi / 2 / n_spokes)  # where the middle of a gap is that far
    assert farthest - 2 < side / 2 < farthest + 2  # of the points of a grid not all are in a middle


@pytest.mark.parametrize("shape", [(4, 8, 6), (2, 4, 8, 6)])  # (coil, ny, nx), and two sets
def test_maps_of_a_scan(tmp_path, shape):
    np.save(tmp_path / "maps.npy", np.ones(shape, complex))
    assert read_maps(str(tmp_path / "maps.npy"), (4, 8, 6)).shape == shape


def test_maps_that_frames_share(tmp_path):
    np.save(tmp_path / "maps.npy", np.ones((4, 1, 8, 6), complex))
    assert read_maps(str(tmp_path / "maps.npy"), (4, 5, 8, 6)).shape == (4, 1, 8, 6)


@pytest.mark.parametrize("shape", [(3, 8, 6), (1, 8, 6), (4, 8, 1), (8, 6), (1, 2, 4, 8, 6)])
def test_maps_of_another_scan(tmp_path, shape):
    np.save(tmp_path / "maps.npy", np.ones(shape, complex))
    with pytest.raises(ValueError, match=r"must have shape \(\[set,\] 4, 8, 6\)"):
        read_maps(str(tmp_path / "maps.npy"), (4, 8, 6))
