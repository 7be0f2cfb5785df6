"""Pytrees: key paths as names, and the split of a tree into arrays and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array, is_array

__all__ = ["Frame", "format_path", "format_tree", "names_of", "select", "split"]

Path = tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """A pytree without its arrays; equal for trees of one structure, so it may steer a compilation.

    Attributes:
        treedef: Structure.
        others: Leaves that are not arrays (functions, strings), None where an array goes.
        is_array: Which leaves are arrays.
    """

    treedef: Any
    others: tuple[Any, ...]
    is_array: tuple[bool, ...]

    def join(self, arrays: Sequence[Array]) -> Any:
        """The tree with these arrays."""
        rest = iter(arrays)
        leaves = [
            next(rest) if is_array else other
            for is_array, other in zip(self.is_array, self.others, strict=True)
        ]
        return jax.tree.unflatten(self.treedef, leaves)

    @property
    def paths(self) -> list[Path]:
        """Key path of each array."""
        tree = jax.tree.unflatten(self.treedef, range(len(self.others)))
        found = jax.tree_util.tree_flatten_with_path(tree)[0]
        return [names_of(p) for (p, _), kept in zip(found, self.is_array, strict=True) if kept]


def split(tree: Any) -> tuple[list[Array], Frame]:
    """Arrays of a pytree, as JAX arrays (numbers too), and the frame that they fit in."""
    leaves, treedef = jax.tree.flatten(tree)
    kinds = tuple(is_array(x) or isinstance(x, bool | int | float | complex) for x in leaves)
    arrays = [jnp.asarray(x) for x, kind in zip(leaves, kinds, strict=True) if kind]
    others = tuple(None if kind else x for x, kind in zip(leaves, kinds, strict=True))
    return arrays, Frame(treedef, others, kinds)


def names_of(path: Sequence[Any]) -> Path:
    """Names along a JAX key path: keys of dicts, attributes, and positions as text."""
    return tuple(jax.tree_util.keystr((entry,), simple=True) for entry in path)


def format_path(path: Path) -> str:
    """A key path as text, with dots."""
    return ".".join(path) or "(the whole)"


def format_tree(tree: Any) -> str:
    """One line per leaf: path, dtype and shape."""
    lines = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        kind = f"{leaf.dtype} {tuple(leaf.shape)}" if is_array(leaf) else type(leaf).__name__
        lines.append(f"  {format_path(names_of(path))}: {kind}")
    return "\n".join(lines)


def select(tree: Any, name: str | None) -> list[Array]:
    """Arrays of `tree` at the path `name` ("object", "net.layer.w") or below; all if None.

    Raises:
        ValueError: If there are none; lists the paths.
    """
    want = tuple(name.split(".")) if name else ()
    found = [x for path, x in _arrays(tree) if path[: len(want)] == want]
    if not found:
        raise ValueError(f"there is no variable {name!r}; there are\n{format_tree(tree)}")
    return found


def _arrays(tree: Any) -> Iterator[tuple[Path, Array]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if is_array(leaf):
            yield names_of(path), leaf
