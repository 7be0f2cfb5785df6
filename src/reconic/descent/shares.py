"""Measurements in shares over several devices, as the compiled program sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reconic._array import Array

__all__ = ["AXIS", "Share", "pin", "size_of", "take", "whole"]

AXIS = "measurements"  # of the mesh


@partial(jax.tree_util.register_dataclass, data_fields=["padded"], meta_fields=["n", "sharding"])
@dataclass(frozen=True)
class Share:
    """Measurements that every device has an equal share of.

    Attributes:
        padded: Measurements, and zeros up to a multiple of the number of devices.
        n: Number of measurements.
        sharding: Leading axis over the devices.
    """

    padded: Array
    n: int
    sharding: NamedSharding

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the padding."""
        return (self.n, *self.padded.shape[1:])


def whole(tree: Any) -> Any:
    """Arrays in place of shares, still over the devices, without the padding; under `jit`."""

    def cut(x: Any) -> Any:
        return _spread(x.padded[: x.n], x.sharding) if _is_share(x) else x

    return jax.tree.map(cut, tree, is_leaf=_is_share)


def take(x: Array | Share, rows: Array) -> Array:
    """Measurements at some positions, over the devices as `x` is; under `jit`."""
    if isinstance(x, Share):
        return _spread(jnp.take(x.padded, rows, axis=0), x.sharding)
    return jnp.take(x, rows, axis=0)


def size_of(batch: Mapping[str, Any]) -> int:
    """Number of measurements in a batch, as the first of its arrays that has axes says."""
    arrays = jax.tree.leaves(dict(batch), is_leaf=_is_share)
    return next((x.shape[0] for x in arrays if x.shape), 1)


def pin(mesh: Mesh | None, tree: Any) -> Any:
    """Arrays with a copy on every device of a mesh; under `jit`."""
    return tree if mesh is None else _spread(tree, NamedSharding(mesh, PartitionSpec()))


def _is_share(x: Any) -> bool:
    return isinstance(x, Share)


def _spread(x: Any, sharding: NamedSharding) -> Any:
    return jax.lax.with_sharding_constraint(x, sharding)
