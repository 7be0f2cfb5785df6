"""DeepInPy's HDF5 layout: `imgs`, `maps`, `masks` and `ksp`, the first axis of each the example.

With `traj` in rad/voxel, and perhaps `dcf`, in place of `masks`, k-space is not Cartesian.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from reconic.io.atomic import atomic_path
from reconic.io.measurement import (
    Measurement,
    Share,
    checked_file,
    checked_finite,
    checked_index,
    checked_kspace,
    sampling_mask,
)

_REAL = ("masks", "traj", "dcf")
_KINDS = {  # of NumPy dtypes
    **dict.fromkeys(("ksp", "maps", "imgs"), "biufc"),
    **dict.fromkeys(_REAL, "biuf"),
}


def read(path: Path, index: int, share: Share | None = None) -> Measurement:
    """Read example `index`: `ksp`, and the other keys where the file has them.

    A stored mask multiplies the k-space, which may be fully sampled.
    """
    checked_file(path)
    with intact("read_kspace", str(path)), h5py.File(path, "r") as file:
        keys = list(file)
        arrays = {key: file.get(key) for key in _KINDS}
        found = {k: (v.shape, v.dtype) for k, v in arrays.items() if isinstance(v, h5py.Dataset)}
    shapes = {key: tuple(shape) for key, (shape, _) in found.items() if shape}
    if "ksp" not in shapes:
        raise KeyError(
            f"read_kspace: {path.name} must have the data set 'ksp', got the keys "
            f"{', '.join(map(repr, keys)) or '(none)'}. Rename the one with k-space."
        )
    index = checked_index(index, shapes["ksp"][0], path)
    _check({key: (shapes[key], found[key][1]) for key in shapes}, index)
    shared = share is not None and _has_shares(shapes)
    own = share(shapes["ksp"][1]) if share is not None and shared else slice(None)
    places = {key: (index, own) if key in ("ksp", "maps") else index for key in shapes}
    with intact("read_kspace", f"example {index} of {path}"), h5py.File(path, "r") as file:
        example = {key: np.asarray(file[key][at]) for key, at in places.items()}  # pyright: ignore
    ksp = checked_kspace(example["ksp"], path)
    maps, reference = _single(example, "maps", path), _single(example, "imgs", path)
    if "traj" in example:
        traj, dcf = _single(example, "traj", path), _single(example, "dcf", path)
        return Measurement(ksp, maps, None, reference, traj, dcf, shared)
    mask = _single(example, "masks", path)
    mask = sampling_mask(ksp) if mask is None else np.broadcast_to(mask, ksp.shape[1:]).copy()
    return Measurement(ksp * mask, maps, mask, reference, shared=shared)


def _has_shares(shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether some coils can be read without the others, of which nothing is to be estimated."""
    known = "masks" in shapes or "traj" in shapes
    return known and "maps" in shapes and shapes["maps"][1] == shapes["ksp"][1]


def write(path: Path, x: np.ndarray) -> None:
    """Write an image as the only example of `imgs`."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("imgs", data=x[None])


@contextlib.contextmanager
def intact(where: str, what: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into an error that names the file.

    Args:
        where: Who reads, the beginning of the message.
        what: What is read in the block, which does nothing else: the path, or a part of the file.

    Raises:
        ValueError: If h5py fails in any of its ways.
    """
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{where}: {what} must be of a whole HDF5 file, got one that cannot be read "
            f"({reason}). It may be cut short; copy it again."
        ) from error


def _check(found: dict[str, tuple[tuple[int, ...], np.dtype]], index: int) -> None:
    """Check shapes against that of `ksp`, frame axes may be of length 1, and that all are numbers.

    Both before any is read: HDF5 may write beyond the memory for types that it was not meant for.
    """
    expected = _expected({key: shape[1:] for key, (shape, _) in found.items()})
    for key, (shape, dtype) in found.items():
        n, *axes = shape
        wanted = expected.get(key, tuple(axes))
        fits = len(axes) == len(wanted) and all(
            a in (1, b) for a, b in zip(axes, wanted, strict=True)
        )
        if index >= n or not fits:
            raise ValueError(
                f"read_kspace: {key!r} must have shape (example, "
                f"{', '.join(map(str, wanted))}) as the others have, got {shape}. Write all keys "
                "for the same examples."
            )
        if dtype.kind not in _KINDS[key]:
            raise TypeError(
                f"read_kspace: {key!r} must be {'real ' * (key in _REAL)}numbers, got {dtype}. "
                "Convert it."
            )


def _expected(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shape of an example of each key of which others tell it."""
    coil, *axes = shapes["ksp"]
    if "traj" not in shapes:
        space = tuple(axes)
        return {"masks": space, "maps": (coil, *space), "imgs": space}
    expected = {"dcf": shapes["traj"][:-1]}
    if "maps" in shapes and "imgs" in shapes:
        expected |= {"maps": (coil, *shapes["imgs"])}
    return expected


def _single(example: dict[str, np.ndarray], key: str, path: Path) -> np.ndarray | None:
    """Array of an example in single precision, checked to be finite; None if there is none."""
    if key not in example:
        return None
    with np.errstate(over="ignore"):  # what single precision cannot hold becomes Inf, refused
        single = example[key].astype(np.float32 if key in _REAL else np.complex64)
    return checked_finite(single, key, path)
