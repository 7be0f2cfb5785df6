"""Sources against NumPy's own indexing; what is read is counted."""

import tracemalloc

import h5py
import numpy as np
import pytest
from view.counting import Counting

from reconic._array import from_numpy
from reconic.view.source import Source


@pytest.fixture
def x(normal):
    return normal(3, 4, 5, 6)


def stored(kind, x, folder):
    if kind == "h5py":
        file = h5py.File(folder / "x.h5", "w")
        return file.create_dataset("x", data=x)
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        array = zarr.open(folder / "x.zarr", mode="w", shape=x.shape, dtype=x.dtype)
        array[...] = x
        return array
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def agrees(source, x):
    """Planes, projections and lines are those that NumPy gives."""
    index = (2, 1, 3, 4)
    assert np.array_equal(source.plane((2, 3), index), x[2, 1])
    assert np.array_equal(source.plane((3, 1), index), x[2, :, 3].T)
    assert np.array_equal(source.plane((0, 2), index), x[:, 1, :, 4])
    assert np.allclose(source.projection((1, 3), index, 2), np.abs(x[2]).max(1), rtol=1e-12)
    assert np.allclose(source.projection((3, 1), index, 0), np.abs(x[:, :, 3]).max(0).T, rtol=1e-12)
    assert np.array_equal(source.line(1, index), x[2, :, 3, 4])
    assert (source.shape, source.ndim, source.is_complex) == (x.shape, 4, True)
    assert set(source.sample()) <= set(x.ravel())


def test_every_library(x, like):
    agrees(Source(from_numpy(x, like)), x)


@pytest.mark.parametrize("kind", ["h5py", "zarr", "memmap"])
def test_every_file(kind, x, tmp_path):
    source = Source(stored(kind, x, tmp_path))
    agrees(source, x)
    assert not source.in_memory


def test_torch_conjugates_gradients_and_bfloat16():
    torch = pytest.importorskip("torch")
    z = torch.ones(2, 3, dtype=torch.complex64, requires_grad=True)
    assert np.array_equal(Source(z.conj() * 1j).plane((0, 1), (0, 0)), np.full((2, 3), 1j))
    half = Source(torch.ones(2, 3, dtype=torch.bfloat16))
    assert half.dtype == np.float32


def test_jax_bfloat16():
    jnp = pytest.importorskip("jax.numpy")
    assert Source(jnp.ones((2, 3), jnp.bfloat16)).dtype == np.float32


def test_only_what_is_shown_is_read(normal):
    array = Counting(normal(6, 7, 8, 9))
    source = Source(array)
    array.read = 0
    source.plane((2, 3), (1, 2, 3, 4))
    assert array.read == 8 * 9
    source.projection((2, 3), (1, 2, 3, 4), 1)
    assert array.read == 8 * 9 + 7 * 8 * 9
    source.line(0, (0, 0, 0, 0))
    assert array.read == 8 * 9 + 7 * 8 * 9 + 6
    array.read = 0
    source.sample(), source.finite(), source.notes
    assert array.read == 5 * 8 * 9  # five planes, once


def test_a_sparse_file_of_8_gigabytes_is_never_read_whole(tmp_path):
    shape = (20, 200, 512, 512)
    header = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.complex64, shape)
    header[10, 100, 3, 5] = 2 + 1j
    del header
    tracemalloc.start()
    source = Source(np.load(tmp_path / "big.npy", mmap_mode="r"))
    source.sample()
    plane = source.plane((2, 3), (10, 100, 0, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert plane[3, 5] == 2 + 1j
    assert np.count_nonzero(plane) == 1
    assert (
        peak < 5 * 8 * 2**20
    )  # five planes of 2 MB, and the sample of 8 MB twice; the file is 8.4 GB


def test_projections_are_read_in_blocks(monkeypatch, normal):
    monkeypatch.setattr("reconic.view.source._BLOCK", 100)
    x = normal(50, 4, 6)
    array = Counting(x)
    found = Source(array).projection((1, 2), (0, 0, 0), 0)
    assert np.allclose(found, np.abs(x).max(0), rtol=1e-12)
    assert max(np.asarray(x[key]).size for key in array.keys) <= 100


def test_a_projection_keeps_what_is_not_finite(monkeypatch):
    monkeypatch.setattr("reconic.view.source._BLOCK", 6)
    x = np.ones((4, 2, 3))
    x[1, 0, 0], x[2, 1, 1] = np.nan, -np.inf
    found = Source(x).projection((1, 2), (0, 0, 0), 0)
    np.testing.assert_array_equal(found, [[np.nan, 1, 1], [1, np.inf, 1]])


def test_the_sample_holds_the_middle_and_is_small():
    x = np.zeros((3, 1201, 1103), np.float32)
    x[1, 600, 551] = 7.0
    sample = Source(x).sample()
    assert sample.size <= 1_000_000
    assert sample.max() == 7.0


def test_an_index_beyond_the_end_shows_the_last():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert np.array_equal(Source(x).plane((1, 2), (9, 0, 0)), x[-1])
    assert np.array_equal(Source(x).plane((1, 2), (-3, 0, 0)), x[0])


def test_few_axes_become_rows():
    assert np.array_equal(Source(np.arange(5)).plane((0, 1), (0, 0)), [np.arange(5)])
    assert Source(3.0).plane((0, 1), (0, 0)) == 3.0
    assert Source([[1, 2], [3, 4]]).shape == (2, 2)
    assert "1-D data of shape (5,): shown as one row." in Source(np.arange(5)).notes


def test_leading_axes_are_added():
    x = np.arange(6.0).reshape(2, 3)
    led = Source(x).lead(4)
    assert led.shape == (1, 1, 2, 3)
    assert np.array_equal(led.plane((0, 3), (0, 0, 1, 0)), x[1:])
    assert np.array_equal(led.projection((2, 3), (0, 0, 0, 0), 1), x)


def test_notes_tell_what_is_wrong():
    x = np.ones((4, 5))
    assert Source(x).notes == ("All finite values looked at are 1: there is no contrast.",)
    x[1, 2], x[0, 0], x[3, 3] = np.nan, np.inf, 2
    assert Source(x).notes == ("2 of 20 values looked at are NaN or Inf: shown green.",)
    assert Source(x > 1).notes == ("Boolean data: shown as 0 and 1.",)
    assert Source(np.full((2, 2), np.nan)).notes == (
        "4 of 4 values looked at are NaN or Inf: shown green.",
    )
    assert Source(np.arange(9.0).reshape(3, 3)).notes == ()


def test_boolean_values_are_numbers():
    x = np.array([[True, False], [False, False]])
    source = Source(x)
    assert source.dtype == np.uint8
    assert np.array_equal(source.plane((0, 1), (0, 0)), x)
    for libraries in (x[None], pytest.importorskip("torch").as_tensor(x[None])):
        assert np.array_equal(Source(libraries).projection((1, 2), (0, 0, 0), 0), x)


@pytest.mark.parametrize("shape", [(0,), (3, 0, 4), (0, 5)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ValueError, match=r"volume: `v` must have values, got shape \("):
        Source(np.zeros(shape), "volume", "v")


@pytest.mark.parametrize("x", ["text", None, np.array([object()]), np.zeros(2, [("a", "f4")])])
def test_what_is_not_numeric_is_refused(x):
    with pytest.raises(TypeError, match="volume: `v` must be numeric, got "):
        Source(x, "volume", "v")


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="`v` must be an array, got nested lists of unequal"):
        Source([[1, 2], [3]], "volume", "v")
