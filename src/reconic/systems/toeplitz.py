"""Normal operator of non-Cartesian MRI: convolution with the trajectory's point-spread function."""

from __future__ import annotations

from reconic._array import Array, array_namespace, sum_over
from reconic._kernels.toeplitz import toeplitz_normal
from reconic.operator import SelfAdjoint, static, system

__all__ = ["ToeplitzNormal"]


@system
class ToeplitzNormal(SelfAdjoint):
    """AᴴA = Σ_c conj(S_c) T S_c with a Toeplitz operator T; off resonance Σ_l conj(φ_l) T_l φ_l.

    Args:
        maps: Coil sensitivities (*batch, [set,] coil, *core), `core` the axes of frames, or of the
            coefficients of a temporal basis, and of space.
        kernel: Kernel of T, as `_kernels.toeplitz.toeplitz_kernel` makes it; with phases those of
            all T_l, along a first axis.
        shape: Shape of one image.
        sets: Whether `maps` has a set axis.
        subspace: Whether T mixes the coefficients of a temporal basis.
        n_cartesian: Number of Cartesian axes of space along which the kernel varies.
        tol: Relative error of the operator.
        phases: φ, complex (segment, …), each broadcasting against x (*batch, *in_shape); None on
            resonance.
    """

    maps: Array
    kernel: Array
    shape: tuple[int, ...] = static()
    sets: bool = static()
    subspace: bool = static(default=False)
    n_cartesian: int = static(default=0)
    tol: float = static(default=0.0)
    phases: Array | None = None

    @property
    def accuracy(self) -> float:
        return self.tol

    def _forward(self, x: Array) -> Array:
        if self.phases is None:
            return self._convolved(x, self.kernel)
        conj = array_namespace(x).conj

        def part(phase: Array, kernel: Array) -> Array:
            return conj(phase) * self._convolved(phase * x, kernel)

        return sum_over(part, self.phases, self.kernel)

    def _convolved(self, x: Array, kernel: Array) -> Array:
        n_core = len(self.shape) - self.sets
        settings = n_core, self.sets, self.subspace, self.n_cartesian
        return toeplitz_normal(x, self.maps, kernel, *settings)
