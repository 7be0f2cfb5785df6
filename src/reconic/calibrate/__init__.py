"""Estimating what a forward model needs to know from the measurements themselves."""

from reconic.calibrate.espirit import espirit
from reconic.calibrate.noise import noise_std

__all__ = ["espirit", "noise_std"]
