"""Multi-coil systems whose coils are spread over peers: devices of one program, or processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from reconic._array import Array, is_array
from reconic.operator.derived import Derived, SameSamples, Weighted
from reconic.operator.linear import LinearSystem
from reconic.operator.system import System, static, system

__all__ = ["Peers", "SpreadCoils", "coil_axes"]


class Peers(Protocol):
    """How peers work together: all have the whole image, and each has a share of the coils.

    Hashable, and equal if they are the same peers.
    """

    def forward(self, A: LinearSystem, x: Array) -> Array:
        """A x, of which each peer has the measurements of its coils."""
        ...

    def adjoint(self, A: LinearSystem, y: Array) -> Array:
        """Aᴴy, the sum over the peers."""
        ...

    def normal(self, M: LinearSystem, x: Array) -> Array:
        """M x, the sum over the peers, for the normal operator M."""
        ...

    def total(self, value: Array) -> Array:
        """Sum over the peers of what each computes from its measurements."""
        ...


@system
class SpreadCoils(SameSamples):
    """A system with its coils spread over peers: each has the image, and a share of the coils.

    The adjoint and the normal operator are one sum of images over the peers; the forward model
    needs none. So an iteration of `cg` exchanges one image, and all do the rest of it alike.

    Args:
        A: Multi-coil system, with arrays as `peers` wants them: this process's coils, or all of
            them laid out over devices.
        peers: How they work together.
    """

    A: LinearSystem
    peers: Peers = static()

    @property
    def N(self) -> LinearSystem:
        return SpreadNormal(self.A.N, self.peers)

    def energy(self, y: Array) -> Array:
        return self.peers.total(self.A.energy(y))

    def masked(self, weights: Array) -> LinearSystem:
        n = len(self.out_shape)
        if weights.ndim < n or weights.shape[-n] == 1:
            return self.replace(A=self.A.masked(weights))
        return Weighted(weights, self)

    def _forward(self, x: Array) -> Array:
        return self.peers.forward(self.A, x)

    def _adjoint(self, y: Array) -> Array:
        return self.peers.adjoint(self.A, y)

    def _normal(self, x: Array) -> Array:
        return self.N._forward(x)


@system
class SpreadNormal(Derived):
    """Normal operator AᴴA of a system with its coils spread over peers; its own adjoint."""

    A: LinearSystem  # of each peer's coils, a normal operator
    peers: Peers = static()

    def _forward(self, x: Array) -> Array:
        return self.peers.normal(self.A, x)

    def _adjoint(self, y: Array) -> Array:
        return self._forward(y)


def coil_axes(A: System) -> list[int | None]:
    """Axis of the coils, counted from behind, of each of `A.arrays()`; None where it has none."""
    return list(_axes(A))


def _axes(A: Any) -> Iterator[int | None]:
    for name, value in A.children():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, System):
                yield from _axes(one)
            elif is_array(one):  # image axes but for sets are those of the maps behind the coils
                yield A.sets - len(A.in_shape) - 1 if name == "maps" else None
