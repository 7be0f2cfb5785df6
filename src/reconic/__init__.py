"""Reconic: images from indirect measurements, by learning or optimisation, from one model A."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconic.metrics import nrmse, psnr, ssim
    from reconic.operator import LinearSystem, System, stack, static, system

__version__ = "0.1.0"

__all__ = [
    "LinearSystem",
    "System",
    "__version__",
    "nrmse",
    "psnr",
    "ssim",
    "stack",
    "static",
    "system",
]

_METRICS = ("nrmse", "psnr", "ssim")


def __getattr__(name: str) -> Any:
    """Names above, loaded when first asked for, so that `reconic --help` loads no array library."""
    if name not in __all__:
        raise AttributeError(f"module 'reconic' has no attribute {name!r}")
    home = importlib.import_module("reconic.metrics" if name in _METRICS else "reconic.operator")
    return getattr(home, name)
