"""Shepp-Logan against the table of ellipses: values at known points and the integral."""

import numpy as np
import pytest

from reconic.simulate import shepp_logan


def _value(image, x, y):
    ny, nx = image.shape
    return image[round((1 - y) * ny / 2 - 0.5), round((1 + x) * nx / 2 - 0.5)]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0.0, 0.0, 0.2),  # brain: 1 - 0.8
        (0.0, 0.9, 1.0),  # skull
        (0.22, 0.0, 0.0),  # right ventricle: 1 - 0.8 - 0.2
        (-0.22, 0.0, 0.0),
        (0.14, -0.25, 0.0),  # its lower end leans inwards ...
        (0.30, -0.25, 0.2),  # ... and not outwards
        (0.0, 0.5, 0.3),
        (0.0, 0.1, 0.3),
        (-0.08, -0.605, 0.3),
        (0.95, 0.95, 0.0),
    ],
)
def test_value_is_the_sum_of_the_ellipses_there(x, y, expected):
    assert _value(shepp_logan((400, 400)), x, y) == pytest.approx(expected, abs=1e-6)


def test_integral_is_that_of_the_ellipses():
    # sum of intensity * pi * a * b over the area 4 of the grid
    table = [(1, 0.69, 0.92), (-0.8, 0.6624, 0.874), (-0.2, 0.11, 0.31), (-0.2, 0.16, 0.41),
             (0.1, 0.21, 0.25), (0.1, 0.046, 0.046), (0.1, 0.046, 0.046), (0.1, 0.046, 0.023),
             (0.1, 0.023, 0.023), (0.1, 0.023, 0.046)]  # fmt: skip
    expected = sum(v * np.pi * a * b for v, a, b in table) / 4
    # pixels on an edge are in or out: their errors cancel to about perimeter^0.5 / n^1.5
    assert shepp_logan((600, 600)).mean() == pytest.approx(expected, abs=5e-4)


def test_volume_integral_is_that_of_the_ellipsoids():
    table = [(1, 0.69, 0.92, 0.81), (-0.8, 0.6624, 0.874, 0.78), (-0.2, 0.11, 0.31, 0.22),
             (-0.2, 0.16, 0.41, 0.28), (0.1, 0.21, 0.25, 0.41)]  # fmt: skip
    small = 0.1 * (
        2 * 0.046**2 * 0.05 + 0.046 * 0.023 * 0.05 + 0.023**2 * 0.02 + 0.023 * 0.046 * 0.02
    )
    expected = 4 / 3 * np.pi * (sum(v * a * b * c for v, a, b, c in table) + small) / 8
    assert shepp_logan((96, 96, 96)).mean() == pytest.approx(expected, abs=2e-3)


def test_volume_is_the_image_at_its_equator_away_from_the_ellipsoids_that_lie_elsewhere():
    volume, image = shepp_logan((101, 64, 64))[50], shepp_logan((64, 64))
    same = np.abs(volume - image) < 1e-6
    assert same[:, :22].all()
    assert same[:, 42:].all()


@pytest.mark.parametrize("shape", [(8,), (2, 2, 2, 2), (0, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"shepp_logan: `shape` must be \(ny, nx\)"):
        shepp_logan(shape)
