"""The transforms of NumPy arrays, by FINUFFT."""

from __future__ import annotations

import numpy as np

from reconic._kernels.nufft import plans
from reconic._kernels.nufft.batches import oversampling
from reconic._kernels.nufft.plans import Plan, Shape

__all__ = ["transform"]

_LEAST = 2**14  # samples that even the smallest plan counts for


def transform(
    data: np.ndarray, traj: np.ndarray, shape: Shape | None, tol: float, n_threads: int = 0
) -> np.ndarray:
    """Samples of images (`shape` None), or images of that shape of samples; 0 threads: OpenMP's."""
    return plans.transform(data, traj, shape, tol, _plan, plans.threads(n_threads))


def _plan(
    traj: np.ndarray, space: Shape, many: int, eps: float, dtype: np.dtype, n_threads: int
) -> Plan:
    try:
        import finufft
    except ImportError as error:
        raise ImportError(
            "nufft: `finufft` must be installed for non-Cartesian sampling, got no such package. "
            "Run: pip install 'reconic[nufft]'"
        ) from error
    grid = oversampling(dtype == np.complex128)
    plan = finufft.Plan(2, space, many, eps, -1, dtype.name, nthreads=n_threads, upsampfac=grid)
    plan.setpts(*np.ascontiguousarray(traj.T))

    def run(source: np.ndarray, out: np.ndarray, adjoint: bool) -> None:
        (plan.execute_adjoint if adjoint else plan.execute)(source, out)

    return Plan(run, traj.copy(), max(_LEAST, len(traj)))
