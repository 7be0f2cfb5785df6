import subprocess
import sys

import numpy as np
import pytest

from reconic import _array
from reconic._array import eigh, fftc, from_numpy, ifftc, to_numpy, transpose_linear


def shifted_fft(x, axes):
    """Oracle: NumPy's FFT between explicit shifts."""
    x = np.fft.ifftshift(x, axes=axes)
    return np.fft.fftshift(np.fft.fftn(x, axes=axes, norm="ortho"), axes=axes)


@pytest.mark.parametrize("shape", [(8, 6), (7, 9), (5, 4), (1, 3), (4, 5, 6), (3, 5, 7)])
def test_fftc_is_shifted_fft(like, normal, shape):
    x = normal(2, *shape)
    axes = tuple(range(-len(shape), 0))
    got = fftc(from_numpy(x, like), axes)
    np.testing.assert_allclose(to_numpy(got), shifted_fft(x, axes), atol=1e-13)  # ~50 eps
    np.testing.assert_allclose(to_numpy(ifftc(got, axes)), x, atol=1e-13)


@pytest.mark.parametrize("axes", [(-1,), (-2,), (0, 2), (1,)])
def test_fftc_over_some_axes(like, normal, axes):
    x = normal(3, 4, 5)
    got = to_numpy(fftc(from_numpy(x, like), axes))
    np.testing.assert_allclose(got, shifted_fft(x, axes), atol=1e-13)


def test_constant_image_is_one_sample_at_the_centre():
    y = fftc(np.ones((6, 5), dtype=complex), (-2, -1))
    assert y[3, 2] == pytest.approx(np.sqrt(30))
    y[3, 2] = 0
    assert np.abs(y).max() < 1e-14


@pytest.mark.parametrize("n", [6, 7])
def test_precision_is_kept(like, n):
    for kind in (np.complex64, np.complex128):
        x = from_numpy(np.ones((n, n), dtype=kind), like)
        assert fftc(x, (-2, -1)).dtype == x.dtype


def test_centring_made_in_inference_mode_serves_a_backward_pass():
    torch = pytest.importorskip("torch")
    x = torch.ones(11, 13, dtype=torch.complex64)  # a size that no other test has cached
    with torch.inference_mode():
        fftc(x, (-2, -1))
    leaf = x.clone().requires_grad_()
    fftc(leaf, (-2, -1)).abs().sum().backward()
    assert leaf.grad is not None


@pytest.mark.parametrize("n", [1, 3])
def test_eigh_of_a_batch_that_threads_share(like, normal, monkeypatch, n):
    monkeypatch.setattr(_array, "_n_threads", lambda a: n)
    a = normal(2, 5, 4, 4)  # ten matrices, in parts of 3, 3 and 4
    a = a + a.conj().swapaxes(-1, -2)
    values, vectors = map(to_numpy, eigh(from_numpy(a, like)))
    assert values.shape == (2, 5, 4)
    assert np.all(np.diff(values) > 0)
    again = vectors * values[..., None, :] @ vectors.conj().swapaxes(-1, -2)
    np.testing.assert_allclose(again, a, atol=1e-13)  # ~50 eps


def test_threads_for_eigh():
    torch = pytest.importorskip("torch")
    wanted = torch.get_num_threads()
    assert _array._n_threads(torch.empty(10, 100 * wanted, 3, 3)) == wanted
    assert _array._n_threads(torch.empty(99, 3, 3)) == 1
    assert _array._n_threads(np.empty((0, 3, 3))) == 1
    assert _array._n_threads(torch.empty(10**6, 3, 3, device="meta")) == 1


def test_transpose_linear_is_the_adjoint(like_autodiff, normal):
    matrix, y = normal(5, 3), normal(5)
    forward = from_numpy(matrix, like_autodiff).__matmul__
    got = transpose_linear(forward, (3,), from_numpy(y, like_autodiff))
    np.testing.assert_allclose(to_numpy(got), matrix.conj().T @ y, atol=1e-13)


def test_transpose_linear_needs_autodiff(normal):
    with pytest.raises(TypeError, match=r"needs automatic differentiation, got a numpy array"):
        transpose_linear(lambda x: x, (3,), normal(3))


def test_import_loads_no_engine():
    code = (
        "import sys, reconic; print({'torch', 'jax', 'lightning', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_all_is_true():
    import reconic

    for name in reconic.__all__:
        assert hasattr(reconic, name)
