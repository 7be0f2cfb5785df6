"""What a user's arguments come to: a program and its arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reconic._array import Array
from reconic.descent.devices import ONE, Devices
from reconic.descent.groups import Group, assign
from reconic.descent.loss import Loss, takes_extra
from reconic.descent.proximal import prior_terms
from reconic.descent.state import Block, Program
from reconic.descent.trees import format_path, format_tree, split
from reconic.operator import System

__all__ = ["Problem", "make_problem"]


@dataclass(frozen=True)
class Problem:
    """A program with the arrays that it works on.

    Attributes:
        program: What is compiled.
        arrays: Arrays of the variables, to start from.
        model: Arrays of the forward model.
        weights: Weight of each term (n_terms,).
        reads_data: Which terms judge the prediction.
    """

    program: Program
    arrays: list[Array]
    model: list[Array]
    weights: Array
    reads_data: tuple[bool, ...]


def make_problem(
    forward: Callable[..., Any],
    variables: Any,
    loss: Loss,
    optimizers: Any,
    *,
    n_batches: int,
    keep_best: bool = True,
    after_step: Callable[[Any], Any] | None = None,
    after_epoch: Callable[[Any], Any] | None = None,
    alternate: Sequence[tuple[str | Sequence[str], int]] = (),
    devices: Devices = ONE,
) -> Problem:
    """Problem from the arguments of `reconstruct`.

    Raises:
        TypeError: If `forward` takes other arguments.
        KeyError: If settings and variables do not fit.
        ValueError: If nothing is free to move.
    """
    arrays, frame = split(variables)
    model, model_frame = split(forward)
    groups = assign(optimizers, variables)
    penalties = prior_terms(groups)
    terms = (*loss.terms, *penalties)
    program = Program(
        model=model_frame,
        arguments=_arguments(forward, variables, arrays),
        frame=frame,
        terms=terms,
        groups=groups,
        blocks=_blocks(alternate, groups),
        after_step=after_step,
        after_epoch=after_epoch,
        keep_best=keep_best,
        n_batches=n_batches,
        mesh=devices.mesh,
    )
    weights = np.asarray([*loss.weights, *(1.0 for _ in penalties)])
    reads_data = tuple(t.reads_data for t in terms)
    return Problem(program, devices.copy(arrays), devices.copy(model), weights, reads_data)


def _arguments(forward: Any, variables: Any, arrays: list[Array]) -> tuple[str, ...]:
    """What to call the forward model with."""
    if isinstance(forward, System):
        if len(arrays) != 1:
            raise ValueError(
                "reconstruct: a System as `forward` is applied to the one array of `variables`, "
                f"got\n{format_tree(variables)}\nWrite a function of the variables."
            )
        return ("array",)
    wanted = "(variables, batch[, key])"
    with_key = takes_extra(forward, 2, "key", "reconstruct(forward)", wanted)
    return ("variables", "batch", "key") if with_key else ("variables", "batch")


def _blocks(
    alternate: Sequence[tuple[str | Sequence[str], int]], groups: Sequence[Group]
) -> tuple[Block, ...]:
    everything = tuple(range(len(groups)))
    if not alternate:
        return (Block(everything, 1),)
    blocks = []
    for names, n_steps in alternate:
        wanted = [names] if isinstance(names, str) else list(names)
        chosen = [_group(name, groups) for name in wanted]
        if n_steps < 1:
            raise ValueError(f"alternate: {names!r} must have 1 step at least, got {n_steps}.")
        blocks.append(Block(tuple(chosen), n_steps))
    if resting := set(everything) - {g for b in blocks for g in b.groups}:
        names = ", ".join(format_path(groups[g].path) for g in sorted(resting))
        raise ValueError(f"alternate: every free variable must have a turn, {names} has none.")
    return tuple(blocks)


def _group(name: str, groups: Sequence[Group]) -> int:
    names = [format_path(g.path) for g in groups]
    if name not in names:
        raise KeyError(
            f"alternate: {name!r} must be a variable with settings of its own, which are "
            f"{', '.join(names)}."
        )
    return names.index(name)
