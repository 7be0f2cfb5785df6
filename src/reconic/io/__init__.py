"""Reading k-space and writing images; the ending of the path names the format.

A new format is one file with `read` or `write`, and one line in the tables below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from reconic.io import cfl, hdf5, nifti, npy
from reconic.io.atomic import atomic_path
from reconic.io.cfl import read_cfl, write_cfl
from reconic.io.measurement import Measurement, Share, sampling_mask
from reconic.io.shards import Source, example_files
from reconic.io.trajectory import read_trajectory, with_trajectory

__all__ = [
    "READERS",
    "WRITERS",
    "Measurement",
    "Share",
    "Source",
    "atomic_path",
    "example_files",
    "read_cfl",
    "read_kspace",
    "read_trajectory",
    "sampling_mask",
    "with_trajectory",
    "write_cfl",
    "write_image",
]

READERS: dict[str, Callable[[Path, int, Share | None], Measurement]] = {
    ".npy": npy.read,
    ".cfl": cfl.read,
    ".hdr": cfl.read,
    ".h5": hdf5.read,
    ".hdf5": hdf5.read,
}
WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    ".npy": npy.write,
    ".cfl": cfl.write,
    ".h5": hdf5.write,
    ".hdf5": hdf5.write,
    ".nii": nifti.write,
    ".nii.gz": nifti.write,
}


def read_kspace(path: str | Path, index: int = 0, share: Share | None = None) -> Measurement:
    """Read the k-space of one scan, and what is stored with it.

    Args:
        path: File in NumPy's .npy, BART's .cfl/.hdr or DeepInPy's HDF5 layout (.h5, .hdf5).
        index: Which example of a file that holds several; 0 where it holds one.
        share: Tells which coils to read, from their number; None reads all. All are read, too, of
            a file without maps, or without a mask or a trajectory, which come of all coils.

    Returns:
        The measurement: complex64 k-space `(coil, [frames,] [nz,] ny, nx)` and its mask; maps and
        reference image where the file has them; where it has a trajectory, that, its density
        weights, and no mask.

    Raises:
        FileNotFoundError: If the file, or the other one of a pair, is missing.
        KeyError: If an HDF5 file has no k-space; lists what it has.
        IndexError: If there is no example `index`.
        TypeError: If the data are real.
        ValueError: If the ending is unknown, the file is cut short, or the data have a wrong rank
            or hold only zeros, NaN or Inf.
    """
    path = Path(path)
    found = READERS[ending(path, READERS, "read_kspace")](path, index, share)
    if not found.shared and not found.ksp.any():  # some coils of a scan may have none
        raise ValueError(
            f"read_kspace: the k-space in {path.name} must hold samples, got zeros alone. Export "
            "it again."
        )
    return found


def write_image(path: str | Path, x: np.ndarray) -> None:
    """Write one image in the format that the ending of `path` names; the file appears whole.

    Args:
        path: Ends in .npy (as it is), .cfl (BART, with its .hdr), .h5 or .hdf5 (DeepInPy's `imgs`,
            one example), .nii or .nii.gz (magnitude; the phase in a second file `…_phase`).
        x: Image `([frames,] [nz,] ny, nx)`, real or complex.

    Raises:
        FileNotFoundError: If the folder does not exist.
        TypeError: If `x` is not numeric.
        ValueError: If the ending is unknown, or `x` has fewer than 2 or more than 4 axes.
    """
    path = Path(path)
    write = WRITERS[ending(path, WRITERS, "write_image")]
    x = np.asarray(x)
    if x.dtype.kind not in "biufc":
        raise TypeError(f"write_image: `x` must be numeric, got {x.dtype}. Pass a NumPy array.")
    if not 2 <= x.ndim <= 4:
        raise ValueError(
            f"write_image: `x` must have shape ([frames,] [nz,] ny, nx), got {x.shape}. "
            "Write one image at a time."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"write_image: the folder of `path` must exist, got {str(path)!r}. Create it first."
        )
    write(path, x)


def ending(path: Path, known: Iterable[str], where: str) -> str:
    """The one of the `known` endings that `path` has, whatever its case.

    Raises:
        ValueError: If it has none of them; lists those known.
    """
    found = next((e for e in known if path.name.lower().endswith(e)), None)
    if found is None:
        raise ValueError(
            f"{where}: `path` must end in one of {', '.join(known)}, got {path.name!r}. "
            "Rename or convert the file."
        )
    return found
