"""The Lightning engine: trains any Recon on examples, with one command or from Python."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconic.train.data import ReconData
    from reconic.train.dataset import ReconDataset
    from reconic.train.denoising import Denoising
    from reconic.train.engine import Checkpoint, Fit, fit
    from reconic.train.evaluation import best_lam, evaluate
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

_HOMES = (  # in the order in which they take longer to load
    "interrupt", "ranks", "system", "load", "losses", "schedule", "self_supervised", "dataset",
    "denoising", "evaluation", "data", "module", "engine",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names above, loaded when first asked for: what needs no Lightning does not wait for it."""
    for home in _HOMES if name in __all__ else ():
        module = importlib.import_module(f"reconic.train.{home}")
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'reconic.train' has no attribute {name!r}")
