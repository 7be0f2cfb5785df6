"""Forward models, one per file."""

from reconic.operator import Identity
from reconic.systems.cartesian_mri import CartesianMRI
from reconic.systems.convolution import Convolution
from reconic.systems.noncartesian_mri import NonCartesianMRI
from reconic.systems.off_resonance_mri import OffResonanceMRI
from reconic.systems.subspace_mri import SubspaceMRI
from reconic.systems.wave_optics import AngularSpectrum

__all__ = [
    "AngularSpectrum",
    "CartesianMRI",
    "Convolution",
    "Identity",
    "NonCartesianMRI",
    "OffResonanceMRI",
    "SubspaceMRI",
]
