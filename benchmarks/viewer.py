"""What a new frame costs in a notebook, beside the slice and copy that no viewer is without."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from live_cost import live_ratio
from measure import interleave, milliseconds, ratio
from report import Row

from reconic import view
from reconic.view.draw import Artist
from reconic.view.state import State
from reconic.view.threads import together

SHAPE = (20, 200, 512, 512)


def rows(device: str, quick: bool) -> list[Row]:
    """Time of a frame from the slider's message to its PNG, and of opening a large file."""
    del device  # frames are drawn on the host
    n = 128 if quick else 512
    x = _series(n)
    bare, turn = np.empty((n, n), np.complex64), itertools.count()
    frames = {
        "grey": _frames(view.volume4d(x, axes=("t", "y", "x"))),
        "three planes, linked": _frames(view.volume(x)),
        "hue and brightness": _frames(view.maps(x[None], axes=("t", "y", "x"))),
        "five images": _frames(view.compare([x] * 5, axes=("t", "y", "x"), reference=None)),
        "copy": lambda: np.copyto(bare, x[next(turn) % len(x)]),
    }
    times = interleave(frames, rounds=5 if quick else 41)
    group = f"Notebook viewer: time of the kernel for a frame of {n}² complex64"
    bound = milliseconds(times, "copy")
    found = []
    for name in list(frames)[:-1]:
        detail = f"{ratio(times, name, 'copy'):.0f} × the bare slice and copy, {bound:.2f} ms"
        found.append(Row(group, name, milliseconds(times, name), "ms", "cpu", "≤30", detail))
    shape = SHAPE if not quick else (4, 20, 128, 128)
    return [*found, _opening(shape), _across(n), _live(quick)]


def _series(n: int) -> np.ndarray:
    """Frames (t, y, x) with structure and noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : n * 1j, -1 : 1 : n * 1j]
    smooth = np.exp(-4 * (x**2 + y**2)) * np.exp(3j * x)
    noise = rng.standard_normal((16, n, n)) + 1j * rng.standard_normal((16, n, n))
    return (smooth + 0.02 * noise).astype(np.complex64)


def _frames(viewer: view.Viewer) -> Callable[[], None]:
    """Draws the next frame along the first axis, as its slider does."""
    artist, state, turn = Artist(viewer.scene), State.first(viewer.scene), itertools.count()

    def draw() -> None:
        index = (next(turn) % viewer.scene.shape[0], *state.index[1:])
        rows = artist.panels(replace(state, index=index))
        together([panel.picture.png for row in rows for panel in row])

    return draw


def _opening(shape: tuple[int, ...]) -> Row:
    """Seconds until the first picture of a complex64 file that is mapped into memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.npy"
        np.lib.format.open_memmap(path, "w+", np.complex64, shape)  # sparse: takes no room
        start = time.perf_counter()
        view.volume4d(np.load(path, mmap_mode="r")).png()
        seconds = time.perf_counter() - start
    size = 8 * np.prod(shape) / 1e9
    name = f"opening {'×'.join(map(str, shape))}"
    return Row("Notebook viewer", name, seconds, "s", "cpu", "≤1", f"{size:.1f} GB, mapped")


def _across(n: int) -> Row:
    """Time of a frame of an HDF5 file with space first, played over its last axis."""
    shape = (n // 2, n // 2, 32, 16)
    with tempfile.TemporaryDirectory() as folder, h5py.File(Path(folder, "a.h5"), "w") as file:
        file.create_dataset("a", shape, np.complex64, chunks=(32, 32, 8, 8), compression="gzip")
        file["a"][:] = np.random.default_rng(0).random(shape, np.float32).astype(np.complex64)
        viewer = view.volume(file["a"], axes=("x", "y", "z", "t"), orthogonal=False)
        artist, state = Artist(viewer.scene), State.first(viewer.scene)
        start = time.perf_counter()
        for t in range(shape[3]):
            artist.panels(replace(state, index=(*state.index[:3], t)))
        seconds = (time.perf_counter() - start) / shape[3]
    name = f"frame across gzip chunks of an HDF5 file (x, y, z, t), {n // 2}²"
    detail = f"mean of {shape[3]}, the blocks read included"
    return Row("Notebook viewer", name, 1e3 * seconds, "ms", "cpu", "≤30", detail)


def _live(quick: bool) -> Row:
    """Cost of `live=True` for a descent, in per cent of its CPU time."""
    ratio_, seconds = live_ratio(quick)
    detail = f"deconvolution of {64 if quick else 256}² for {seconds:.1f} s, CPU time in a kernel"
    cost = 100 * (ratio_ - 1)
    return Row("Notebook viewer", "cost of live=True", cost, "%", "cpu", "≤3", detail)
