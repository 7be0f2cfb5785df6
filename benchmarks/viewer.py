"""What a new frame costs in a notebook, beside the slice and copy that no viewer is without."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from measure import interleave, milliseconds, ratio
from report import Row

from reconic import view
from reconic.view.draw import Artist
from reconic.view.state import State

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
        "copy": lambda: np.copyto(bare, x[next(turn) % len(x)]),
    }
    times = interleave(frames, rounds=5 if quick else 41)
    group = f"Notebook viewer: time of the kernel for a frame of {n}² complex64"
    bound = milliseconds(times, "copy")
    found = []
    for name in list(frames)[:-1]:
        detail = f"{ratio(times, name, 'copy'):.0f} × the bare slice and copy, {bound:.2f} ms"
        found.append(Row(group, name, milliseconds(times, name), "ms", "cpu", "≤30", detail))
    return [*found, _opening(SHAPE if not quick else (4, 20, 128, 128))]


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
        for row in artist.panels(replace(state, index=index)):
            for panel in row:
                panel.picture.png()

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
