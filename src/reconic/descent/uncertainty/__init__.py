"""How sure a reconstruction is: ensembles and samples, with their standard deviation."""

from reconic.descent.uncertainty.ensemble import Ensemble, ensemble
from reconic.descent.uncertainty.langevin import langevin
from reconic.descent.uncertainty.resample import bootstrap, gaussian_noise, gaussian_temperature
from reconic.descent.uncertainty.sampling import Samples, sample
from reconic.descent.uncertainty.spread import Spread

__all__ = [
    "Ensemble",
    "Samples",
    "Spread",
    "bootstrap",
    "ensemble",
    "gaussian_noise",
    "gaussian_temperature",
    "langevin",
    "sample",
]
