import numpy as np
import pytest

from reconic.systems import CartesianMRI


def sense(maps, mask, x):
    """Oracle: coil by coil, with NumPy's shifted FFT."""
    axes = tuple(range(-mask.ndim, 0))
    coils = np.fft.ifftshift(maps * x, axes=axes)
    return mask * np.fft.fftshift(np.fft.fftn(coils, axes=axes, norm="ortho"), axes=axes)


@pytest.mark.parametrize("shape", [(8, 6), (7, 5), (4, 5, 6)])
def test_forward_is_sense(normal, rng, shape):
    maps, x = normal(3, *shape), normal(*shape)
    mask = (rng.random(shape) > 0.5) * 1.0
    A = CartesianMRI(maps, mask, n_space=len(shape))
    np.testing.assert_allclose(A(x), sense(maps, mask, x), atol=1e-13)


def test_frames_and_sets(normal, rng):
    maps, x = normal(2, 3, 1, 6, 5), normal(2, 4, 6, 5)  # set, coil, frame, y, x
    mask = (rng.random((4, 6, 5)) > 0.5) * 1.0
    A = CartesianMRI(maps, mask, n_frame_axes=1, sets=True)
    assert (A.in_shape, A.out_shape) == ((2, 4, 6, 5), (3, 4, 6, 5))
    for t in range(4):
        want = sum(sense(maps[s, :, 0], mask[t], x[s, t]) for s in range(2))
        np.testing.assert_allclose(A(x)[:, t], want, atol=1e-13)


def test_each_sample_has_its_own_maps_and_mask(normal, rng):
    maps, x = normal(2, 3, 6, 5), normal(2, 6, 5)
    mask = (rng.random((2, 6, 5)) > 0.5) * 1.0
    y = CartesianMRI(maps, mask)(x)
    for i in range(2):
        np.testing.assert_allclose(y[i], sense(maps[i], mask[i], x[i]), atol=1e-13)


def test_a_mask_of_length_one_is_the_mask_repeated(normal, rng):
    maps, x = normal(3, 6, 7), normal(6, 7)
    line = (rng.random((1, 7)) > 0.5) * 1.0
    full = CartesianMRI(maps, np.repeat(line, 6, axis=0))
    short = CartesianMRI(maps, line)
    np.testing.assert_allclose(short(x), full(x), atol=1e-13)
    np.testing.assert_allclose(short.normal(x), full.normal(x), atol=1e-13)


def test_fully_sampled_with_unit_maps_is_an_isometry(normal):
    maps = normal(4, 7, 6)
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    x = normal(7, 6)
    np.testing.assert_allclose(CartesianMRI(maps, np.ones((7, 6))).normal(x), x, atol=1e-13)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"maps": np.ones((4, 8, 6))}, TypeError, r"`maps` must be complex, got float64"),
        ({"mask": np.ones((8, 6), complex)}, TypeError, r"`mask` must be real, got complex128"),
        ({"mask": np.ones((8, 6), bool)}, TypeError, r"`mask` must be real, got bool"),
        ({"mask": np.ones((8, 5))}, ValueError, r"`mask` .* \(\*batch, 8, 6\).*got \(8, 5\)"),
        ({"mask": np.ones(6)}, ValueError, r"got \(6,\)"),
        ({"maps": np.ones((8, 6), complex)}, ValueError, r"`maps` must have shape .*got \(8, 6\)"),
        ({"n_space": 1}, ValueError, r"`n_space` must be 2 or 3, got 1"),
    ],
)  # fmt: skip
def test_messages(rng, change, kind, message):
    fields = {"maps": np.ones((4, 8, 6), complex), "mask": np.ones((8, 6)), **change}
    with pytest.raises(kind, match=message):
        CartesianMRI(**fields)
