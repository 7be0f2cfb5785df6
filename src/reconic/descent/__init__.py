"""Gradient-descent reconstruction of one scene, in JAX: any variables, any forward model."""

try:
    import jax as _jax  # noqa: F401
    import optax as _optax  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"reconic.descent needs {error.name}: install it by `pip install 'reconic[descent]'`."
    ) from error

from reconic.descent.data_terms import amplitude, cross_correlation, huber, l1, l2, poisson
from reconic.descent.engine import reconstruct
from reconic.descent.fit import Fit, load, plot_history
from reconic.descent.loss import Evaluation, Loss, Prediction, Term, term
from reconic.descent.optimizers import Optimizer, adam, frozen, optimizer, sgd
from reconic.descent.proximal import proximal
from reconic.descent.regularizers import nonnegative, tv, wavelet, weight_decay
from reconic.descent.second_order import gauss_newton, lbfgs
from reconic.descent.stopping import HoldoutRises, Plateau

__all__ = [
    "Evaluation",
    "Fit",
    "HoldoutRises",
    "Loss",
    "Optimizer",
    "Plateau",
    "Prediction",
    "Term",
    "adam",
    "amplitude",
    "cross_correlation",
    "frozen",
    "gauss_newton",
    "huber",
    "l1",
    "l2",
    "lbfgs",
    "load",
    "nonnegative",
    "optimizer",
    "plot_history",
    "poisson",
    "proximal",
    "reconstruct",
    "sgd",
    "term",
    "tv",
    "wavelet",
    "weight_decay",
]
