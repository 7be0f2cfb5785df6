"""Methods scored on the same slices: means, and paired differences with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from reconic.track.slices import Scores

__all__ = ["Difference", "differences_from", "paired_difference"]


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences and its confidence interval.

    Attributes:
        mean: Mean of a - b.
        low: Lower end of the interval, NaN for less than two pairs.
        high: Upper end.
        n: Number of pairs.
    """

    mean: float
    low: float
    high: float
    n: int


def paired_difference(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Difference:
    """Mean of a - b over the slices that both have, with Student's t interval.

    With d = a - b of n slices, mean d ± t_{(1+level)/2, n-1} s_d / √n. The interval holds for
    slices drawn independently; slices of one volume are alike, which makes it too narrow.

    Args:
        a: Scores by slice.
        b: Scores of the same slices, from the first on; the longer one is cut.
        level: Confidence, between 0 and 1.

    Raises:
        ValueError: If `level` is not between 0 and 1.

    References:
        Student, The probable error of a mean, Biometrika 6:1 (1908).
    """
    if not 0 < level < 1:
        raise ValueError(
            f"paired_difference: `level` must be between 0 and 1, got {level}. 0.95 is usual."
        )
    n = min(len(a), len(b))
    d = np.asarray(a[:n], np.float64) - np.asarray(b[:n], np.float64)
    mean = float(np.mean(d)) if n else math.nan
    if n < 2:
        return Difference(mean, math.nan, math.nan, n)
    half = float(stdtrit(n - 1, (1 + level) / 2) * np.std(d, ddof=1) / np.sqrt(n))
    return Difference(mean, mean - half, mean + half, n)


def differences_from(
    reference: str, scores: Scores, level: float = 0.95
) -> dict[str, dict[str, Difference]]:
    """Paired differences of every other method from a reference, by method and metric.

    Args:
        reference: Method to subtract.
        scores: Scores of all methods.
        level: Confidence of the intervals.

    Raises:
        KeyError: If there is no such method.
    """
    if reference not in scores:
        raise KeyError(
            f"differences_from: `reference` must be one of {', '.join(scores)}, got {reference!r}."
        )
    return {
        name: {m: paired_difference(v, scores[reference][m], level) for m, v in values.items()}
        for name, values in scores.items()
        if name != reference
    }
