"""A scene as one HTML file that needs neither kernel nor network."""

from __future__ import annotations

import base64
import gzip
import html
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from reconic.io.atomic import atomic_path
from reconic.view.payload import describe, program, shortened, style, volumes_of
from reconic.view.scene import Scene
from reconic.view.source import Source

__all__ = ["write_page"]

_BLOCK = 2**20  # values in a block, about
_BASE64 = 4 / 3  # characters for a byte
_HALF_TOP = 2.0**15  # largest magnitude of a block in half precision
_FLOAT32 = 3.4e38

Kind = Literal["whole", "linear", "half"]


@dataclass(frozen=True)
class _Fit:
    """How values are kept: of every axis each `steps`-th, in codes of `bits`."""

    bits: int
    steps: tuple[int, ...]


def write_page(scene: Scene, path: str | Path, megabytes: float = 60.0) -> None:
    """Write a scene as one HTML page, to be opened from anywhere, offline.

    Arrays are read and written block by block. Integers of up to 16 bits are kept as they are,
    other values in 65533 levels for each block, or in half precision where decibels are shown; NaN
    and Inf stay what they are. What would exceed `megabytes` is kept in 253 levels, and beyond that
    every other value along the longest axes only; the page says so.

    Args:
        scene: What is looked at.
        path: File to write, whole or not at all.
        megabytes: Size of the page, at most about.

    Raises:
        ValueError: If `megabytes` is not positive.
    """
    if not megabytes > 0:
        raise ValueError(
            f"to_html: `megabytes` must be positive, got {megabytes}. Leave it out for 60."
        )
    fit = _fit(scene, megabytes)
    described = describe(scene, fit.steps)
    described["notes"] += _notes(scene, fit, megabytes)
    for volume, source in zip(described["volumes"], volumes_of(scene), strict=True):
        volume.update(bits=_bits(source, fit), kind=_kind(scene, source))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        _write(file, scene, described, fit)


def _write(file: IO[str], scene: Scene, described: dict, fit: _Fit) -> None:
    title = html.escape(", ".join(x.title for x in scene.layers if x.title) or "Reconic")
    file.write(_HEAD.format(title=title, style=style()))
    text = json.dumps(described, allow_nan=False).replace("<", "\\u003c")
    file.write(f'<script type="application/json" id="scene">{text}</script>\n')
    for number, source in enumerate(volumes_of(scene)):
        volume = described["volumes"][number]
        for start, values in _blocks(source, fit.steps):
            file.write(_script(number, start, values, volume["kind"], volume["bits"]))
    file.write(f'<script type="module">\n{program("page")}</script>\n</body>\n</html>\n')


def _blocks(source: Source, steps: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive values in the order of the axes, and where each block of them begins."""
    shape = shortened(source.shape, steps)
    leading = [range(0, n, s) for n, s in zip(source.shape[:-2], steps, strict=False)]
    cuts = itertools.product(*leading)
    last = (source.ndim - 2, source.ndim - 1)
    size, start = math.prod(shape[-2:]), 0
    while group := list(itertools.islice(cuts, max(1, _BLOCK // size))):
        planes = (source.plane(last, (*cut, 0, 0))[:: steps[-2], :: steps[-1]] for cut in group)
        values = np.concatenate([plane.ravel() for plane in planes])
        yield start, values
        start += values.size


def _script(number: int, start: int, values: np.ndarray, kind: Kind, bits: int) -> str:
    """A block as an element of the page."""
    parts = (np.real(values), np.imag(values)) if values.dtype.kind == "c" else (values,)
    coded = [_coded(part, kind, bits) for part in parts]
    packed = gzip.compress(b"".join(code for code, _, _ in coded), 5, mtime=0)
    low, step = json.dumps([x[1] for x in coded]), json.dumps([x[2] for x in coded])
    return (
        f'<script type="text/plain" class="block" data-volume="{number}" data-start="{start}" '
        f'data-count="{values.size}" data-low="{low}" data-step="{step}">'
        f"{base64.b64encode(packed).decode()}</script>\n"
    )


def _coded(x: np.ndarray, kind: Kind, bits: int) -> tuple[bytes, float, float]:
    """Codes of real values, the value of code 0, and that of a step.

    The last three codes of "linear" are NaN, Inf and -Inf. Of two bytes all the lower ones come
    first: so they compress better.
    """
    finite = np.isfinite(x)
    x = np.where(finite, np.clip(x.astype(np.float64), -_FLOAT32, _FLOAT32), x)
    seen = x[finite]
    if kind == "half":
        scale = float(np.max(np.abs(seen), initial=0.0)) / _HALF_TOP or 1.0
        return _shuffled((x / scale).astype(np.float16).view(np.uint16)), 0.0, scale
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    top = 2**bits - (1 if kind == "whole" else 4)
    step = max(1.0, (high - low) / top) if kind == "whole" else (high - low) / top or 1.0
    special = np.where(np.isnan(x), top + 1, np.where(x > 0, top + 2, top + 3))
    code = np.where(finite, np.round((np.where(finite, x, low) - low) / step), special)
    return _shuffled(code.astype(np.uint8 if bits == 8 else np.uint16)), low, step


def _shuffled(codes: np.ndarray) -> bytes:
    return (
        codes.astype("<u2").view(np.uint8).reshape(-1, 2).T.tobytes()
        if codes.itemsize == 2
        else codes.tobytes()
    )


def _kind(scene: Scene, source: Source) -> Kind:
    if source.dtype.kind in "iu":
        return "whole"
    return "half" if scene.component == "log" else "linear"


def _bits(source: Source, fit: _Fit) -> int:
    return 8 if source.dtype.kind in "iu" and source.dtype.itemsize == 1 else fit.bits


def _fit(scene: Scene, megabytes: float) -> _Fit:
    """The best that meets the budget, as if nothing could be compressed."""
    steps = [1] * len(scene.axes)
    bits = 16
    while _size(scene, _Fit(bits, tuple(steps))) > megabytes * 1e6:
        lengths = shortened(scene.shape, steps)
        longest = int(np.argmax(lengths))
        if bits == 16 and scene.component != "log":
            bits = 8
        elif lengths[longest] == 1:
            break
        else:
            steps[longest] *= 2
    return _Fit(bits, tuple(steps))


def _size(scene: Scene, fit: _Fit) -> float:
    """Characters of all blocks."""
    return sum(
        math.prod(shortened(s.shape, fit.steps)) * (1 + s.is_complex) * _bits(s, fit) / 8 * _BASE64
        for s in volumes_of(scene)
    )


def _notes(scene: Scene, fit: _Fit, megabytes: float) -> list[str]:
    """What the budget cost."""
    found = []
    if any(_bits(s, fit) == 8 and s.dtype.itemsize > 1 for s in volumes_of(scene)):
        found.append("values in 8 bits")
    thinned = [
        f"1 in {s} along {name}" for name, s in zip(scene.axes, fit.steps, strict=True) if s > 1
    ]
    found += [f"planes and voxels thinned: {', '.join(thinned)}"] if thinned else []
    return [f"To keep this page under {megabytes:g} MB: {'; '.join(found)}."] if found else []


_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body class="rv-page">
<main class="rv-full" id="viewer"></main>
"""
