"""Simulated examples: anatomy, phase, coils, sampling masks and noise."""

from reconic.simulate.anatomy import head_slice, plain_slice, sagittal_head
from reconic.simulate.coils import coil_maps
from reconic.simulate.dataset import make_dataset
from reconic.simulate.example import random_example
from reconic.simulate.masks import poisson_disc, uniform_1d, variable_density_1d
from reconic.simulate.noise import complex_noise
from reconic.simulate.phantoms import shepp_logan
from reconic.simulate.phase import random_phase
from reconic.simulate.photographs import photograph
from reconic.simulate.recipe import Recipe
from reconic.simulate.trajectories import (
    angles,
    epi,
    koosh_ball,
    radial,
    rosette,
    spiral,
    stack,
)
from reconic.simulate.volumes import Volume, load_volume

__all__ = [
    "Recipe",
    "Volume",
    "angles",
    "coil_maps",
    "complex_noise",
    "epi",
    "head_slice",
    "koosh_ball",
    "load_volume",
    "make_dataset",
    "photograph",
    "plain_slice",
    "poisson_disc",
    "radial",
    "random_example",
    "random_phase",
    "rosette",
    "sagittal_head",
    "shepp_logan",
    "spiral",
    "stack",
    "uniform_1d",
    "variable_density_1d",
]
