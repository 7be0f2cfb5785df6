"""An example is what its docstring says: the forward model, the noise, the mask."""

import numpy as np
import pytest

from reconic.simulate import random_example
from reconic.simulate.example import object_support, random_mask


def _example(seed, shape=(48, 40), n_coils=3, **kwargs):
    arguments = {"source": "shepp-logan", "photos": 0.0, **kwargs}
    return random_example(np.random.default_rng(seed), shape, n_coils, **arguments)


def _fft(x):
    """Centred orthonormal transform, by plain numpy."""
    x = np.fft.ifftshift(x, axes=(-2, -1))
    return np.fft.fftshift(np.fft.fft2(x, norm="ortho"), axes=(-2, -1))


@pytest.mark.parametrize("shape", [(48, 40), (45, 51)])
def test_shapes_and_types(shape):
    example = _example(0, shape, 3)
    assert {k: (v.shape, v.dtype) for k, v in example.items()} == {
        "img": (shape, np.complex64),
        "maps": ((3, *shape), np.complex64),
        "mask": (shape, np.float32),
        "ksp": ((3, *shape), np.complex64),
        "noise_std": ((), np.float32),
    }


@pytest.mark.parametrize("seed", range(4))
def test_measurements_are_the_forward_model_and_noise_on_the_mask(seed):
    e = _example(seed, noise=(0.02, 0.05))
    residual = e["ksp"] - e["mask"] * _fft(e["maps"] * e["img"])
    assert not residual[:, e["mask"] == 0].any()
    noise = residual[:, e["mask"] == 1]
    # |n|^2 is exponential: five deviations of its mean over that many samples
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(
        float(e["noise_std"]) ** 2, rel=5 * noise.size**-0.5
    )


def test_scale_noise_phase_and_acceleration_vary_within_their_ranges():
    examples = [_example(s, noise=(0.01, 0.1), acceleration=(2.0, 5.0)) for s in range(30)]
    peaks = np.array([np.abs(e["img"]).max() for e in examples])
    levels = np.array([e["noise_std"] for e in examples]) / peaks
    factors = np.array([e["mask"].size / e["mask"].sum() for e in examples])
    assert 0.3 < peaks.min() < 0.6 < 1.8 < peaks.max() < 3.2
    # the peak may lose a little where the support is cut
    assert 0.0099 < levels.min() < 0.03 < levels.max() < 0.12
    assert 1.9 < factors.min() < factors.max() < 5.3


def test_maps_are_either_everywhere_or_zero_around_the_object():
    energies = [np.sum(np.abs(_example(s)["maps"]) ** 2, axis=0) for s in range(12)]
    for energy in energies:
        np.testing.assert_allclose(energy[energy > 0], 1, atol=1e-5)
    filled = [(energy > 0).all() for energy in energies]
    assert 0 < sum(filled) < len(filled)


def test_one_seed_one_example():
    first, second = _example(5), _example(5)
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])


def test_photographs_and_template_serve_too():
    pytest.importorskip("nilearn", reason="the template ships inside nilearn")
    pytest.importorskip("skimage", reason="the photographs ship inside scikit-image")
    for seed in range(6):
        e = _example(seed, source="mni152", photos=0.5)
        assert np.isfinite(e["ksp"]).all()
        assert np.abs(e["img"]).max() > 0


def test_masks_come_in_every_kind_and_direction():
    kinds = set()
    for seed in range(40):
        mask = random_mask((64, 60), np.random.default_rng(seed), (4.0, 4.0))
        assert mask.size / mask.sum() == pytest.approx(4, rel=0.03)
        assert mask[32, 30]
        kinds.add((bool((mask == mask[:, :1]).all()), bool((mask == mask[:1]).all())))
    assert kinds == {(True, False), (False, True), (False, False)}


def test_support_fills_holes_and_adds_a_margin():
    image = np.zeros((40, 40))
    image[10:30, 10:30] = 1
    image[16:24, 16:24] = 0
    support = object_support(image, 3)
    assert support[20, 20]
    assert support[7, 20]
    assert not support[2, 20]
