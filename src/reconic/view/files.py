"""Arrays in files, opened so that only what is looked at is read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reconic.io import read_cfl
from reconic.view.given import mapped
from reconic.view.ismrmrd import is_raw, open_raw
from reconic.view.lazy import Lazy
from reconic.view.opened import NotShown, Opened
from reconic.view.stored import Stored

__all__ = ["open_array"]

_PARTS = ("real", "imag")  # of complex values, as ISMRMRD and MATLAB store them


def open_array(path: str | Path, key: str | None = None) -> Opened:
    """Open an array without reading it all, as far as its format allows.

    Args:
        path: .npy, .npz, .h5, .hdf5 or .mat (v7.3), .cfl or .hdr, .nii or .nii.gz, .tif or .tiff,
            or a .zarr folder. An .h5 file may hold raw data of ISMRMRD.
        key: Which data set of a file that holds several, such as "dataset/image_0/data".

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If there is no data set, none named `key`, or several and no key; lists them.
        ValueError: If the ending is unknown, or the file cannot be read, as one that is cut short,
            or holds no readouts of an image.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"open_array: `path` must be a file, got {str(path)!r}.")
    ending = next((e for e in _OPEN if path.name.lower().endswith(e)), None)
    if ending is None:
        raise ValueError(
            f"open_array: `path` must end in one of {', '.join(_OPEN)}, or be a run folder, got "
            f"{path.name!r}."
        )
    try:
        return _OPEN[ending](path, key)
    except (KeyError, ImportError, FileNotFoundError, NotShown):
        raise
    except Exception as error:  # each library has its own for a file that is not whole
        raise ValueError(
            f"open_array: {path} must be a whole file, got one that cannot be read "
            f"({str(error).partition(chr(10))[0]}). It may be cut short, or still be written."
        ) from error


def _npy(path: Path, key: str | None) -> Opened:  # noqa: ARG001
    return Opened(np.load(path, mmap_mode="r"))


def _npz(path: Path, key: str | None) -> Opened:
    with path.open("rb") as whole, np.load(whole) as file:
        return Opened(file[_chosen(path, key, dict.fromkeys(file.files, "array"))])


def _hdf5(path: Path, key: str | None) -> Opened:
    import h5py

    file = h5py.File(path)  # stays open as long as its data set
    found: dict[str, str] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim:
            if is_raw(item.dtype):
                found[name] = f"{item.shape} readouts"
            elif item.dtype.names == _PARTS:
                found[name] = f"{item.shape} complex"
            elif item.dtype.kind in "biufc":
                found[name] = f"{item.shape} {item.dtype}"

    file.visititems(visit)
    name = _chosen(path, key, found)
    data: Any = file[name]
    if is_raw(data.dtype):
        xml: Any = file.get(f"{name.rpartition('/')[0]}/xml")
        return open_raw(data, b"" if xml is None else np.ravel(xml[()])[0])
    if not data.dtype.names:
        return Opened(data)
    return Opened(Stored(_Paired(mapped(data)), data.chunks))


class _Paired:
    """Complex values that are stored as records of a real and an imaginary part."""

    def __init__(self, array: Lazy) -> None:
        self._array = array
        self.shape = tuple(array.shape)
        self.dtype = np.result_type(array.dtype[0], np.complex64)

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        part = self._array[tuple(key)]
        real, imaginary = (part[name] for name in _PARTS)
        return np.asarray(real + 1j * imaginary, self.dtype)


class _Reversed:
    """An array with its axes in the opposite order."""

    def __init__(self, array: Lazy) -> None:
        self._array = array
        self.shape, self.dtype = tuple(array.shape)[::-1], array.dtype

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        return np.asarray(self._array[tuple(key)[::-1]]).T


def _cfl(path: Path, key: str | None) -> Opened:  # noqa: ARG001
    a = read_cfl(path)
    dropped = tuple(i for i in range(a.ndim - 2) if a.shape[i] == 1)
    return Opened(a.squeeze(dropped))


def _nifti(path: Path, key: str | None) -> Opened:  # noqa: ARG001
    import nibabel

    image: Any = nibabel.load(path)
    zooms = tuple(float(z) for z in image.header.get_zooms()[:3])
    return Opened(Stored(_Reversed(image.dataobj)), zooms[::-1])


def _tiff(path: Path, key: str | None) -> Opened:  # noqa: ARG001
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            "open_array: .tiff must have tifffile, got none. Try `pip install 'reconic[io]'`."
        ) from error
    try:
        return Opened(tifffile.memmap(path, mode="r"))
    except ValueError:  # compressed, so that it cannot be mapped
        return Opened(tifffile.imread(path))


def _zarr(path: Path, key: str | None) -> Opened:
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            "open_array: .zarr must have zarr, got none. Try `pip install 'reconic[io]'`."
        ) from error
    found: Any = zarr.open(path, mode="r")
    if not isinstance(found, zarr.Group):
        return Opened(found)
    return Opened(found[_chosen(path, key, {k: str(a.shape) for k, a in found.arrays()})])


_OPEN: dict[str, Callable[[Path, str | None], Opened]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".mat": _hdf5,
    ".cfl": _cfl,
    ".hdr": _cfl,
    ".nii": _nifti,
    ".nii.gz": _nifti,
    ".tif": _tiff,
    ".tiff": _tiff,
    ".zarr": _zarr,
}


def _chosen(path: Path, key: str | None, found: dict[str, str]) -> str:
    """`key` if it is there, or the only one."""
    if key is None and len(found) == 1:
        return next(iter(found))
    if key in found:
        return key
    if not found:
        raise KeyError(f"open_array: {path} must hold an array, got none. Choose another file.")
    listed = ", ".join(f"{name} {kind}" for name, kind in found.items())
    raise KeyError(
        f"open_array: `key` must be one of the data sets of {path.name} ({listed}), got {key!r}. "
        f"Try `reconic view {shlex.quote(str(path))} --key {next(iter(found))}`."
    )
