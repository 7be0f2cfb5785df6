"""Pictures of 8-bit pixels: values in colour, marks upon them, and their bytes as PNG."""

from __future__ import annotations

import functools
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from reconic.view.colours import table, usual_colours
from reconic.view.scene import Component, component_of

__all__ = [
    "BAD",
    "BLACK",
    "LEVELS",
    "MARK",
    "WHITE",
    "Picture",
    "draw_values",
    "nearest",
    "png_bytes",
]

LEVELS = 252  # colours of a map; the others of the 256 are these:
BAD, MARK, BLACK, WHITE = range(LEVELS, 256)
_MARKS = np.array(  # Okabe and Ito's green and sky blue: told apart from grey by every eye
    [[0, 158, 115], [86, 180, 233], [0, 0, 0], [255, 255, 255]], np.uint8
)
_NARROWEST = 1e-35  # window, so that its inverse is finite in single precision


@dataclass(frozen=True)
class Picture:
    """Pixels, as places in a palette where that is enough: a third of the bytes.

    Attributes:
        pixels: (h, w) places in `palette`, or without one (h, w, 3) red, green and blue; uint8.
        palette: Colours (256, 3) uint8, the last four those of `BAD`, `MARK`, `BLACK`, `WHITE`.
    """

    pixels: np.ndarray
    palette: np.ndarray | None = None

    def rgb(self) -> np.ndarray:
        """Red, green and blue (h, w, 3) uint8."""
        return self.pixels if self.palette is None else self.palette[self.pixels]

    def resized(self, height: int, width: int) -> Picture:
        """The picture in another size, each pixel that of the nearest voxel."""
        return Picture(nearest(self.pixels, height, width), self.palette)

    def paint(self, where: np.ndarray | tuple[slice, slice], mark: int) -> None:
        """Give pixels one of the four colours of marks, in place.

        Args:
            where: Boolean (h, w), or slices of rows and columns.
            mark: `BAD`, `MARK`, `BLACK` or `WHITE`.
        """
        self.pixels[where] = mark if self.palette is not None else _MARKS[mark - LEVELS]

    def png(self) -> bytes:
        """The picture as a PNG file, made fast."""
        return png_bytes(self.pixels, self.palette)


def draw_values(
    x: np.ndarray,
    component: Component,
    window: tuple[float, float],
    colours: str | None = None,
    peak: float = 1.0,
) -> Picture:
    """Show a plane of values in colour; NaN and Inf are green.

    Args:
        x: Values (h, w), real or complex.
        component: What of them is shown; "complex" is hue by phase and brightness by magnitude.
        window: Values shown darkest and brightest.
        colours: Colour map; None takes the usual one of the component.
        peak: Magnitude of 0 dB.
    """
    name = colours or usual_colours(component)
    bad = ~np.isfinite(x)
    place = _places(component_of(x, component, peak), window, bad)
    if component != "complex":
        return Picture(place, _palette(name))
    with np.errstate(invalid="ignore"):
        hue = np.angle(x) * np.float32(255 / (2 * np.pi)) + np.float32(128)
    hue[bad], place[bad] = 0, 0
    entry = hue.astype(np.uint8).astype(np.uint16) * np.uint16(LEVELS) + place
    rgb = _dimmed(name).take(entry, axis=0)
    rgb[bad] = _MARKS[0]
    return Picture(rgb)


def nearest(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """`x` (h, w, …) with `height` rows and `width` columns, each the nearest one."""
    h, w = x.shape[:2]
    if height != h:
        x = x[(2 * np.arange(height) + 1) * h // (2 * height)]
    if width != w:
        x = x[:, (2 * np.arange(width) + 1) * w // (2 * width)]
    return x


def png_bytes(pixels: np.ndarray, palette: np.ndarray | None = None, level: int = 1) -> bytes:
    """Bytes of a PNG file; with run-length coding alone, three times as fast as it is usual.

    Args:
        pixels: (h, w, 3), or (h, w) places in `palette`, or without one grey; uint8.
        palette: Colours (256, 3) uint8.
        level: 1 for speed; more looks for repeated patterns too.
    """
    h, w = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0 if palette is None else 3
    strategy = zlib.Z_RLE if level == 1 else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    data = packer.compress(_filtered(pixels.reshape(h, -1)).data) + packer.flush()
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, kind, 0, 0, 0)),
            b"" if palette is None else _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"IDAT", data),
            _chunk(b"IEND", b""),
        ]
    )


def _filtered(rows: np.ndarray) -> np.ndarray:
    """Differences from the row above, each row led by the number of that filter."""
    found = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    found[:, 0] = 2  # "up"
    found[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=found[1:, 1:])
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@functools.cache
def _palette(name: str) -> np.ndarray:
    """A colour map thinned to `LEVELS`, and the colours of marks; not to be written to."""
    kept = np.round(np.linspace(0, 255, LEVELS)).astype(int)
    found = np.concatenate([table(name)[kept], _MARKS])
    found.flags.writeable = False
    return found


@functools.cache
def _dimmed(name: str) -> np.ndarray:
    """A colour map from dark to bright: (256 * LEVELS, 3), the levels of the first colour first."""
    brightness = np.linspace(0, 1, LEVELS)[:, None]
    return np.round(table(name)[:, None] * brightness).astype(np.uint8).reshape(-1, 3)


def _places(x: np.ndarray, window: tuple[float, float], bad: np.ndarray) -> np.ndarray:
    """Values of a window as places 0 … LEVELS - 1 in a palette, cut beyond; `bad` ones as BAD."""
    low, high = window
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = x - low
        scaled *= (LEVELS - 1) / max(high - low, _NARROWEST)
    np.clip(scaled, 0, LEVELS - 1, out=scaled)
    scaled[bad] = BAD
    scaled += 0.5
    return scaled.astype(np.uint8)
