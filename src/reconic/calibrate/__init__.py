"""Estimating what a forward model needs to know from the measurements themselves."""

from reconic.calibrate.espirit import espirit

__all__ = ["espirit"]
