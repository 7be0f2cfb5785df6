"""Estimating what a forward model needs to know from the measurements themselves."""

from reconic.calibrate.centre import cartesian_centre
from reconic.calibrate.dcf import pipe_menon, ramp, voronoi
from reconic.calibrate.espirit import espirit
from reconic.calibrate.noise import noise_std

__all__ = ["cartesian_centre", "espirit", "noise_std", "pipe_menon", "ramp", "voronoi"]
