"""Coils over devices: one large multi-coil problem that no device has to hold as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reconic._array import Array, is_array
from reconic.descent.devices import make_devices
from reconic.operator import LinearSystem, SpreadCoils, coil_axes

__all__ = ["CoilMesh", "spread_coils"]

_AXIS = "coils"  # of the mesh
_WHOLE = PartitionSpec()


@dataclass(frozen=True)
class CoilMesh:
    """Devices that have a share of the coils each, and the whole image.

    Attributes:
        mesh: Their mesh, of one axis.
    """

    mesh: Mesh

    def forward(self, A: LinearSystem, x: Array) -> Array:
        """A x, with the coils over the devices."""
        return _apply(_forward, self.mesh, A, x, of_coils=False, to_coils=True)

    def adjoint(self, A: LinearSystem, y: Array) -> Array:
        """Aᴴy, on every device."""
        return _apply(_adjoint, self.mesh, A, y, of_coils=True, to_coils=False)

    def normal(self, M: LinearSystem, x: Array) -> Array:
        """M x, on every device."""
        return _apply(_normal, self.mesh, M, x, of_coils=False, to_coils=False)

    def total(self, value: Array) -> Array:
        """The value itself, since it is of all coils."""
        return value


@partial(jax.jit, static_argnames=("fn", "mesh", "of_coils", "to_coils"))
def _apply(
    fn: Callable[[LinearSystem, Array], Array],
    mesh: Mesh,
    A: LinearSystem,
    a: Array,
    *,
    of_coils: bool,
    to_coils: bool,
) -> Array:
    """`fn(A, a)` on each device with its coils; arguments and results are of coils, or whole."""
    leaves, tree = jax.tree.flatten(A)
    axes = iter(coil_axes(A))
    specs = [_split(leaf, next(axes)) if is_array(leaf) else _WHOLE for leaf in leaves]
    coil = -len(A.out_shape)
    given = _split(a, coil if of_coils else None)
    made = _split(jax.eval_shape(fn, A, a), coil) if to_coils else _WHOLE
    specs = (jax.tree.unflatten(tree, specs), given)
    return jax.shard_map(fn, mesh=mesh, in_specs=specs, out_specs=made)(A, a)


def _forward(A: LinearSystem, x: Array) -> Array:
    return A._forward(x)


def _adjoint(A: LinearSystem, y: Array) -> Array:
    return jax.lax.psum(A._adjoint(y), _AXIS)


def _normal(M: LinearSystem, x: Array) -> Array:
    return jax.lax.psum(M._forward(x), _AXIS)


def spread_coils(
    A: LinearSystem, y: Any, devices: int | Literal["all"] | Sequence[Any] = "all"
) -> tuple[LinearSystem, Array]:
    """System and measurements with the coils spread over devices; every device has the image.

    What is done with them is as ever: `cg(A.N + lam * Identity(A.in_shape), A.adjoint(y))`. An
    application of `A.N` exchanges one image. Coils are appended, with zero maps and zero k-space,
    up to a multiple of the number of devices; they change no image.

    Args:
        A: Multi-coil system of NumPy or JAX arrays. In several processes all give the same; of
            arrays that are mapped from disk each reads only the coils of its devices.
        y: Measurements (*batch, *A.out_shape), an array or one on disk.
        devices: "all" of every process, a number of them in each process, or JAX devices.

    Raises:
        TypeError: If A has no coil maps.
        ValueError: If y does not fit, or there are fewer coils than devices, or fewer devices.
    """
    mesh = _mesh(A, y, devices)
    axes = iter(coil_axes(A))
    spread = A.map(lambda a: _put(a, next(axes), mesh))
    return SpreadCoils(spread, CoilMesh(mesh)), _put(y, -len(A.out_shape), mesh)


def _mesh(A: LinearSystem, y: Any, devices: Any) -> Mesh:
    where = "spread_coils"
    mesh = make_devices(devices, where).mesh
    if mesh is None or not any(coil_axes(A)):
        raise TypeError(
            f"{where}: `A` must have coil maps, and `devices` be given, got {type(A).__name__} and "
            f"{devices}. Give a system of multi-coil MRI."
        )
    core = A.out_shape
    if tuple(y.shape[-len(core) :]) != core:
        wanted = ", ".join(("*batch", *map(str, core)))
        raise ValueError(f"{where}: `y` must have shape ({wanted}), got {tuple(y.shape)}.")
    if core[0] < mesh.size:
        raise ValueError(
            f"{where}: `devices` must be at most the number of coils, {core[0]}, got {mesh.size}. "
            "Use fewer."
        )
    return Mesh(mesh.devices, (_AXIS,))


def _split(a: Any, axis: int | None) -> PartitionSpec:
    return _WHOLE if axis is None else PartitionSpec(*[None] * (a.ndim + axis), _AXIS)


def _put(a: Any, axis: int | None, mesh: Mesh) -> Array:
    """An array over the devices, padded with zeros along its coils; read where it is needed."""
    shape, n = list(a.shape), 0
    if axis is not None:
        n = shape[axis]
        shape[axis] = -(-n // mesh.size) * mesh.size
    dtype = jnp.result_type(a.dtype)

    def read(index: Any) -> np.ndarray:
        if axis is None:
            return np.asarray(a[index], dtype)
        start, stop, _ = index[axis].indices(shape[axis])
        part = list(index)
        part[axis] = slice(start, min(stop, n))
        found = np.asarray(a[tuple(part)], dtype)
        missing = [(0, 0)] * len(shape)
        missing[axis] = (0, stop - start - found.shape[axis])
        return np.pad(found, missing)

    sharding = NamedSharding(mesh, _split(np.empty([0] * len(shape)), axis))
    return jax.make_array_from_callback(tuple(shape), sharding, read)
