"""The Lightning engine: trains any Recon on examples, with one command or from Python."""

from reconic.train.data import ReconData
from reconic.train.dataset import ReconDataset
from reconic.train.denoising import Denoising
from reconic.train.engine import Checkpoint, Fit, fit
from reconic.train.evaluate import best_lam, evaluate
from reconic.train.interrupt import Interrupted
from reconic.train.load import load_run
from reconic.train.losses import (
    ComplexL1,
    ComplexL2,
    KSpaceLoss,
    Loss,
    MagnitudeL1,
    MagnitudeL2,
    SSIMLoss,
    WeightedSum,
)
from reconic.train.module import ReconModule
from reconic.train.ranks import Ranks, coil_share, spread_coils
from reconic.train.schedule import Schedule, WarmCosine
from reconic.train.self_supervised import SSDU, SURE, EquivariantImaging, Noise2Noise
from reconic.train.system import SystemFactory

__all__ = [
    "SSDU",
    "SURE",
    "Checkpoint",
    "ComplexL1",
    "ComplexL2",
    "Denoising",
    "EquivariantImaging",
    "Fit",
    "Interrupted",
    "KSpaceLoss",
    "Loss",
    "MagnitudeL1",
    "MagnitudeL2",
    "Noise2Noise",
    "Ranks",
    "ReconData",
    "ReconDataset",
    "ReconModule",
    "SSIMLoss",
    "Schedule",
    "SystemFactory",
    "WarmCosine",
    "WeightedSum",
    "best_lam",
    "coil_share",
    "evaluate",
    "fit",
    "load_run",
    "spread_coils",
]
