"""Priors: functionals with a value and a proximal map, written against the array standard."""

from reconic.priors.base import Prior
from reconic.priors.constraints import L2Ball, NonNegative
from reconic.priors.cycle_spin import CycleSpin
from reconic.priors.l1 import L1, soft_threshold
from reconic.priors.low_rank import LocallyLowRank
from reconic.priors.tv import TV
from reconic.priors.wavelet import Wavelet

__all__ = [
    "L1",
    "TV",
    "CycleSpin",
    "L2Ball",
    "LocallyLowRank",
    "NonNegative",
    "Prior",
    "Wavelet",
    "soft_threshold",
]
