"""Arrays in files, read in blocks along the order of the file, so that neighbours cost nothing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from reconic.view.lazy import Lazy, host

__all__ = ["Stored"]

_RUN = 2**16  # bytes that are read in one go: where they are fewer, most of the time is searching
_LARGEST = 2**25  # bytes of a block
_KEPT = 4  # blocks: of three planes, and of a curve

Box = tuple[tuple[int, int], ...]


class Stored:
    """An array in a file; what the file gives along with what is asked for is read and kept.

    A plane across the order of a file touches as many places of it as its neighbours do, or the
    same compressed chunks. So a block of them, of 32 MB at most, is read at once. A plane along the
    order of a file is read alone.

    Args:
        array: Array in a file.
        chunks: Lengths of its chunks; None where it is in one piece.
        order: Axes from the slowest to the fastest, of what is in one piece; None is (0, 1, …).
    """

    def __init__(
        self,
        array: Lazy,
        chunks: Sequence[int] | None = None,
        order: Sequence[int] | None = None,
    ) -> None:
        self._array, self._chunks = array, chunks
        self._order = range(len(array.shape)) if order is None else order
        self.shape, self.dtype = tuple(array.shape), array.dtype
        self._blocks: deque[tuple[Box, np.ndarray]] = deque(maxlen=_KEPT)

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        spans = [_span(k, n) for k, n in zip(key, self.shape, strict=True)]
        if any(step != 1 for _, _, step in spans):
            return host(self._array[tuple(key)])
        around, block = self._block(tuple((start, stop) for start, stop, _ in spans))
        inside = (
            slice(start - low, stop - low) if isinstance(k, slice) else start - low
            for k, (start, stop, _), (low, _) in zip(key, spans, around, strict=True)
        )
        return block[tuple(inside)]

    def _block(self, box: Box) -> tuple[Box, np.ndarray]:
        """A block around a box: one that was kept, or is read now."""
        for around, block in self._blocks:
            if all(a <= x and y <= b for (x, y), (a, b) in zip(box, around, strict=True)):
                return around, block
        around = self._around(box)
        block = host(self._array[tuple(slice(*span) for span in around)])
        if around != box:
            self._blocks.append((around, block))
        return around, block

    def _around(self, box: Box) -> Box:
        """The box, grown to whole chunks, or to long runs of the fastest axes, while there is room.

        Blocks begin at multiples of their lengths, so that they do not overlap.
        """
        grown, run = list(box), self.dtype.itemsize
        for axis in reversed(self._order):
            (start, stop), n = box[axis], self.shape[axis]
            room = (stop - start) * _LARGEST // self._bytes(grown)
            step = min(self._chunks[axis] if self._chunks else math.ceil(_RUN / run), room)
            if step > stop - start:
                grown[axis] = (start // step * step, min(n, -(-stop // step) * step))
            run *= grown[axis][1] - grown[axis][0]
        return tuple(grown)

    def _bytes(self, box: Sequence[tuple[int, int]]) -> int:
        return self.dtype.itemsize * math.prod(stop - start for start, stop in box)


def _span(key: int | slice, n: int) -> tuple[int, int, int]:
    """Start, stop and step."""
    return key.indices(n) if isinstance(key, slice) else (key, key + 1, 1)
