"""What a browser is told of a scene, and the bytes of planes."""

import numpy as np
import pytest

from reconic import view
from reconic.view.payload import describe, part_bytes


def test_bytes_are_float32_the_real_parts_first(normal):
    x = normal(3, 4)
    found = np.frombuffer(part_bytes(x), "<f4").reshape(2, 3, 4)
    np.testing.assert_array_equal(found, np.stack([x.real, x.imag]).astype(np.float32))
    np.testing.assert_array_equal(np.frombuffer(part_bytes(x.real), "<f4"), found[0].ravel())
    assert np.isinf(np.frombuffer(part_bytes(np.array([[1e300]])), "<f4")).all()


def test_quantiles_are_of_all_layers_and_their_extremes(rng):
    a, b = rng.random((20, 20)), 2 + rng.random((20, 20))
    found = describe(view.compare([a, b]).scene)["quantiles"]["real"]
    places = np.linspace(0, 1, 1001)
    each = [np.quantile(x, places) for x in (a, b)]
    assert found["least"] == pytest.approx(each[0], rel=1e-5)  # six digits
    assert found["most"] == pytest.approx(each[1], rel=1e-5)
    assert (found["all"][0], found["all"][-1]) == pytest.approx((a.min(), b.max()), rel=1e-5)
    assert found["all"][500] == pytest.approx((a.max() + b.min()) / 2, abs=0.5)  # between them
