"""BART's pair of files: .hdr (dimensions) and .cfl (complex64, first dimension fastest).

BART's dimensions are x, y, z, coil, maps, and eleven more (echo, time, slice …). Read in C order
they are reversed: `(…, maps, coil, z, y, x)`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from reconic.io.atomic import atomic_path
from reconic.io.measurement import (
    Measurement,
    Share,
    checked_index,
    checked_kspace,
    sampling_mask,
)

_N_DIMS = 16
_TIME = 10  # BART's dimension for frames of a series


def read_cfl(path: str | Path) -> np.ndarray:
    """Read a .cfl/.hdr pair as a complex64 array `(…, maps, coil, z, y, x)`, always 16 axes.

    Args:
        path: Either file of the pair, or the name without ending.

    Raises:
        FileNotFoundError: If one file or both are missing.
        ValueError: If the header holds no dimensions, or the data are not of that size.
    """
    data, header = _pair(path)
    missing = [file.name for file in (data, header) if not file.is_file()]
    if missing:
        raise FileNotFoundError(
            f"read_cfl: {data.name} and {header.name} must lie side by side, got no "
            f"{' and no '.join(missing)} in {str(data.parent)!r}. Copy both files of the pair."
        )
    dims = _dimensions(header)
    expected, actual = math.prod(dims) * 8, data.stat().st_size
    if actual != expected:
        raise ValueError(
            f"read_cfl: {data.name} must have {expected} bytes for dimensions "
            f"{' '.join(map(str, dims))}, got {actual}. It may be cut short; copy it again."
        )
    dims += (1,) * (_N_DIMS - len(dims))
    return np.fromfile(data, dtype="<c8").reshape(dims[::-1])


def write_cfl(path: str | Path, a: np.ndarray) -> None:
    """Write `a`, `(…, maps, coil, z, y, x)`, as a .cfl/.hdr pair in complex64, the header last.

    Args:
        path: Either file of the pair, or the name without ending.
        a: Array of at most 16 axes, the last one BART's first dimension.

    Raises:
        ValueError: If `a` has more axes.
    """
    if a.ndim > _N_DIMS:
        raise ValueError(
            f"write_cfl: `a` must have at most {_N_DIMS} axes, got {a.ndim}. Merge or drop some."
        )
    data, header = _pair(path)
    dims = (*a.shape[::-1], *(1,) * (_N_DIMS - a.ndim))
    with atomic_path(data) as temporary:
        np.ascontiguousarray(a, dtype="<c8").tofile(temporary)
    with atomic_path(header) as temporary:
        temporary.write_text(f"# Dimensions\n{' '.join(map(str, dims))}\n")


def read(path: Path, index: int, share: Share | None = None) -> Measurement:  # noqa: ARG001
    """Read k-space; the file is one example, so `index` is 0.

    An axis of space of length 1 is dropped if two are left; dimensions after the coils that are
    longer than 1 become frame axes.
    """
    a = read_cfl(path)
    checked_index(index, 1, path)
    if a.shape[-5] != 1:
        raise ValueError(
            f"read_kspace: {path.name} must be k-space, with one map in BART's dimension 4, got "
            f"{a.shape[-5]}. Pass k-space rather than sensitivity maps."
        )
    frames = [n for n in a.shape[:-5] if n != 1]
    ksp = np.moveaxis(a.reshape(*frames, a.shape[-4], *_squeezed(a.shape[-3:])), len(frames), 0)
    ksp = checked_kspace(ksp, path)
    return Measurement(ksp, mask=sampling_mask(ksp))


def write(path: Path, x: np.ndarray) -> None:
    """Write an image `([frames,] [nz,] ny, nx)`; frames go to BART's time dimension."""
    if x.ndim == 4:
        x = x.reshape(len(x), *(1,) * (_TIME - 3), *x.shape[1:])
    write_cfl(path, x)


def _pair(path: str | Path) -> tuple[Path, Path]:
    """Paths of the data and of the header."""
    path = Path(path)
    if path.suffix.lower() in (".cfl", ".hdr"):
        path = path.with_suffix("")
    return path.with_name(f"{path.name}.cfl"), path.with_name(f"{path.name}.hdr")


def _dimensions(header: Path) -> tuple[int, ...]:
    """Sizes on the line after "# Dimensions"."""
    lines = header.read_text(errors="replace").splitlines()
    after = (lines[i + 1] for i, line in enumerate(lines[:-1]) if line.strip() == "# Dimensions")
    words = next(after, "").split()
    if not words or len(words) > _N_DIMS or not all(w.isdecimal() and int(w) > 0 for w in words):
        raise ValueError(
            f"read_cfl: {header.name} must hold a line of 1 to {_N_DIMS} positive sizes after "
            f"'# Dimensions', got {' '.join(words) or 'none'!r}. Write it again from BART."
        )
    return tuple(map(int, words))


def _squeezed(space: tuple[int, ...]) -> tuple[int, ...]:
    """(z, y, x) without its first axis of length 1, if there is one."""
    one = space.index(1) if 1 in space else len(space)
    return space[:one] + space[one + 1 :]
