"""A mean with its standard deviation, for any tree of variables or images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reconic.descent.trees import format_path, split

__all__ = ["Spread"]


@dataclass(frozen=True)
class Spread:
    """How far values may lie from their mean.

    Attributes:
        mean: Mean, in the tree of the variables, or of what was made of them.
        std: Standard deviation of each value, real, in the same tree: (E|x - mean|²)^½, which
            for complex values counts the real and the imaginary part together.
    """

    mean: Any
    std: Any

    def plot(
        self, path: str | Path | None = None, truth: Mapping[str, np.ndarray] | None = None
    ) -> Figure:
        """Draw each image beside its standard deviation, and its error where the truth is known.

        Args:
            path: File to save to; its ending is the format. None does not save.
            truth: True images by name, which is the path in the tree, such as "object".

        Raises:
            ValueError: If there is no image, an array of two axes or more.
        """
        from reconic.view import spread_figure

        images = {name: (m, s) for name, m, s in self._named() if m.ndim >= 2}
        return spread_figure(images, path, truth)

    def _named(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        means, frame = split(self.mean)
        stds, _ = split(self.std)
        names = [format_path(p) if p else "image" for p in frame.paths]
        arrays = ((np.asarray(m), np.asarray(s)) for m, s in zip(means, stds, strict=True))
        return [(name, *pair) for name, pair in zip(names, arrays, strict=True)]
