"""CalCIL's modules, names, arguments and return values, on `reconic.descent`.

A script runs when its imports change from `calcil` to `reconic.compat.calcil`. What CalCIL got
wrong is right here; docs/migrate-from-calcil.md names each difference.
"""

import importlib
from types import ModuleType

from reconic.compat.calcil import (
    data_utils,
    dataclasses,
    loss,
    phantom,
    physics,
    reconstruction,
    signal,
)
from reconic.compat.calcil.data_utils import loader_from_numpy
from reconic.compat.calcil.loss import Loss, get_l2_loss, get_weight_l2_reg
from reconic.compat.calcil.reconstruction import (
    ReconIterParameters,
    ReconVarParameters,
    load_checkpoint_and_output,
    load_tensorboard_log,
    reconstruct_multivars_sgd,
    reconstruct_sgd,
)

__all__ = [
    "Loss",
    "ReconIterParameters",
    "ReconVarParameters",
    "data_utils",
    "dataclasses",
    "get_l2_loss",
    "get_weight_l2_reg",
    "load_checkpoint_and_output",
    "load_tensorboard_log",
    "loader_from_numpy",
    "loss",
    "phantom",
    "physics",
    "reconstruct_multivars_sgd",
    "reconstruct_sgd",
    "reconstruction",
    "signal",
]


def __getattr__(name: str) -> ModuleType:
    if name != "forward":  # only when asked for, since it alone needs Flax
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.forward")
