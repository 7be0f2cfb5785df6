"""Images of methods by slice, in one HDF5 file: `/METHOD/INDEX`, written as they are made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from reconic.io import atomic_path

__all__ = ["TRUTH", "ImageFile", "read_image"]

TRUTH = "truth"  # the true images' place among the methods


class ImageFile:
    """Writes images of any shapes as they come, so that memory does not grow, and reads them back.

    Args:
        file: Open HDF5 file.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    @classmethod
    @contextlib.contextmanager
    def create(cls, path: Path, keep: bool = True) -> Iterator[ImageFile]:
        """New file, which appears whole at the end; one that is not to be kept goes."""
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            yield cls(file)
        if not keep:
            path.unlink()

    def add(self, method: str, first: int, images: np.ndarray) -> None:
        """Write images (batch, *shape) of a method, of slices from `first` on."""
        for i, x in enumerate(images, start=first):
            self._file[f"{method}/{i}"] = x

    def read(self, method: str, index: int) -> np.ndarray:
        """Image of a method that was added."""
        return np.asarray(self._file[f"{method}/{index}"])


def read_image(path: Path, method: str, index: int) -> np.ndarray | None:
    """Image from a file that may not be there, or may lack it."""
    if not path.is_file():
        return None
    with h5py.File(path) as file:
        return ImageFile(file).read(method, index) if f"{method}/{index}" in file else None
