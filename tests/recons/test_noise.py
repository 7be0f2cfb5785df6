"""Noise level of weighted measurements."""

import numpy as np
import pytest
import torch

from reconic.calibrate import noise_std
from reconic.recons.noise import noise_level
from reconic.simulate import radial
from reconic.systems import CartesianMRI, NonCartesianMRI


def noise(*shape):
    torch.manual_seed(0)
    return torch.randn(*shape, dtype=torch.complex64)


def test_of_cartesian_data_is_that_of_k_space():
    mask = (torch.rand(2, 32, 24) < 0.5).float()
    A = CartesianMRI(torch.ones(2, 3, 32, 24, dtype=torch.complex64), mask)
    y = 0.7 * noise(2, 3, 32, 24) * mask[:, None]
    torch.testing.assert_close(noise_level(y, A, None), noise_std(y, 3))
    halved = A.masked(torch.full((1, 1, 1, 1), 0.5))  # as weights of the system and of its data
    torch.testing.assert_close(noise_level(0.5 * y, halved, None), noise_std(y, 3))


@pytest.mark.parametrize("weighted", [False, True])
def test_of_spokes_is_that_before_weights(weighted):
    traj = torch.tensor(radial(40, 64), dtype=torch.float32)
    dcf = traj.norm(dim=-1) if weighted else None  # zero at the centre: left out
    A = NonCartesianMRI(torch.ones(1, 3, 32, 32) + 0j, traj, dcf, n_sample_axes=2)
    y = A.weigh(0.7 * noise(1, 3, 40, 64))
    y = y + 100 * (A.radius(y) < 8)  # signal, where it is not looked for
    # the median of 1500 numbers scatters by 3 %
    assert noise_level(y, A, None).item() == pytest.approx(0.7, rel=0.1)


def test_radius_is_in_steps_of_the_grid_whatever_the_aspect():
    traj = torch.tensor(np.stack([np.pi * np.eye(2), np.full((2, 2), 0.25 * np.pi)]))
    A = NonCartesianMRI(torch.ones(3, 12, 8, dtype=torch.complex128), traj, n_sample_axes=2)
    y = torch.ones(3, 2, 2, dtype=torch.complex128)
    expected = [[6, 4], [np.hypot(1.5, 1), np.hypot(1.5, 1)]]
    np.testing.assert_allclose(A.radius(y)[0], expected)
    assert CartesianMRI(A.maps, torch.ones(12, 8)).radius(y) is None


def test_a_given_level_is_taken():
    A = CartesianMRI(torch.ones(2, 3, 8, 8, dtype=torch.complex64), torch.ones(8, 8))
    assert noise_level(noise(2, 3, 8, 8), A, 0.25).tolist() == [0.25, 0.25]
