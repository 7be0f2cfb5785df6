"""Phase is a pure phase, smooth, and of varying strength."""

import numpy as np
import pytest

from reconic.simulate import random_phase


@pytest.mark.parametrize("shape", [(40, 32), (9, 12, 10)])
def test_magnitude_is_one(shape):
    phase = random_phase(shape, np.random.default_rng(0))
    assert phase.dtype == np.complex64
    np.testing.assert_allclose(np.abs(phase), np.ones(shape), atol=1e-6)


def test_neighbours_agree_and_strength_varies():
    turns = []
    for seed in range(40):
        phase = random_phase((192, 160), np.random.default_rng(seed), p_local=0.0)
        step = np.angle(phase[1:] * phase[:-1].conj())
        assert np.abs(step).max() < 0.5  # radians: far from wrapping
        turns.append(np.abs(step.sum(axis=0)).mean())
    assert min(turns) < 1 < 4 < max(turns)


def test_spots_are_sharper_than_the_rest():
    def steepest(p_local):
        phase = random_phase((192, 160), np.random.default_rng(5), p_local=p_local)
        return np.abs(np.angle(phase[1:] * phase[:-1].conj())).max()

    assert steepest(1.0) > 2 * steepest(0.0)
