"""Complex arrays as pairs of real ones, for methods that know only real vectors."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from reconic._array import Array

__all__ = ["from_pairs", "from_vector", "to_pairs", "to_vector"]


def to_pairs(arrays: Sequence[Array]) -> list[Array]:
    """Real arrays; a complex one as (2, *shape), real and imaginary part."""
    return [jnp.stack([a.real, a.imag]) if jnp.iscomplexobj(a) else a for a in arrays]


def from_pairs(pairs: Sequence[Array], like: Sequence[Array]) -> list[Array]:
    """Arrays of the kinds of `like`."""
    return [
        p[0] + 1j * p[1] if jnp.iscomplexobj(a) else p for p, a in zip(pairs, like, strict=True)
    ]


def to_vector(arrays: Sequence[Array]) -> Array:
    """All values as one real vector."""
    return jnp.concatenate([p.ravel() for p in to_pairs(arrays)])


def from_vector(vector: Array, like: Sequence[Array]) -> list[Array]:
    """Arrays of the shapes and dtypes of `like` from one real vector."""
    pairs, start = [], 0
    for p in to_pairs(like):
        pairs.append(vector[start : start + p.size].reshape(p.shape).astype(p.dtype))
        start += p.size
    return from_pairs(pairs, like)
