"""Trajectories on grids, against hand-counted ones."""

import numpy as np
import pytest

from reconic.simulate import koosh_ball, radial
from reconic.view.paths import Acquired, Paths


def cell(j, n=8):
    """Coordinate of cell j of n."""
    return 2 * np.pi * (j - n // 2) / n


def test_samples_fall_into_their_cells():
    traj = np.array([[[cell(1), cell(6)], [cell(1), cell(6)]], [[cell(4), cell(4)], [np.pi, 0]]])
    density = Paths.of(traj, 8).density()
    wanted = np.zeros((8, 8))
    wanted[1, 6], wanted[4, 4], wanted[7, 4] = 2, 1, 1  # π is the end of the grid
    assert np.array_equal(density, wanted)


def test_lines_join_samples_and_the_first_counts():
    down = [[cell(0), cell(3)], [cell(7), cell(3)]]
    across = [[cell(5), cell(0)], [cell(5), cell(7)]]
    first = Paths.of(np.array([down, across]), 8).first_visits()
    wanted = np.zeros((8, 8))
    wanted[5] = 2
    wanted[:, 3] = 1
    assert np.array_equal(first, wanted)


def test_without_spokes_samples_are_not_joined():
    first = Paths.of(np.array([[cell(0), cell(0)], [cell(7), cell(7)]]), 8).first_visits()
    assert np.count_nonzero(first) == 2
    assert first.max() == 2


def test_frames_follow_each_other():
    paths = Paths.of(radial(5, 16, n_frames=3))
    assert paths.points.shape == (15, 16, 2)


def test_acquired_shows_more_and_more():
    first = np.array([[0, 1, 2], [3, 3, 1]], np.float32)
    grown = Acquired(first, 3)
    assert grown.shape == (3, 2, 3)
    for i in range(3):
        wanted = np.where(first <= i + 1, first, 0)
        assert np.array_equal(grown[i, slice(None), slice(None)], wanted)
    assert np.array_equal(grown[slice(None), 1, 0], [0, 0, 3])
    many = Acquired(np.arange(1000.0).reshape(10, 100), 999)
    assert many.shape[0] == 64
    assert many[63, slice(None), slice(None)].max() == 999


def test_three_dimensions():
    first = Paths.of(koosh_ball(20, 32), 24).first_visits()
    assert first.shape == (24, 24, 24)
    assert first.max() == 20


def test_notes_tell_other_units_and_missing_samples():
    traj = radial(8, 32)
    assert Paths.of(traj).notes == ()
    assert "In cycles/voxel? Multiply by 2π." in Paths.of(traj / (2 * np.pi)).notes[0]
    assert "beyond π" in Paths.of(traj * 10).notes[0]
    assert Paths.of(traj[:1, 17]).notes == ()  # one sample may be anywhere
    traj[0, 0, 0] = np.nan
    assert Paths.of(traj).notes == ("1 of 256 samples are NaN or Inf: left out.",)
    assert Paths.of(traj).density().sum() == 255


@pytest.mark.parametrize("shape", [(4,), (4, 5, 4), (0, 2), (3, 0, 2)])
def test_shapes_are_checked(shape):
    with pytest.raises(ValueError, match=r"`traj` must have shape .* got \("):
        Paths.of(np.zeros(shape))


def test_complex_coordinates_are_refused():
    with pytest.raises(TypeError, match="`traj` must be real, got complex128"):
        Paths.of(np.zeros((4, 2), complex))
