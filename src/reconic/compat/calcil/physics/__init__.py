"""CalCIL's physics."""

from reconic.compat.calcil.physics import wave_optics

__all__ = ["wave_optics"]
