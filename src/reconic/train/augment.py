"""Augmentation that is exact: the changed image, maps, mask and k-space still fit each other."""

from __future__ import annotations

import numpy as np

__all__ = ["augment", "reverse"]


def augment(example: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Turn an example by random reversals, a transposition if it is square, and a global phase.

    Args:
        example: `y`, and `x`, `maps` and `mask` where there are any, of which the last two axes
            are space or k-space.
        rng: Source of randomness.

    Returns:
        The example with the same keys, y = A x as before.
    """
    axes = [axis for axis in (-2, -1) if rng.uniform() < 0.5]
    square = example["y"].shape[-1] == example["y"].shape[-2]
    transposed = rng.uniform() < 0.5 and square
    phase = np.complex64(np.exp(2j * np.pi * rng.uniform()))

    def turn(a: np.ndarray) -> np.ndarray:
        for axis in axes:
            a = reverse(a, axis)
        return np.swapaxes(a, -1, -2) if transposed else a

    turned = {name: turn(a) for name, a in example.items()}
    return {name: a * phase if name in ("x", "y") else a for name, a in turned.items()}


def reverse(a: np.ndarray, axis: int) -> np.ndarray:
    """Reverse an axis about its centre n//2, periodically: index i goes to (2 (n//2) - i) mod n.

    The centred Fourier transform of the reversed image is the reversed Fourier transform, for odd
    and even n. For odd n this is a plain flip; for even n index 0 stays in place.
    """
    flipped = np.flip(a, axis)
    return flipped if a.shape[axis] % 2 else np.roll(flipped, 1, axis)
