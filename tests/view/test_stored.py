"""Arrays in files, read in blocks: the values are NumPy's, and little is read again."""

import itertools

import h5py
import numpy as np
import pytest
from view.counting import Counting

from reconic.view import stored
from reconic.view.given import lazy, mapped
from reconic.view.stored import Stored

KEYS = [0, 2, slice(None), slice(1, 3), slice(1, None, 2)]


@pytest.mark.parametrize("layout", [{}, {"chunks": (2, 3, 2)}, {"order": (2, 0, 1)}])
@pytest.mark.parametrize("largest", [1, 100, 10**6])
def test_any_part_is_that_of_the_whole(rng, monkeypatch, layout, largest):
    monkeypatch.setattr(stored, "_LARGEST", largest)
    x = rng.random((4, 7, 5))
    seen = Stored(x, **layout)
    for key in itertools.product(KEYS, repeat=3):
        assert np.array_equal(seen[key], x[key]), key


def test_neighbours_across_the_order_of_a_file_are_read_once(rng):
    array = Counting(rng.random((40, 30, 20, 10)))
    seen = Stored(array)
    for t in range(10):
        seen[:, :, 3, t]
    assert array.read == 40 * 30 * 20 * 10  # 2 MB, all of them neighbours
    assert len(array.keys) == 1


def test_blocks_are_no_larger_than_allowed(rng, monkeypatch):
    monkeypatch.setattr(stored, "_LARGEST", 8 * 40 * 30 * 12)
    array = Counting(rng.random((40, 30, 20, 10)))
    seen = Stored(array)
    for z, t in itertools.product(range(2), range(10)):
        seen[:, :, z, t]
    assert array.read == 2 * 40 * 30 * 10  # for each z all t


def test_a_plane_along_the_file_is_read_alone(rng):
    array = Counting(rng.random((6, 5, 100, 100)))
    seen = Stored(array)
    seen[2, 3, :, :], seen[2, 4, :, :]
    assert array.keys == [
        (slice(2, 3), slice(z, z + 1), slice(0, 100), slice(0, 100)) for z in (3, 4)
    ]


def test_chunks_are_read_whole_and_once(rng):
    array = Counting(rng.random((9, 8, 8)))
    seen = Stored(array, chunks=(4, 8, 8))
    for i in range(9):
        seen[i, :, :]
    assert [key[0] for key in array.keys] == [slice(0, 4), slice(4, 8), slice(8, 9)]


def test_the_fastest_axis_of_a_mapped_file_is_found(rng, tmp_path):
    x = np.asfortranarray(rng.random((300, 20, 30)))
    np.save(tmp_path / "x.npy", x)
    seen = lazy(np.load(tmp_path / "x.npy", mmap_mode="r"), "view", "x")
    assert seen._order[-1] == 0
    assert np.array_equal(seen[5, :, :], x[5])


@pytest.mark.parametrize("userblock", [0, 512])
def test_hdf5_in_one_piece_is_mapped(rng, tmp_path, userblock):
    x = rng.random((5, 6, 7)).astype(">f4")
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=userblock) as file:
        file["x"], file["flags"] = x, x > 0.5
        file.create_dataset("packed", data=x, chunks=(1, 6, 7), compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        assert isinstance(mapped(file["x"]), np.memmap)
        assert np.array_equal(lazy(file["x"], "view", "x")[:, 2, :], x[:, 2])
        assert np.array_equal(lazy(file["flags"], "view", "x")[:, 2, :], x[:, 2] > 0.5)
        assert mapped(file["packed"]) is not None
        assert not isinstance(mapped(file["packed"]), np.memmap)


def test_a_file_that_is_written_to_is_not_mapped(rng, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = rng.random((3, 4))
        assert mapped(file["x"]) is not None
        assert not isinstance(mapped(file["x"]), np.memmap)
