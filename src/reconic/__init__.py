"""Reconic: images from indirect measurements, by learning or optimisation, from one model A."""

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
