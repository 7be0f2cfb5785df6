"""Sampling masks that are drawn anew for each example and epoch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np

from reconic.simulate.masks import poisson_disc, uniform_1d, variable_density_1d

__all__ = ["PoissonDisc", "RandomMask", "UniformLines", "VariableDensityLines"]


class RandomMask(ABC):
    """Mask for fully sampled k-space, drawn at random.

    A subclass of yours, which writes `draw`, can stand in a config by its import path.

    Args:
        acceleration: Samples in all divided by samples taken; of two numbers, a value between
            them is drawn, uniformly in its logarithm.
        per_frame: Whether each plane along the axes before the last two has a mask of its own, as
            the frames of a dynamic scan; otherwise they share one, as volumes sampled along two
            phase-encoding axes do.

    Raises:
        ValueError: If an acceleration is below 1, or the smallest above the largest.
    """

    def __init__(
        self, acceleration: float | tuple[float, float] = 4.0, per_frame: bool = False
    ) -> None:
        low, high = acceleration if isinstance(acceleration, tuple) else (acceleration,) * 2
        if not 1 <= low <= high:
            raise ValueError(
                f"{type(self).__name__}: `acceleration` must be at least 1, or a smallest and a "
                f"largest value, got {acceleration}."
            )
        self.accelerations = low, high
        self.per_frame = per_frame

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Draw a mask.

        Args:
            shape: k-space shape ([frames,] [nz,] ny, nx), without coils.
            rng: Source of randomness.

        Returns:
            float32 mask of `shape`, or with ones for the axes before the last two.
        """
        low, high = self.accelerations
        acceleration = math.exp(rng.uniform(math.log(low), math.log(high)))
        outer = shape[:-2] if self.per_frame else (1,) * len(shape[:-2])
        planes = [
            self.draw((shape[-2], shape[-1]), acceleration, rng) for _ in range(math.prod(outer))
        ]
        return np.stack(planes).astype(np.float32).reshape(*outer, *shape[-2:])

    @abstractmethod
    def draw(
        self, shape: tuple[int, int], acceleration: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Mask (ny, nx) of one plane, 1 where sampled, else 0."""


class UniformLines(RandomMask):
    """Whole lines, evenly spaced outside a fully sampled centre; see `simulate.uniform_1d`.

    Args:
        acceleration: Lines in all divided by lines taken; of two numbers, one between them.
        per_frame: Whether each frame has a mask of its own.
        n_calib: Lines of the centre.
        axis: Axis along which lines are skipped, 0 (ny) or 1 (nx).
    """

    def __init__(
        self,
        acceleration: float | tuple[float, float] = 4.0,
        per_frame: bool = False,
        n_calib: int = 24,
        axis: int = 0,
    ) -> None:
        super().__init__(acceleration, per_frame)
        self.n_calib = n_calib
        self.axis = axis

    def draw(
        self,
        shape: tuple[int, int],
        acceleration: float,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> np.ndarray:
        return uniform_1d(shape, acceleration, self.n_calib, self.axis)


class VariableDensityLines(RandomMask):
    """Whole lines, denser towards a fully sampled centre; see `simulate.variable_density_1d`.

    Args:
        acceleration: Lines in all divided by lines taken; of two numbers, one between them.
        per_frame: Whether each frame has a mask of its own.
        n_calib: Lines of the centre.
        axis: Axis along which lines are skipped, 0 (ny) or 1 (nx).
        power: Exponent of the density (1 - |k|)^power.
    """

    def __init__(
        self,
        acceleration: float | tuple[float, float] = 4.0,
        per_frame: bool = False,
        n_calib: int = 24,
        axis: int = 0,
        power: float = 3.0,
    ) -> None:
        super().__init__(acceleration, per_frame)
        self.n_calib = n_calib
        self.axis = axis
        self.power = power

    def draw(
        self, shape: tuple[int, int], acceleration: float, rng: np.random.Generator
    ) -> np.ndarray:
        return variable_density_1d(
            shape, acceleration, self.n_calib, self.axis, rng=rng, power=self.power
        )


class PoissonDisc(RandomMask):
    """Variable-density Poisson discs around a fully sampled centre; see `simulate.poisson_disc`.

    Args:
        acceleration: Samples in all divided by samples taken; of two numbers, one between them.
        per_frame: Whether each frame has a mask of its own.
        n_calib: Side of the centre.
        ellipse: Whether to leave out the corners of k-space.
        slope: Radius of the discs at the edge over that at the centre, less 1.
    """

    def __init__(
        self,
        acceleration: float | tuple[float, float] = 4.0,
        per_frame: bool = False,
        n_calib: int = 24,
        ellipse: bool = True,
        slope: float = 3.5,
    ) -> None:
        super().__init__(acceleration, per_frame)
        self.n_calib = n_calib
        self.ellipse = ellipse
        self.slope = slope

    def draw(
        self, shape: tuple[int, int], acceleration: float, rng: np.random.Generator
    ) -> np.ndarray:
        return poisson_disc(
            shape, acceleration, self.n_calib, rng=rng, ellipse=self.ellipse, slope=self.slope
        )
