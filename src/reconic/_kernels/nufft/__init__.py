"""Non-uniform Fourier transforms: images at uniform points to samples anywhere in k-space, back.

Trajectories are in rad/voxel. With r = index - n // 2 along each axis of space, and no scaling,

    nufft:          y_m = Σ_r x_r exp(-i k_m · r)
    nufft_adjoint:  x_r = Σ_m y_m exp(+i k_m · r)

Both take many arrays per trajectory (coils, sets, …) in one call, and many trajectories. They run
on FINUFFT (Barnett, Magland & af Klinteberg, SIAM J. Sci. Comput. 41:C479, 2019) for NumPy, torch
and JAX, with derivatives by both arguments in the latter two; others get the exact sum.
"""

from __future__ import annotations

import numpy as np

from reconic._array import Array, is_jax_array, is_torch_array
from reconic._kernels.nufft.exact import exact_nufft, exact_nufft_adjoint

__all__ = ["exact_nufft", "exact_nufft_adjoint", "nufft", "nufft_adjoint"]


def nufft(x: Array, traj: Array, tol: float = 1e-5) -> Array:
    """Samples y_m = Σ_r x_r exp(-i k_m · r) of images.

    Args:
        x: Images, complex (*batch, many, *space), space of 1 to 3 axes.
        traj: Trajectory k in rad/voxel, real (*batch, m, n_space), ordered as space is; its batch
            axes broadcast against those of x, and a batch that shares one is one transform.
        tol: Error relative to the exact sum, in the 2-norm and for data whose power is spread out;
            from 1e-14 to 0.1, in single precision no less than some 1e-6 (rounding).

    Returns:
        Samples (*batch, many, m).

    Raises:
        ImportError: If the library's FINUFFT is not installed.
    """
    if is_torch_array(x):
        from reconic._kernels.nufft.autograd import forward

        return forward(x, traj, tol)
    if is_jax_array(x):
        from reconic._kernels.nufft import xla

        return xla.transform(x, traj, None, tol)
    if isinstance(x, np.ndarray):
        from reconic._kernels.nufft import host

        return host.transform(x, traj, None, tol)
    return exact_nufft(x, traj)


def nufft_adjoint(y: Array, traj: Array, shape: tuple[int, ...], tol: float = 1e-5) -> Array:
    """Images x_r = Σ_m y_m exp(+i k_m · r) of samples; adjoint of `nufft`.

    Args:
        y: Samples, complex (*batch, many, m).
        traj: Trajectory in rad/voxel, real (*batch, m, n_space).
        shape: Shape of space.
        tol: Relative error, as for `nufft`.

    Returns:
        Images (*batch, many, *shape).

    Raises:
        ImportError: If the library's FINUFFT is not installed.
    """
    shape = tuple(shape)
    if is_torch_array(y):
        from reconic._kernels.nufft.autograd import adjoint

        return adjoint(y, traj, shape, tol)
    if is_jax_array(y):
        from reconic._kernels.nufft import xla

        return xla.transform(y, traj, shape, tol)
    if isinstance(y, np.ndarray):
        from reconic._kernels.nufft import host

        return host.transform(y, traj, shape, tol)
    return exact_nufft_adjoint(y, traj, shape)
