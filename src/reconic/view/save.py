"""Writing what is seen to files: pictures, films, and stacks of values."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from reconic.io import atomic_path, ending
from reconic.view.draw import Artist
from reconic.view.picture import png_bytes
from reconic.view.scene import Scene
from reconic.view.sheet import draw_sheet
from reconic.view.state import State
from reconic.view.tiff import write_tiff

__all__ = ["film_axis", "find_ffmpeg", "frames", "save_scene"]

_SMALL = 6  # level of compression of PNG files


def save_scene(
    scene: Scene, path: str | Path, state: State, over: str | None = None, rate: float = 10.0
) -> None:
    """Write a scene in the format that the ending of `path` names; the file appears whole.

    Args:
        scene: What is looked at.
        path: Ends in .png (all pictures at this moment), .gif or .mp4 (a film over an axis), .tif
            or .tiff (the values of all planes, for other programs).
        state: What of the scene is shown.
        over: Name of the axis that a film is over; None takes time, else the first that has a
            slider, else the depth.
        rate: Frames per second.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ImportError: If a program or package for the format is missing; tells what to install.
        ValueError: If the ending or the axis is unknown, there is nothing to play over, or `rate`
            is not positive.
    """
    path = Path(path)
    kind = ending(path, (*_STILL, *_FILM), "save")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"save: the folder of `path` must exist, got {str(path)!r}. Create it first."
        )
    if not rate > 0:
        raise ValueError(f"save: `rate` must be positive, got {rate}. Try 10 frames per second.")
    with atomic_path(path) as temporary:
        if kind in _STILL:
            _STILL[kind](temporary, scene, state)
        else:
            _FILM[kind](temporary, frames(scene, state, film_axis(scene, over)), rate)


def film_axis(scene: Scene, over: str | None = None) -> int:
    """Axis that a film is over.

    Raises:
        ValueError: If the axis is unknown, or no axis is longer than 1.
    """
    if over is not None:
        if over not in scene.axes:
            raise ValueError(
                f"save: `over` must be one of the axes {', '.join(scene.axes)}, got {over!r}."
            )
        return scene.axes.index(over)
    if scene.play is not None:
        return scene.play
    axis = next(iter(scene.sliders), scene.depth(scene.shown))
    if axis is None:
        raise ValueError(
            f"save: a film must have an axis to play over, got shape {scene.shape}. Save a .png."
        )
    return axis


def frames(scene: Scene, state: State, axis: int) -> Iterator[np.ndarray]:
    """Sheets (h, w, 3) uint8 along an axis, all of one size, each drawn when it is asked for."""
    artist = Artist(scene)
    size = None
    for i in range(scene.shape[axis]):
        index = tuple(i if a == axis else k for a, k in enumerate(state.index))
        sheet = draw_sheet(artist, replace(state, index=index))
        size = size or sheet.shape
        yield _fitted(sheet, size)


def _fitted(sheet: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """`sheet` cut or filled with black to a size: its width may change with the numbers on it."""
    found = np.zeros(size, np.uint8)
    h, w = min(size[0], sheet.shape[0]), min(size[1], sheet.shape[1])
    found[:h, :w] = sheet[:h, :w]
    return found


def _png(path: Path, scene: Scene, state: State) -> None:
    path.write_bytes(png_bytes(draw_sheet(Artist(scene), state), level=_SMALL))


def _gif(path: Path, pictures: Iterator[np.ndarray], rate: float) -> None:
    from PIL import Image

    first, *others = (Image.fromarray(p).quantize(dither=Image.Dither.NONE) for p in pictures)
    first.save(path, save_all=True, append_images=others, duration=1000 / rate, loop=0)


def _mp4(path: Path, pictures: Iterator[np.ndarray], rate: float) -> None:
    program = find_ffmpeg()
    first = next(pictures)
    h, w = (n // 2 * 2 for n in first.shape[:2])  # the coder halves the sides of the colours
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", f"{rate:g}", "-i", "-"]
    made = ["-an", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(path)]
    command = [program, "-y", "-loglevel", "error", *given, *made]
    with tempfile.TemporaryFile() as told:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=told) as process:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it ended early, and says why
                for picture in itertools.chain([first], pictures):
                    process.stdin.write(np.ascontiguousarray(picture[:h, :w]).data)
            process.stdin.close()
        if process.returncode:
            told.seek(0)
            raise RuntimeError(
                f"save: ffmpeg must write {path.name}, got status {process.returncode}: "
                f"{told.read().decode(errors='replace').strip()}. Save a .gif."
            )


def find_ffmpeg() -> str:
    """Path of ffmpeg: on the system, or the one that imageio-ffmpeg brings.

    Raises:
        ImportError: If there is none; tells what to install.
    """
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "save: .mp4 must have ffmpeg, got none. Install it, or `pip install imageio-ffmpeg`, "
            "which reconic[notebook] brings; .gif needs neither."
        ) from error


_STILL: dict[str, Callable[[Path, Scene, State], None]] = {
    ".png": _png,
    ".tif": write_tiff,
    ".tiff": write_tiff,
}
_FILM: dict[str, Callable[[Path, Iterator[np.ndarray], float], None]] = {".gif": _gif, ".mp4": _mp4}
