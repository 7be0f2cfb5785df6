"""The transforms of JAX arrays, by jax-finufft: differentiable, transposable, batched."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np

from reconic._array import Array
from reconic._kernels.nufft.batches import Fold, oversampling, precision

__all__ = ["transform"]


def transform(data: Array, traj: Array, shape: tuple[int, ...] | None, tol: float) -> Array:
    """Samples of images (`shape` None), or images of that shape of samples."""
    import jax

    jax_finufft = _jax_finufft()
    n = traj.shape[-1]
    n_core = n if shape is None else 1
    fold = Fold.of(data, traj, n_core)
    source, trajs, eps = fold.data(data, n_core), fold.traj(traj, data), precision(tol, data)
    points = [trajs[:, None, :, d] for d in range(n)]  # an axis of one is shared by many
    opts = jax_finufft.options.Opts(upsampfac=oversampling(data.dtype == "complex128"))
    if 0 in source.shape[:2]:  # an empty batch
        ends = (traj.shape[-2],) if shape is None else shape
        found = jax.numpy.zeros((*source.shape[:2], *ends), data.dtype)
    elif shape is None:
        found = jax_finufft.nufft2(source, *points, iflag=-1, eps=eps, opts=opts)
    else:
        found = jax_finufft.nufft1(shape, source, *points, iflag=1, eps=eps, opts=opts)
    return fold.unfold(found)


@functools.cache
def _jax_finufft() -> Any:
    try:
        import jax_finufft
    except ImportError as error:
        raise ImportError(
            "nufft: `jax-finufft` must be installed for non-Cartesian sampling of JAX arrays, got "
            "no such package. Run: pip install 'reconic[nufft]'"
        ) from error
    ops: Any = jax_finufft.ops
    if not hasattr(ops.batching, "not_mapped"):  # a name that JAX dropped; its value was None
        ops.batching = SimpleNamespace(not_mapped=None, moveaxis=ops.batching.moveaxis)
    if ops.get_frequency_array(2, 0).dtype.kind == "i":
        # with JAX_ENABLE_X64 derivatives by the trajectory would take complex64 to complex128
        indices = ops.get_frequency_array
        ops.get_frequency_array = lambda n, order: indices(n, order).astype(np.float32)
    return jax_finufft
