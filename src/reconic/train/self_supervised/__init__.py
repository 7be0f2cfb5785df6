"""Losses that need no true images: only measurements, their system and what is known of noise."""

from reconic.train.self_supervised.equivariant import EquivariantImaging
from reconic.train.self_supervised.noise2noise import Noise2Noise
from reconic.train.self_supervised.splits import SSDU
from reconic.train.self_supervised.sure import SURE

__all__ = ["SSDU", "SURE", "EquivariantImaging", "Noise2Noise"]
