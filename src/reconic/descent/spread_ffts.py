"""Fourier transforms of batches over several devices: each device transforms what it has.

XLA's partitioner would gather the whole batch on every device before a transform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn, Literal
from jax.sharding import Mesh, PartitionSpec

from reconic._array import Array
from reconic.descent.shares import AXIS

__all__ = ["spread_ffts"]


def spread_ffts(mesh: Mesh | None, fn: Callable[..., Any], *args: Any) -> Any:
    """`fn(*args)`, with each batched Fourier transform cut along the leading axis of its operand.

    Transforms within loops, branches and functions with derivatives of their own stay as they are.

    Args:
        mesh: Devices; None for one.
        fn: Function of pytrees of arrays to such.
        args: Its arguments.
    """
    if mesh is None:
        return fn(*args)
    closed, shapes = jax.make_jaxpr(fn, return_shape=True)(*args)
    found = _evaluate(mesh, closed.jaxpr, closed.consts, jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(shapes), found)


def _evaluate(mesh: Mesh, jaxpr: Jaxpr, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args], strict=True))

    def read(v: Any) -> Any:
        return v.val if isinstance(v, Literal) else values[v]

    for eqn in jaxpr.eqns:
        found = _apply(mesh, eqn, [read(v) for v in eqn.invars])
        values.update(zip(eqn.outvars, found, strict=True))
    return [read(v) for v in jaxpr.outvars]


def _apply(mesh: Mesh, eqn: JaxprEqn, inputs: list[Any]) -> Sequence[Any]:
    if eqn.primitive.name in ("jit", "pjit"):
        inner = eqn.params["jaxpr"]
        return _evaluate(mesh, inner.jaxpr, inner.consts, inputs)
    bound = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # JAX < 0.10, or later
    bind = partial(eqn.primitive.bind, *functions, **params)
    if eqn.primitive.name == "fft" and len(params["fft_lengths"]) < jnp.ndim(inputs[0]):
        return [_spread(mesh, bind, inputs[0])]
    found = bind(*inputs)
    return found if eqn.primitive.multiple_results else [found]


def _spread(mesh: Mesh, transform: Callable[[Array], Array], x: Array) -> Array:
    n, along = x.shape[0], PartitionSpec(AXIS)
    padded = jnp.pad(x, [(0, -n % mesh.size), *[(0, 0)] * (x.ndim - 1)])
    return jax.shard_map(transform, mesh=mesh, in_specs=along, out_specs=along)(padded)[:n]
