"""Linear forward models: adjoint, normal operator and algebra.

An author writes `_forward` and the two core shapes; `_adjoint` and `_normal` are derived where they
are not written.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from reconic import operator as algebra  # its derived systems, which need the class below
from reconic._array import (
    Array,
    array_namespace,
    device,
    inner,
    is_array,
    needs_grad,
    real_dtype,
    transpose_linear,
)
from reconic.operator.system import System, unwritten

__all__ = ["LinearSystem"]


class LinearSystem(System):
    """A linear forward model with its adjoint Aᴴ and normal operator AᴴA.

    Leading axes of inputs beyond `in_shape` (or `out_shape`) are batch axes; arrays of the system
    may carry batch axes of their own, which broadcast against them.
    """

    _advice: ClassVar[dict[str, str]] = {}  # what to do about an x or y of a wrong shape

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of one image x, without batch axes."""
        raise TypeError(unwritten(self, "in_shape"))

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the measurements y of one image, without batch axes."""
        raise TypeError(unwritten(self, "out_shape"))

    def __call__(self, x: Array) -> Array:
        """Measurements y = A x, shape (*batch, *out_shape), of x (*batch, *in_shape)."""
        self._check("x", x, self.in_shape)
        return self._forward(x)

    def adjoint(self, y: Array) -> Array:
        """Adjoint Aᴴy, shape (*batch, *in_shape), of y (*batch, *out_shape)."""
        self._check("y", y, self.out_shape)
        return self._adjoint(y)

    def normal(self, x: Array) -> Array:
        """Normal operator AᴴA x, shape (*batch, *in_shape), of x (*batch, *in_shape)."""
        self._check("x", x, self.in_shape)
        return self._normal(x)

    @property
    def H(self) -> LinearSystem:
        """Adjoint as a system."""
        return algebra.Adjoint(self)

    @property
    def N(self) -> LinearSystem:
        """Normal operator AᴴA as a system."""
        return algebra.Normal(self)

    @property
    def accuracy(self) -> float:
        """Relative error that the system's transforms are allowed beyond rounding."""
        return 0.0

    @functools.cached_property
    def outer_diagonal(self) -> Array | float | None:
        """Diagonal d of AAᴴ, broadcasting against y, if AAᴴ is known to be diagonal; else None.

        With it (AᴴA + λI) x = Aᴴy + λr has the solution r + Aᴴ((y - A r) / (d + λ)).
        """
        return None

    def preconditioner(self, lam: Array | float) -> LinearSystem:  # noqa: ARG002
        """Approximation of (AᴴA + λI)⁻¹, Hermitian positive definite, for `cg(precond=…)`.

        Args:
            lam: Weight λ > 0, a number or 0-d.

        Raises:
            TypeError: If none is known for this kind of system.
        """
        raise TypeError(
            f"{type(self).__name__}: `preconditioner` must be known for a system to be solved with "
            f"one, got none. Solve without."
        )

    def recorded(self) -> list[LinearSystem]:
        """Terms of this system that hold arrays which torch records, and so all its derivative."""
        return [self] if needs_grad(*self.arrays()) else []

    def weigh(self, y: Array) -> Array:
        """Measurements as this system predicts them, from those as they were acquired.

        They differ where a system weighs its samples, as `NonCartesianMRI` does with `dcf`.

        Args:
            y: Acquired measurements (*batch, *out_shape).
        """
        return y

    def sampling(self, y: Array) -> Array:
        """Weights of y and of its noise, real: positive where y is measured, zero elsewhere.

        They broadcast against y. Noise of level σ in acquired data has the level σ times these.
        """
        xp = array_namespace(y)
        return xp.ones((1,) * len(self.out_shape), dtype=real_dtype(y), device=device(y))

    def radius(self, y: Array) -> Array | None:  # noqa: ARG002
        """Distance of the measurements from the centre of k-space; None if not known.

        In steps of a Cartesian grid of the image's shape; real, broadcasts against y.
        """
        return None

    def energy(self, y: Array) -> Array:
        """‖y‖₂² of measurements, all samples of a batch together, 0-d.

        Args:
            y: Measurements as this system predicts them (*batch, *out_shape).
        """
        return inner(y, y, y.ndim)

    def masked(self, weights: Array) -> LinearSystem:
        """System W A, which measures a weighted part of what this one measures.

        Args:
            weights: Real, (*batch, *out_shape); any length may be one. Zeros leave samples out.
        """
        return algebra.Weighted(weights, self)

    def _adjoint(self, y: Array) -> Array:
        n = len(self.out_shape)
        batch = tuple(y.shape)[: y.ndim - n]
        return transpose_linear(self._forward, (*batch, *self.in_shape), y)

    def _normal(self, x: Array) -> Array:
        return self._adjoint(self._forward(x))

    def _check(self, name: str, value: Array, core: tuple[int, ...]) -> None:
        where = f"{type(self).__name__}({name})"
        check_shape(self, "in_shape" if name == "x" else "out_shape", core)
        if not is_array(value):
            raise TypeError(
                f"{where}: `{name}` must be an array, got {type(value).__name__}. "
                f"Pass a NumPy, torch or JAX array."
            )
        xp = array_namespace(value)
        if not xp.isdtype(value.dtype, ("real floating", "complex floating")):
            raise TypeError(f"{where}: `{name}` must be floating, got {value.dtype}. Cast it.")
        shape = tuple(value.shape)
        if len(shape) < len(core) or shape[len(shape) - len(core) :] != core:
            wanted = ", ".join(("*batch", *map(str, core)))
            advice = self._advice.get(name, "")
            raise ValueError(f"{where}: `{name}` must have shape ({wanted}), got {shape}.{advice}")
        try:
            array_namespace(value, *self.arrays())
        except TypeError:
            kinds = sorted({_library(a) for a in self.arrays()})
            fields = (f"`{n}` of {_library(a)}" for n, a in self.children() if is_array(a))
            held = ", ".join(fields) if len(kinds) > 1 else ""
            raise TypeError(
                f"{where}: `{name}` must be of the same array library as the system "
                f"({held or ', '.join(kinds)}), got {_library(value)}. Convert one, as "
                "A.map(jax.numpy.asarray) does."
            ) from None

    def __matmul__(self, other: LinearSystem) -> LinearSystem:
        """Composition, (A @ B)(x) = A(B(x))."""
        return algebra.Composed(self, other) if isinstance(other, LinearSystem) else NotImplemented

    def __add__(self, other: LinearSystem) -> LinearSystem:
        """Sum, (A + B)(x) = A(x) + B(x)."""
        return algebra.Sum(self, other) if isinstance(other, LinearSystem) else NotImplemented

    def __sub__(self, other: LinearSystem) -> LinearSystem:
        """Difference, (A - B)(x) = A(x) - B(x)."""
        return self + (-1) * other if isinstance(other, LinearSystem) else NotImplemented

    def __mul__(self, scale: Any) -> LinearSystem:
        """Scaling, (c A)(x) = c · A(x); c a number, or an array with one value per sample."""
        return NotImplemented if isinstance(scale, System) else algebra.Scaled(scale, self)

    __rmul__ = __mul__

    def __neg__(self) -> LinearSystem:
        """Negative, (-A)(x) = -A(x)."""
        return (-1) * self


def check_shape(A: LinearSystem, name: str, shape: Any) -> None:
    """Check that `in_shape` or `out_shape`, which the author of a class wrote, is a shape.

    Raises:
        TypeError: If it is a method or a list.
    """
    if not isinstance(shape, tuple):
        what = "a method" if callable(shape) else repr(shape)
        raise TypeError(
            f"{type(A).__name__}: `{name}` must be a tuple, got {what}. Write `@property` above it "
            "and `return tuple(…)`."
        )


def _library(a: Array) -> str:
    """Name of an array's library."""
    return type(a).__module__.split(".")[0]
