"""Arrays seen differently, without reading or copying them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from reconic._array import is_array, is_torch_array, to_numpy

__all__ = ["Centred", "Lazy", "Lead", "Part", "host"]


@runtime_checkable
class Lazy(Protocol):
    """What can be looked at: it tells its shape and gives parts of itself by integers and slices.

    NumPy, torch, JAX, h5py, zarr and memory-mapped arrays do.
    """

    @property
    def shape(self) -> Sequence[int]:
        """Lengths of the axes."""
        ...

    @property
    def dtype(self) -> Any:
        """Kind of the values."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """The part at a tuple of integers and slices, one for each axis."""
        ...


class Lead:
    """An array with leading axes of length 1, so that it has `ndim`."""

    def __init__(self, array: Lazy, ndim: int) -> None:
        self._array, self._n = array, ndim - len(array.shape)
        self.shape = (1,) * self._n + tuple(array.shape)
        self.dtype = array.dtype

    def __getitem__(self, key: Sequence[int | slice]) -> Any:
        kept = sum(isinstance(k, slice) for k in key[: self._n])
        return self._array[tuple(key[self._n :])][(None,) * kept + (...,)]


class Part:
    """One element of an array along an axis, as an array of its own."""

    def __init__(self, array: Lazy, axis: int, index: int) -> None:
        self._array, self._axis, self._index = array, axis, index
        self.shape = tuple(n for a, n in enumerate(array.shape) if a != axis)
        self.dtype = array.dtype

    def __getitem__(self, key: Sequence[int | slice]) -> Any:
        return self._array[(*key[: self._axis], self._index, *key[self._axis :])]


class Centred:
    """An array whose index 0 along `axes` is seen at n // 2, as by `numpy.fft.fftshift`."""

    def __init__(self, array: Lazy, axes: Sequence[int]) -> None:
        self._array, self._axes = array, axes
        self.shape, self.dtype = tuple(array.shape), array.dtype

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        inside = list(key)
        for a in self._axes:
            k, n = key[a], self.shape[a]
            inside[a] = (k - n // 2) % n if isinstance(k, int) else slice(None)
        x = host(self._array[tuple(inside)])
        kept = [a for a, k in enumerate(key) if isinstance(k, slice)]
        for a in self._axes:
            if a in kept:
                x = np.fft.fftshift(x, kept.index(a))
        return x[tuple(key[a] if a in self._axes else slice(None) for a in kept)]


def host(x: Any) -> np.ndarray:
    """`x` in host memory, of a dtype that NumPy calculates with.

    Raises:
        TypeError: If it holds no numbers.
    """
    if is_torch_array(x) and str(x.dtype) == "torch.bfloat16":
        x = x.float()
    a = to_numpy(x) if is_array(x) else np.asarray(x)
    if a.dtype.kind == "b":
        return a.astype(np.uint8)
    if a.dtype.kind == "V" and a.dtype.names is None:  # bfloat16 and its like, from JAX
        return a.astype(np.float32)
    if a.dtype.kind not in "iufc":
        raise TypeError(f"view: values must be numbers, got {a.dtype}.")
    return a
