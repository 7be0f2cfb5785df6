"""Gradient-descent reconstruction of one scene, in JAX: any variables, any forward model."""

try:
    import jax as _jax  # noqa: F401
    import optax as _optax  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"reconic.descent needs {error.name}: install it by `pip install 'reconic[descent]'`."
    ) from error

from reconic.descent.coils import spread_coils
from reconic.descent.data_terms import amplitude, cross_correlation, huber, l1, l2, poisson
from reconic.descent.engine import reconstruct
from reconic.descent.fit import Fit, load, plot_history
from reconic.descent.loss import Evaluation, Loss, Prediction, Term, term
from reconic.descent.optimizers import Optimizer, adam, frozen, optimizer, sgd
from reconic.descent.proximal import proximal
from reconic.descent.regularizers import nonnegative, tv, wavelet, weight_decay
from reconic.descent.second_order import gauss_newton, lbfgs
from reconic.descent.stopping import Criterion, HoldoutRises, Plateau
from reconic.descent.uncertainty import (
    Ensemble,
    Samples,
    Spread,
    bootstrap,
    ensemble,
    gaussian_noise,
    gaussian_temperature,
    langevin,
    sample,
)

__all__ = [
    "Criterion",
    "Ensemble",
    "Evaluation",
    "Fit",
    "HoldoutRises",
    "Loss",
    "Optimizer",
    "Plateau",
    "Prediction",
    "Samples",
    "Spread",
    "Term",
    "adam",
    "amplitude",
    "bootstrap",
    "cross_correlation",
    "ensemble",
    "frozen",
    "gauss_newton",
    "gaussian_noise",
    "gaussian_temperature",
    "huber",
    "l1",
    "l2",
    "langevin",
    "lbfgs",
    "load",
    "nonnegative",
    "optimizer",
    "plot_history",
    "poisson",
    "proximal",
    "reconstruct",
    "sample",
    "sgd",
    "spread_coils",
    "term",
    "tv",
    "wavelet",
    "weight_decay",
]
