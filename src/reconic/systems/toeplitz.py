"""Normal operator of non-Cartesian MRI: convolution with the trajectory's point-spread function."""

from __future__ import annotations

from reconic._array import Array
from reconic._kernels.toeplitz import toeplitz_normal
from reconic.operator import SelfAdjoint, static, system

__all__ = ["ToeplitzNormal"]


@system
class ToeplitzNormal(SelfAdjoint):
    """AᴴA = Σ_c conj(S_c) T S_c with a Toeplitz operator T.

    Args:
        maps: Coil sensitivities (*batch, [set,] coil, *core), `core` the axes of frames, or of the
            coefficients of a temporal basis, and of space.
        kernel: Kernel of T, as `_kernels.toeplitz.toeplitz_kernel` makes it.
        shape: Shape of one image.
        sets: Whether `maps` has a set axis.
        subspace: Whether T mixes the coefficients of a temporal basis.
        n_cartesian: Number of Cartesian axes of space along which the kernel varies.
        tol: Relative error of the kernel.
    """

    maps: Array
    kernel: Array
    shape: tuple[int, ...] = static()
    sets: bool = static()
    subspace: bool = static(default=False)
    n_cartesian: int = static(default=0)
    tol: float = static(default=0.0)

    @property
    def accuracy(self) -> float:
        return self.tol

    def _forward(self, x: Array) -> Array:
        n_core = len(self.shape) - self.sets
        settings = n_core, self.sets, self.subspace, self.n_cartesian
        return toeplitz_normal(x, self.maps, self.kernel, *settings)
