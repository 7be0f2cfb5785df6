"""Sampling: variables drawn from the density that the loss stands for, by Langevin dynamics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.checks import check, user_line_first
from reconic.descent.feed import Data, Resident
from reconic.descent.loop import Batches, advance
from reconic.descent.loss import Loss
from reconic.descent.pace import Pace
from reconic.descent.problem import Problem, make_problem
from reconic.descent.rules import Arrays
from reconic.descent.state import Program, State
from reconic.descent.stopping import interruptible
from reconic.descent.trees import format_path, split
from reconic.descent.uncertainty import moments
from reconic.descent.uncertainty.langevin import LangevinRule
from reconic.descent.uncertainty.members import (
    Start,
    bar,
    draw_key,
    enough,
    failures,
    in_memory,
    leave_out,
    member,
    muster,
    seeds_of,
)  # fmt: skip
from reconic.descent.uncertainty.moments import Moments
from reconic.descent.uncertainty.spread import Spread

__all__ = ["Samples", "sample"]

_BLOCK = 4096  # draws that one call can return the losses of


@dataclass(frozen=True)
class Samples(Spread):
    """What was drawn.

    Attributes:
        mean: Mean of all samples of all chains, in the tree of the variables, or of `of`.
        std: Their standard deviation.
        r_hat: How much wider all chains together are than each, by value, in the same tree; well
            above 1 (1.01 to 1.1) where more samples are needed. None for one chain.
        kept: Samples that were kept, in the same tree (n_chains, n_kept, …); None for none.
        losses: Loss where each draw's last step began, burn-in included (n_chains, n_draws).
        acceptance: Share of accepted steps since burn-in, by variable and chain; empty without
            `adjust`.
        variables: Variables that each chain ended with (n_chains, …).
        n_samples: Number of samples of each chain.
        stopped: Why it ended early; None if it did not.
    """

    r_hat: Any
    kept: Any
    losses: np.ndarray
    acceptance: Mapping[str, np.ndarray]
    variables: Any
    n_samples: int
    stopped: str | None = None


def sample(
    forward: Callable[..., Any],
    variables: Any,
    data: Data,
    loss: Loss,
    optimizers: Any,
    *,
    temperature: float,
    n_samples: int,
    burn_in: int,
    thin: int = 1,
    n_chains: int = 1,
    start: Start | None = None,
    of: Callable[[Any], Any] | None = None,
    keep: int = 0,
    batch_size: int | None = None,
    schedule: Callable[[Array], Array] | None = None,
    after_step: Callable[[Any], Any] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    progress: bool | None = None,
) -> Samples:
    """Draw variables from the density exp(-loss / temperature), by stochastic gradient Langevin.

    Mean and variance are taken as the samples come, so memory does not grow with their number.

    Args:
        forward: As `reconstruct` takes it; so are all that are not named here.
        variables: Pytree to start from, best a fit's.
        data: Measurements by name, in memory.
        loss: Loss. With `batch_size` that of a batch must be in the mean that of all.
        optimizers: `langevin(…)`, for all variables, or dicts of such that follow the variables'
            tree; `frozen()` for what is known.
        temperature: Loss that stands for a factor e of the density; `gaussian_temperature` gives
            that of a measurement's noise.
        n_samples: Number of samples of each chain.
        burn_in: Number of draws before the first sample, which tune the steps.
        thin: Number of steps between draws.
        n_chains: Number of chains, which run together.
        start: `start(key, variables)`, which returns the variables that a chain starts from.
        of: Function of the variables to what mean and deviation are taken of, such as
            `lambda v: jnp.abs(v["object"])`; None takes the variables themselves.
        keep: Number of samples of each chain to keep, evenly spread.
        batch_size: Number of measurements in a step; what a whole number of batches leaves over
            is left out in each epoch, in an order of its own.
        schedule: Function of the number of draws to a factor on all steps, such as
            `lambda n: (1 + n / 100) ** -0.55`; samples count by it. None is one.
        after_step: Function of the variables applied after each step.
        seed: Seed of all randomness.
        time_limit: Seconds after which to stop.
        progress: Whether to show a progress bar; None does on a terminal.

    Returns:
        Mean, standard deviation and what tells whether to trust them. After Ctrl-C or the time
        limit those of the samples so far, NaN where there are none. A chain whose loss or gradient
        is not finite is left out, with a warning.

    Raises:
        ValueError, TypeError, KeyError: If arguments do not fit each other.
        FloatingPointError: If no chain is left.

    References:
        Welling & Teh, ICML (2011), Eqs. 4 and 11.
    """
    began = time.monotonic()
    feed = in_memory("sample", data, batch_size, False, True, seed)
    problem = make_problem(
        forward,
        variables,
        loss,
        optimizers,
        n_batches=feed.n_batches,
        keep_best=False,
        after_step=after_step,
    )
    _check(problem, feed, temperature, n_samples, burn_in, thin, n_chains, keep)
    check(problem.program, problem.arrays, problem.model, feed.first())
    seeds = seeds_of(seed, n_chains)
    state = muster(problem, feed, variables, start, seeds, keep_best=False)
    state = state._replace(rules=_heated(state, seeds, temperature))
    plan = _Plan(problem.program, feed.batches, of, thin, schedule)
    run = _Run(problem, feed, plan, state, burn_in, n_samples, keep)
    stopped = None
    n_draws = burn_in + n_samples
    with interruptible() as asked, user_line_first(), bar(n_draws, "draw", progress) as shown:
        while stopped is None and run.n < n_draws:
            shown.update(run.advance())
            stopped = enough(asked, began, time_limit)
    return run.samples(stopped)


def _check(
    problem: Problem,
    feed: Resident,
    temperature: float,
    n_samples: int,
    burn_in: int,
    thin: int,
    n_chains: int,
    keep: int,
) -> None:
    counts = {"n_samples": (n_samples, 2), "burn_in": (burn_in, 0), "thin": (thin, 1),
              "n_chains": (n_chains, 1), "keep": (keep, 0)}  # fmt: skip
    for name, (value, least) in counts.items():
        if value < least:
            raise ValueError(f"sample: `{name}` must be at least {least}, got {value}.")
    if keep > n_samples:
        raise ValueError(f"sample: `keep` must be at most n_samples={n_samples}, got {keep}.")
    if not temperature > 0:
        raise ValueError(f"sample: `temperature` must be positive, got {temperature}.")
    for group in problem.program.groups:
        rule, name = group.optimizer.rule, format_path(group.path)
        if not isinstance(rule, LangevinRule):
            raise TypeError(
                f"sample: the settings of {name} must be langevin(…) or frozen(), got "
                f"{type(rule).__name__}."
            )
        if rule.precondition and burn_in == 0:
            raise ValueError(
                f"sample: langevin(precondition=True), of {name}, needs `burn_in` to learn its "
                "steps, got 0. Several hundred steps are enough."
            )
        if rule.adjust and (feed.n_batches > 1 or "key" in problem.program.arguments):
            raise ValueError(
                f"sample: langevin(adjust=True), of {name}, needs the same loss in every step, "
                "got batches or a forward model with a `key`. Use adjust=False."
            )


def _heated(state: State, seeds: Sequence[int], temperature: float) -> list[Any]:
    """States of the optimizers with the temperature, and keys of their own."""
    drawn = jax.vmap(draw_key)(jnp.asarray(seeds))
    heated = []
    for i, window in enumerate(state.rules, start=2):  # after the keys of what is drawn to begin
        keys = jax.vmap(lambda key, i=i: jax.random.fold_in(key, i))(drawn)
        hot = jnp.full_like(window.rule.temperature, temperature)
        heated.append(window._replace(rule=window.rule._replace(key=keys, temperature=hot)))
    return heated


@dataclass(frozen=True)
class _Plan:
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
    plan: _Plan,
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
class _Run:
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
    plan: _Plan
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

    def samples(self, stopped: str | None) -> Samples:
        """What was drawn so far."""
        problem, n_chains = self.problem, len(self.state.step)
        failed = failures(problem, self.feed, self.state, lambda i: self.feed.data)  # noqa: ARG005
        left = np.asarray(leave_out("sample: chain", failed, n_chains, least=1))
        state, sums = member((self.state, self.sums), left)
        frame = split(self.plan.values(member(state.arrays, 0)))[1]
        mean, std = moments.mean_and_std(moments.pooled(sums))
        return Samples(
            mean=frame.join(mean),
            std=frame.join(std),
            r_hat=frame.join(moments.r_hat(sums)) if len(left) > 1 else None,
            kept=frame.join(_stacked(self.kept, left)) if self.kept else None,
            losses=np.concatenate(self.losses).T[left],
            acceptance=_acceptance(problem, state),
            variables=problem.program.frame.join(state.arrays),
            n_samples=max(self.n - self.burn_in, 0),
            stopped=stopped,
        )


def _stacked(kept: Sequence[Sequence[np.ndarray]], left: np.ndarray) -> list[np.ndarray]:
    """(n_chains, n_kept, …) of each array."""
    return [np.stack(column, axis=1)[left] for column in zip(*kept, strict=True)]


def _acceptance(problem: Problem, state: State) -> dict[str, np.ndarray]:
    groups = zip(problem.program.groups, state.rules, strict=True)
    return {
        format_path(group.path): np.asarray(window.rule.accepted[:, 0])
        for group, window in groups
        if isinstance(rule := group.optimizer.rule, LangevinRule) and rule.adjust
    }
