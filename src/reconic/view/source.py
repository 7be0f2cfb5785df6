"""Arrays that are looked at, of any library and of any size: only what is shown is read."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reconic._array import array_namespace, is_array
from reconic.view.given import lazy
from reconic.view.lazy import Lead, host

__all__ = ["Source"]

_SAMPLE = 1_000_000  # values that percentiles are taken of
_PLANES = 5  # planes that the sample is of
_BLOCK = 2**23  # values read at once for a projection


class Source:
    """An array, read plane by plane into host memory.

    Args:
        array: NumPy, torch (any device), JAX, h5py, zarr or memory-mapped array, nested lists of
            numbers, or any `Lazy`. Fewer than two axes gain leading ones, of length 1.
        where: Function that the array was passed to, for errors.
        name: Argument that it was passed as, for errors.

    Attributes:
        shape: Lengths of the axes, two or more.
        dtype: Kind of the values as NumPy names it; what NumPy cannot show as numbers has become
            uint8 (boolean) or float32 (bfloat16).

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    def __init__(self, array: Any, where: str = "view", name: str = "array") -> None:
        given = lazy(array, where, name)
        self._given = tuple(int(n) for n in given.shape)
        if math.prod(self._given) == 0:
            raise ValueError(
                f"{where}: `{name}` must have values, got shape {self._given}. Look at how it was "
                "made."
            )
        self._array = Lead(given, 2) if len(self._given) < 2 else given
        self.shape = (1,) * (2 - len(self._given)) + self._given
        try:
            self.dtype = self._read((0,) * self.ndim).dtype
        except TypeError as error:
            raise TypeError(
                f"{where}: `{name}` must be numeric, got {given.dtype}. Convert it first."
            ) from error

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_complex(self) -> bool:
        """Whether the values are complex."""
        return self.dtype.kind == "c"

    @property
    def in_memory(self) -> bool:
        """Whether it is in memory, of a host or a device, as far as is known; not in a file."""
        return is_array(self._array) and not isinstance(self._array, np.memmap)

    def lead(self, ndim: int) -> Source:
        """The same with leading axes of length 1, so that there are `ndim`."""
        return self if ndim == self.ndim else Source(Lead(self._array, ndim))

    @functools.cached_property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the data, or unexpected, each in a line; of the values of `sample`."""
        found = []
        if len(self._given) < 2:
            found.append(f"{len(self._given)}-D data of shape {self._given}: shown as one row.")
        if _is_bool(self._array):
            found.append("Boolean data: shown as 0 and 1.")
        values, finite = self.sample(), self.finite()
        if bad := values.size - finite.size:
            found.append(f"{bad} of {values.size} values looked at are NaN or Inf: shown green.")
        if finite.size > 1 and np.all(finite == finite[0]):
            found.append(f"All finite values looked at are {finite[0]:g}: there is no contrast.")
        return tuple(found)

    def plane(self, axes: tuple[int, int], index: Sequence[int]) -> np.ndarray:
        """One plane, on the host.

        Args:
            axes: Axis that goes down and axis that goes right.
            index: Where to cut, for each axis; of `axes` it does not count, and beyond an end the
                last is taken.

        Returns:
            Values (shape[axes[0]], shape[axes[1]]) in their own dtype.
        """
        plane = self._read(self._key(index, *axes))
        return plane if axes[0] < axes[1] else plane.T

    def projection(self, axes: tuple[int, int], index: Sequence[int], along: int) -> np.ndarray:
        """Largest magnitude along an axis, read in blocks; NaN where one is met.

        Args:
            axes: Axis that goes down and axis that goes right.
            index: Where to cut the other axes.
            along: Axis that is projected, none of `axes`.

        Returns:
            Real values (shape[axes[0]], shape[axes[1]]).
        """
        n, size = self.shape[along], self.shape[axes[0]] * self.shape[axes[1]]
        step, kept = max(1, _BLOCK // size), sorted((*axes, along)).index(along)
        key = self._key(index, *axes)
        found = None
        for start in range(0, n, step):
            key[along] = slice(start, min(start + step, n))
            block = _largest(self._array[tuple(key)], kept)
            found = block if found is None else np.maximum(found, block)
        assert found is not None
        return found if axes[0] < axes[1] else found.T

    def line(self, axis: int, index: Sequence[int]) -> np.ndarray:
        """Values (shape[axis],) along one axis through `index`, in their own dtype."""
        return self._read(self._key(index, axis))

    def sample(self) -> np.ndarray:
        """At most 1e6 values of some planes over the last two axes, through the middle too; flat.

        What percentiles and notes are taken of; the same at each call.
        """
        return self._sampled

    def finite(self) -> np.ndarray:
        """The values of `sample` that are neither NaN nor infinite."""
        return self._finite

    @functools.cached_property
    def _sampled(self) -> np.ndarray:
        *before, ny, nx = self.shape
        n = min(_PLANES, (math.prod(before) + 1) // 2 * 2 - 1)  # odd: one is the middle
        step = math.ceil(math.sqrt(ny * nx * n / _SAMPLE))
        last = [slice(length // 2 % step, None, step) for length in (ny, nx)]
        cuts = {tuple((2 * i + 1) * length // (2 * n) for length in before) for i in range(n)}
        planes = [self._read([*cut, *last]).ravel() for cut in sorted(cuts)]
        return np.concatenate(planes)[:_SAMPLE]

    @functools.cached_property
    def _finite(self) -> np.ndarray:
        return self._sampled[np.isfinite(self._sampled)]

    def _key(self, index: Sequence[int], *whole: int) -> list[Any]:
        """Integers within the array, and whole axes."""
        key: list[Any] = [
            min(max(int(i), 0), n - 1) for i, n in zip(index, self.shape, strict=True)
        ]
        for axis in whole:
            key[axis] = slice(None)
        return key

    def _read(self, key: Sequence[Any]) -> np.ndarray:
        return host(self._array[tuple(key)])


def _is_bool(x: Any) -> bool:
    return str(x.dtype).endswith("bool")


def _largest(x: Any, axis: int) -> np.ndarray:
    """Largest magnitude along an axis, found where the array is, so that only a plane travels."""
    if not is_array(x) or _is_bool(x):
        x = host(x)
    xp = array_namespace(x)
    return host(xp.max(xp.abs(x), axis=axis))
