"""What a viewing function is given, as an array that can be read in parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from reconic.view.lazy import Lazy
from reconic.view.stored import Stored

__all__ = ["lazy", "mapped"]


def lazy(array: Any, where: str, name: str) -> Lazy:
    """`array`, or one made of it where it is none yet, as of nested lists; files in blocks.

    Args:
        array: As `Source` takes it.
        where: Function that it was passed to, for errors.
        name: Argument that it was passed as.

    Raises:
        ValueError: If lists are of unequal lengths.
    """
    if isinstance(array, Lazy):
        return _in_blocks(array)
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"{where}: `{name}` must be an array, got nested lists of unequal lengths. Pass them "
            "one by one."
        ) from error


def _in_blocks(array: Lazy) -> Lazy:
    """What is in a file is read in blocks; all else as it is."""
    library = type(array).__module__.partition(".")[0]
    if library not in ("h5py", "zarr") and not isinstance(array, np.memmap):
        return array
    found: Any = mapped(array) if library == "h5py" else array
    if isinstance(found, np.memmap):
        strides = [abs(s) for s in found.strides]
        return Stored(found, order=sorted(range(found.ndim), key=lambda a: -strides[a]))
    return Stored(found, found.chunks)


def mapped(data: Any) -> Any:
    """A data set of HDF5, mapped into memory where it is in one piece, unchanged, in a plain file.

    Across the order of a file HDF5 reads value by value, some hundred times slower.

    Args:
        data: `h5py.Dataset`.
    """
    offset, file = data.id.get_offset(), data.file
    plain = file.mode == "r" and file.driver == "sec2" and not data.external
    if offset is None or not plain or data.id.get_type().get_size() != data.dtype.itemsize:
        return data
    return np.memmap(file.filename, data.dtype, "r", offset, data.shape)
