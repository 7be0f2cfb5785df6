"""What is compiled, and what changes from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from reconic._array import Array
from reconic.descent import window
from reconic.descent.groups import Group
from reconic.descent.loss import Term
from reconic.descent.rules import Arrays
from reconic.descent.shares import pin
from reconic.descent.trees import Frame

__all__ = ["Block", "Program", "State", "start", "start_rules"]


@dataclass(frozen=True)
class Block:
    """Groups that move together for some steps, while the others rest.

    Attributes:
        groups: Their positions.
        n_steps: Number of steps.
    """

    groups: tuple[int, ...]
    n_steps: int


@dataclass(frozen=True)
class Program:
    """All that is compiled, without the arrays; equal programs are compiled once.

    Attributes:
        model: The forward model's frame: the function itself, or a System without its arrays.
        arguments: What it is called with: "variables" (of a System: the one array), "batch", "key".
        frame: The variables' frame.
        terms: Terms of the loss.
        groups: Which arrays move, and how.
        blocks: Groups that take turns; one block of all if they move together.
        after_step: Applied to the variables after each step.
        after_epoch: Applied to the variables after each epoch.
        keep_best: Whether steps keep the variables of the smallest loss.
        n_batches: Number of batches in an epoch; with one, the loss of an epoch is that of the
            variables before its step, else the mean along the way.
        mesh: Devices that share the measurements, each with a copy of the state; None for one.
    """

    model: Frame
    arguments: tuple[str, ...]
    frame: Frame
    terms: tuple[Term, ...]
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    after_step: Callable[[Any], Any] | None
    after_epoch: Callable[[Any], Any] | None
    keep_best: bool
    n_batches: int
    mesh: Mesh | None = None


class State(NamedTuple):
    """All that changes from step to step, and so all that a checkpoint holds.

    Attributes:
        step: Number of steps done.
        key: PRNG key of the run, constant.
        arrays: Arrays of the variables.
        rules: State of each optimizer.
        order: Order of the measurements in this epoch; () where there is no shuffling.
        sums: Sum over the batches of this epoch of each term times the batch's size, then of sizes.
        best_loss: Smallest loss so far.
        best: Arrays of the variables with that loss; () where they are not kept.
        scale: Factor on all steps.
        failed: Whether the last step was not taken, since the loss or a gradient was not finite.
    """

    step: Array
    key: Array
    arrays: list[Array]
    rules: list[window.WindowState]
    order: Any
    sums: Array
    best_loss: Array
    best: Any
    scale: Array
    failed: Array


@partial(jax.jit, static_argnames=("program", "n_order", "best"))
def start(program: Program, arrays: Arrays, seed: int, n_order: int, best: bool) -> State:
    """State before the first step.

    Args:
        program: What will be computed.
        arrays: Arrays of the variables; copied.
        seed: Seed of the run.
        n_order: Number of measurements to shuffle; 0 where there is no shuffling.
        best: Whether the state has a place for the best variables.
    """
    arrays = [jnp.copy(a) for a in arrays]
    dtype = jnp.result_type(jnp.float32, *(_real(a.dtype) for a in arrays))
    state = State(
        step=jnp.zeros((), jnp.int32),
        key=jax.random.PRNGKey(seed),
        arrays=arrays,
        rules=start_rules(program, arrays),
        order=jnp.arange(n_order, dtype=jnp.int32) if n_order else (),
        sums=jnp.zeros(len(program.terms) + 1, dtype),
        best_loss=jnp.asarray(jnp.inf, dtype),
        best=[jnp.copy(a) for a in arrays] if best else (),
        scale=jnp.ones((), dtype),
        failed=jnp.asarray(False),
    )
    return pin(program.mesh, state)


def _real(dtype: Any) -> Any:
    return jnp.finfo(dtype).dtype if jnp.issubdtype(dtype, jnp.inexact) else jnp.float32


def start_rules(program: Program, arrays: Arrays) -> list[window.WindowState]:
    """States of the optimizers before the first step."""
    return [window.init(g.optimizer, [arrays[i] for i in g.leaves]) for g in program.groups]
