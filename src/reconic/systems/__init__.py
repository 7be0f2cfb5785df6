"""Forward models, one per file."""

from reconic.operator import Identity
from reconic.systems.cartesian_mri import CartesianMRI

__all__ = ["CartesianMRI", "Identity"]
