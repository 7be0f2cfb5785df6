import numpy as np
import pytest

from reconic.simulate.slabs import plain_slab
from reconic.simulate.volumes import Volume, load_volume

SHAPE = (6, 20, 16)


def ramp(along, axial_only=False):
    """A box of 40 × 50 × 60 voxels in air, brighter along one axis, from 1 to 2."""
    inner = np.ones((40, 50, 60), np.float32)
    n = inner.shape[along]
    inner += np.expand_dims(np.arange(n) / (n - 1), [a for a in range(3) if a != along])
    return Volume(np.pad(inner, 10), None, None, (1.0, 1.0, 2.0), axial_only)


def test_a_slab_is_of_a_part_of_the_head(rng):
    """Its slices get brighter by the twelfth part that it is thick; all of a thin volume by all."""
    middle = (slice(None), slice(8, 12), slice(6, 10))
    for thin, thickness in ((False, 0.08), (True, 1.0)):
        image = np.abs(plain_slab(ramp(2, thin), SHAPE, rng))[middle].mean(axis=(1, 2))
        inner = image[1:5]  # the ends ring: the object goes on beyond them
        assert np.all(np.diff(inner) > 0)
        step = (inner[-1] - inner[0]) / inner.mean() / (3 / 5)
        assert thickness / 2 < step < thickness  # the brightness is from 1 to 2


def test_slices_are_upright(rng):
    """Brighter to the front is brighter to the top of the image, as in slices."""
    image = np.abs(plain_slab(ramp(1), SHAPE, rng))
    assert np.all(image[:, 6, 8] > image[:, 13, 8])


def test_slabs_differ_and_are_scaled():
    volume = load_volume("shepp-logan", "train")
    a, b = (plain_slab(volume, (8, 32, 32), np.random.default_rng(s)) for s in (0, 1))
    for image in (a, b):
        assert image.shape == (8, 32, 32)
        assert image.dtype == np.complex64
        assert np.abs(image).max() == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(a - b) > 0.1 * np.linalg.norm(a)
