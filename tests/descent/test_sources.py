"""Measurements on disk: real HDF5, Zarr and TIFF files, read ahead and never whole."""

import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing

import h5py
import numpy as np
import pytest

from reconic import descent as rd
from reconic.descent.devices import ONE, is_stored
from reconic.descent.sources import StoredSource, ahead

Y = np.random.default_rng(5).standard_normal((10, 4, 3)).astype(np.float32)


def run(data, **settings):
    return rd.reconstruct(
        lambda v, batch: v + 0 * batch["y"], np.zeros((4, 3), np.float32), data, rd.l2("y"),
        rd.sgd(0.1), epochs=4, seed=3, **settings,
    )  # fmt: skip


@pytest.fixture(params=["hdf5", "zarr", "tiff, mapped", "tiff, as zarr", "npy"])
def stored(request, tmp_path):
    """`Y` in a file of each kind."""
    path = tmp_path / "y"
    if request.param == "hdf5":
        with h5py.File(path, "w") as file:
            yield file.create_dataset("y", data=Y, chunks=(4, 4, 3))
    elif request.param == "zarr":
        zarr = pytest.importorskip("zarr")
        array = zarr.create_array(path, shape=Y.shape, dtype=Y.dtype, chunks=(4, 4, 3))
        array[:] = Y
        yield zarr.open_array(path, mode="r")
    elif request.param == "npy":
        np.save(tmp_path / "y.npy", Y)
        yield np.load(tmp_path / "y.npy", mmap_mode="r")
    else:
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(path, Y, photometric="minisblack")
        if request.param == "tiff, mapped":
            yield tifffile.memmap(path, mode="r")
        else:
            zarr = pytest.importorskip("zarr")
            with tifffile.imread(path, aszarr=True) as store:
                yield zarr.open_array(store, mode="r")


def test_every_kind_of_file_is_read_row_by_row(stored):
    assert is_stored(stored)
    source = StoredSource({"y": stored}, 4, True, True, 3, np.arange(1, 10), ONE)
    epochs = [[np.asarray(b["y"]) for b in source.epoch(e)] for e in range(2)]
    for batches in epochs:
        assert [len(b) for b in batches] == [4, 4, 1]
        seen = np.concatenate(batches)
        np.testing.assert_array_equal(np.sort(seen[:, 0, 0]), np.sort(Y[1:, 0, 0]))
    assert not np.array_equal(epochs[0][0], epochs[1][0])


@pytest.mark.parametrize("settings", [{"batch_size": 4, "shuffle": False}, {}], ids=["rows", "all"])
def test_every_kind_of_file_gives_what_memory_gives(stored, settings):
    found, expected = run({"y": stored}, **settings), run({"y": Y}, **settings)
    # the same sums in another program, single precision
    np.testing.assert_allclose(found.variables, expected.variables, atol=1e-6)


def test_batches_are_read_ahead_by_a_thread_but_not_without_end():
    made = []

    def slow():
        for i in range(10):
            made.append(threading.current_thread())
            yield {"y": i}

    with closing(ahead(slow(), depth=2)) as batches:
        first, last = next(batches)
        deadline = time.monotonic() + 10
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert (first["y"], last) == (0, False)
        assert len(made) == 5  # this one, the next, two that wait, one that is held
        assert threading.current_thread() not in made
    assert not made[0].is_alive()
    assert [last for _, last in ahead(iter([{}, {}]))] == [False, True]


def test_a_generator_may_fill_one_buffer_again_and_again():
    aligned = np.zeros(8 * 12 + 64, np.float32)  # as JAX needs it to take memory over
    start = -aligned.ctypes.data % 64 // 4
    buffer = aligned[start : start + 96].reshape(8, 4, 3)

    def batches(epoch):
        for i in range(6):
            buffer[...] = i
            yield {"y": buffer}

    expected = run([{"y": np.full((8, 4, 3), i, np.float32)} for i in range(6)])
    np.testing.assert_array_equal(run(batches).variables, expected.variables)


_MEMORY = """
    import resource, sys
    import h5py, numpy as np, tifffile, zarr
    from reconic import descent as rd

    def fit(y):
        rd.reconstruct(
            lambda v, b: v + 0 * b["y"], np.zeros((64, 64), np.float32), {"y": y}, rd.l2("y"),
            rd.sgd(0.1), epochs=1, batch_size=16, shuffle=False, progress=False)

    for n in sys.argv[1:]:
        with h5py.File(f"{n}.h5") as file, tifffile.imread(f"{n}.tif", aszarr=True) as store:
            for y in (file["y"], zarr.open_array(f"{n}.zarr"), zarr.open_array(store, mode="r")):
                fit(y)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # MB; KB on Linux
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is in KB on Linux alone")
def test_memory_does_not_grow_with_the_file(tmp_path):
    zarr, tifffile = pytest.importorskip("zarr"), pytest.importorskip("tifffile")
    sizes = (256, 2560)  # images of 16 KB: 4 and 40 MB
    for n in sizes:
        y = np.random.default_rng(0).random((n, 64, 64), np.float32)
        with h5py.File(tmp_path / f"{n}.h5", "w") as file:
            file["y"] = y
        where = tmp_path / f"{n}.zarr"
        zarr.create_array(where, shape=y.shape, dtype=y.dtype, chunks=(16, 64, 64))[:] = y
        tifffile.imwrite(tmp_path / f"{n}.tif", y, photometric="minisblack")
    script = tmp_path / "go.py"
    script.write_text(textwrap.dedent(_MEMORY))
    command = [sys.executable, str(script), *map(str, sizes)]
    told = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    small, large = map(float, told.stdout.split())
    assert large - small < 20  # MB; a file read whole takes 36 more
