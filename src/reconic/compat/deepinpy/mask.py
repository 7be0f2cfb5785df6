"""DeepInPy's option `fully_sampled`."""

from __future__ import annotations

import numpy as np

from reconic.train.masks import RandomMask

__all__ = ["FullySampled"]


class FullySampled(RandomMask):
    """All of k-space, whatever masks a file holds."""

    def __init__(self) -> None:
        super().__init__(acceleration=1.0)

    def draw(
        self,
        shape: tuple[int, int],
        acceleration: float,  # noqa: ARG002
        rng: np.random.Generator,  # noqa: ARG002
    ) -> np.ndarray:
        return np.ones(shape)
