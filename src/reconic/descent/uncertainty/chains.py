"""Chains of a sampler: several Langevin dynamics that are drawn from together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.feed import Resident
from reconic.descent.loop import Batches, advance
from reconic.descent.pace import Pace
from reconic.descent.problem import Problem
from reconic.descent.rules import Arrays
from reconic.descent.state import Program, State
from reconic.descent.trees import split
from reconic.descent.uncertainty import moments
from reconic.descent.uncertainty.moments import Moments

__all__ = ["Chains", "Plan"]

_BLOCK = 4096  # draws that one call can return the losses of


@dataclass(frozen=True)
class Plan:
    """What is compiled.

    Attributes:
        program: What a step computes.
        batches: How the data are cut.
        of: What mean and deviation are taken of.
        thin: Steps between draws.
        schedule: Draw ↦ factor on the steps.
    """

    program: Program
    batches: Batches
    of: Callable[[Any], Any] | None
    thin: int
    schedule: Callable[[Array], Array] | None

    def values(self, arrays: Arrays) -> Any:
        """What mean and deviation are taken of."""
        variables = self.program.frame.join(arrays)
        return variables if self.of is None else self.of(variables)

    @property
    def room(self) -> int:
        """Number of epochs that the steps of a draw may touch."""
        return self.thin // self.batches.n_batches + 2

    def factor(self, n: Array) -> Array:
        """Factor on the steps of a draw."""
        return jnp.ones(()) if self.schedule is None else self.schedule(n)


@partial(jax.jit, static_argnums=0, donate_argnames=("state", "sums"))
def _draw(
    plan: Plan,
    state: State,
    sums: Moments,
    model: Arrays,
    data: Mapping[str, Array],
    weights: Array,
    first: Array,
    n: Array,
    count: Array,
) -> tuple[State, Moments, Array]:
    """Draw `n` times in every chain, and count what is drawn if `count` is one, not zero.

    Returns:
        State, moments, and the loss where each draw's last step began (_BLOCK, n_chains).
    """

    def one(state: State, sums: Moments, factor: Array) -> tuple[State, Moments, Array]:
        begun = state.step // plan.batches.n_batches
        state = state._replace(scale=factor.astype(state.scale.dtype))
        state, rows = advance(
            plan.program, plan.batches, state, model, data, {}, weights, plan.thin, plan.room
        )
        row = rows[(state.step - 1) // plan.batches.n_batches - begun]
        weight = jnp.where(state.failed, 0, count * factor).astype(sums.weight.dtype)
        values, _ = split(plan.values(state.arrays))
        return state, moments.add(sums, values, weight), weights.astype(row.dtype) @ row

    def body(i: Array, carry: tuple) -> tuple:
        state, sums, losses = carry
        factor = plan.factor(first + i)
        state, sums, loss = jax.vmap(one, in_axes=(0, 0, None))(state, sums, factor)
        return state, sums, losses.at[i].set(loss)

    losses = jnp.zeros((_BLOCK, len(state.step)), state.sums.dtype)
    return jax.lax.fori_loop(0, n, body, (state, sums, losses))


@dataclass
class Chains:
    """Chains as they run.

    Attributes:
        problem: What they share.
        feed: Measurements.
        plan: What is compiled.
        state: State of each.
        burn_in: Draws before the first sample.
        n_samples: Samples in all.
        keep: Samples to keep.
        n: Draws done.
    """

    problem: Problem
    feed: Resident
    plan: Plan
    state: State
    burn_in: int
    n_samples: int
    keep: int
    n: int = 0
    pace: Pace = field(default_factory=Pace)
    losses: list[np.ndarray] = field(default_factory=list)
    kept: list[list[np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Moments of nothing yet, in every chain."""
        self.sums = jax.vmap(lambda a: moments.start(split(self.plan.values(a))[0]))(
            self.state.arrays
        )
        self._learn(True)

    def advance(self) -> int:
        """Draw for about a quarter of a second; the number of draws."""
        if self.n == self.burn_in:
            self._learn(False)
        wanted = min(self.pace.n_steps, self._until_look(), _BLOCK)
        problem = self.problem
        with self.pace:
            self.state, self.sums, losses = _draw(
                self.plan, self.state, self.sums, problem.model, self.feed.data, problem.weights,
                self.n, wanted, int(self.n >= self.burn_in),
            )  # fmt: skip
            self.losses.append(np.asarray(losses)[:wanted])
            self.pace.taken = wanted
        due = self.n >= self.burn_in and wanted == self._until_look()
        self.n += wanted
        if self.keep and due:
            values = jax.vmap(lambda a: split(self.plan.values(a))[0])(self.state.arrays)
            self.kept.append([np.asarray(v) for v in values])
        return wanted

    def _learn(self, learning: bool) -> None:
        rules = [
            w._replace(rule=w.rule._replace(learning=jnp.full_like(w.rule.learning, learning)))
            for w in self.state.rules
        ]
        self.state = self.state._replace(rules=rules)

    def _until_look(self) -> int:
        """Number of draws until burn-in is over, or a sample is to be kept, or all are drawn."""
        done = self.n - self.burn_in
        if done < 0:
            return -done
        return self._next_kept(done) - done

    def _next_kept(self, done: int) -> int:
        """Number of samples at which the next is kept: the ends of `keep` equal parts."""
        part = self.keep * done // self.n_samples + 1
        return self.n_samples if self.keep == 0 else -(-part * self.n_samples // self.keep)
