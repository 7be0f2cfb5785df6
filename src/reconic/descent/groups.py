"""Which settings each variable has: a prefix tree of optimizers, matched by key path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from reconic.descent.optimizers import Optimizer
from reconic.descent.trees import Path, format_path, format_tree, names_of, split

__all__ = ["Group", "assign"]


@dataclass(frozen=True)
class Group:
    """Arrays that one optimizer moves together.

    Attributes:
        path: Where its settings stand.
        optimizer: The settings.
        leaves: Positions among the variables' arrays.
    """

    path: Path
    optimizer: Optimizer
    leaves: tuple[int, ...]


def assign(settings: Any, variables: Any) -> tuple[Group, ...]:
    """Groups of the arrays that move; frozen ones, integers and booleans are in none.

    Args:
        settings: An `Optimizer`, or a pytree of them (dicts, lists, modules) that follows the
            variables' tree as far as settings differ.
        variables: Pytree.

    Raises:
        ValueError: If an array has no settings, or settings belong to no variable, or nothing is
            left to move; lists the tree.
        TypeError: If settings are of a wrong kind.
    """
    arrays, frame = split(variables)
    found: dict[Path, tuple[Optimizer, list[int]]] = {}
    for i, path in enumerate(frame.paths):
        if jnp.issubdtype(arrays[i].dtype, jnp.inexact):
            at, opt = _look_up(settings, path, variables)
            found.setdefault(at, (opt, []))[1].append(i)
    _check_used(settings, (), frame.paths, variables)
    groups = (Group(at, opt, tuple(leaves)) for at, (opt, leaves) in found.items())
    groups = tuple(g for g in groups if g.optimizer.rule is not None)
    if not groups:
        raise ValueError(
            "optimizers: a variable must be free to move, got only frozen ones among\n"
            f"{format_tree(variables)}"
        )
    return groups


def _look_up(settings: Any, path: Path, variables: Any) -> tuple[Path, Optimizer]:
    node = settings
    for depth in range(len(path) + 1):
        if isinstance(node, Optimizer):
            return path[:depth], node
        entries = _entries(node, path[:depth])
        if depth == len(path) or path[depth] not in entries:
            break
        node = entries[path[depth]]
    raise ValueError(
        f"optimizers: the variable {format_path(path)} has no settings. Give it adam(1e-2), or "
        f"frozen() if it is known. The variables are\n{format_tree(variables)}"
    )


def _check_used(node: Any, at: Path, paths: list[Path], variables: Any) -> None:
    """Raise if settings stand where there is no variable."""
    if not any(path[: len(at)] == at for path in paths):
        raise ValueError(
            f"optimizers: there is no variable {format_path(at)}. The variables are\n"
            f"{format_tree(variables)}"
        )
    if not isinstance(node, Optimizer):
        for name, entry in _entries(node, at).items():
            _check_used(entry, (*at, name), paths, variables)


def _entries(node: Any, at: Path) -> dict[str, Any]:
    if isinstance(node, Mapping):
        return {str(k): v for k, v in node.items()}
    children = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda x: x is not node)[0]
    if all(path for path, _ in children):
        return {names_of(path)[0]: child for path, child in children}
    raise TypeError(
        f"optimizers: the settings of {format_path(at)} must be an Optimizer, such as adam(1e-2), "
        f"or a dict of them, got {type(node).__name__}."
    )
