"""Coil maps: the law of Biot and Savart on a loop's axis and far away, and their normalisation."""

import numpy as np
import pytest

from reconic.simulate import coil_maps
from reconic.simulate.coils import _SOFTENING, GEOMETRIES, _loop_field


@pytest.mark.parametrize("geometry", [*GEOMETRIES, "random"])
@pytest.mark.parametrize("shape", [(40, 32), (31, 45), (10, 14, 12)])
@pytest.mark.parametrize("n_coils", [1, 2, 8, 17])
def test_sum_of_squares_is_one(shape, n_coils, geometry):
    maps = coil_maps(shape, n_coils, np.random.default_rng(0), geometry)
    assert maps.shape == (n_coils, *shape)
    assert maps.dtype == np.complex64
    np.testing.assert_allclose(np.sum(np.abs(maps) ** 2, axis=0), 1, atol=1e-5)


def test_maps_are_zero_outside_the_support_alone():
    support = np.zeros((24, 20))
    support[5:15, 4:18] = 1
    maps = coil_maps((24, 20), 4, np.random.default_rng(1), support=support)
    np.testing.assert_allclose(np.sum(np.abs(maps) ** 2, axis=0), support, atol=1e-5)


def test_field_on_the_axis_is_the_closed_form():
    # 2 pi a^2 / (a^2 + d^2)^1.5 along the axis, with the wire's cover added to the distance
    a, d = 0.5, np.array([0.0, 0.4, 1.3])
    points = np.stack([d, np.zeros(3), np.zeros(3)], axis=-1)
    field = _loop_field(points, np.zeros(3), np.array([1.0, 0.0, 0.0]), a)
    expected = 2 * np.pi * a**2 / (a**2 + d**2 + _SOFTENING**2) ** 1.5
    np.testing.assert_allclose(field, expected, rtol=1e-12, atol=1e-12)


def test_field_far_away_is_that_of_a_dipole():
    # (3 (m.u) u - m) / r^3 with m = pi a^2 normal; the next term is (a / r)^2 smaller
    a, r = 0.1, 5.0
    u = np.array([np.cos(0.7), np.sin(0.7), 0.0])
    m = np.pi * a**2 * np.array([1.0, 0.0, 0.0])
    dipole = (3 * (m @ u) * u - m) / r**3
    field = _loop_field(r * u[None], np.zeros(3), np.array([1.0, 0.0, 0.0]), a)[0]
    assert field == pytest.approx(dipole[0] - 1j * dipole[1], rel=5e-3)


def test_maps_are_smooth_and_differ_between_coils():
    maps = coil_maps((96, 80), 8, np.random.default_rng(2), "ring")
    assert np.abs(np.diff(maps, axis=-1)).max() < 0.2
    gram = np.einsum("cyx,dyx->cd", maps, maps.conj()) / (96 * 80)
    values = np.linalg.eigvalsh(gram)
    assert values[-1] < 0.9 * values.sum()  # no coil is a copy of another


def test_one_seed_one_set_of_maps():
    first, second = (coil_maps((20, 16), 3, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - coil_maps((20, 16), 3, np.random.default_rng(5))).max() > 0.1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (8,)}, "`shape` must have two or three axes"),
        ({"n_coils": 0}, "`n_coils` must be at least 1, got 0"),
        ({"geometry": "birdcage"}, "`geometry` must be one of ring, array, jittered, random"),
        ({"support": np.ones((3, 3))}, r"`support` must have shape \(8, 8\), got \(3, 3\)"),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    arguments = {"shape": (8, 8), "n_coils": 2, "rng": np.random.default_rng(0), **kwargs}
    with pytest.raises(ValueError, match=f"coil_maps: {message}"):
        coil_maps(**arguments)
