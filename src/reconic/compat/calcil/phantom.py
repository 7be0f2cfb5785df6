"""CalCIL's phantom."""

from __future__ import annotations

import numpy as np

from reconic.simulate import shepp_logan

__all__ = ["generate_shepp_logan"]


def generate_shepp_logan(dim_yx: tuple[int, int]) -> np.ndarray:
    """Shepp–Logan phantom of a shape (ny, nx), real."""
    return np.real(np.asarray(shepp_logan(dim_yx)))
