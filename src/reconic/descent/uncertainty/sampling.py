"""Sampling: variables drawn from the density that the loss stands for, by Langevin dynamics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.checks import check, user_line_first
from reconic.descent.feed import Data, Resident
from reconic.descent.loss import Loss
from reconic.descent.problem import Problem, make_problem
from reconic.descent.state import State
from reconic.descent.stopping import interruptible
from reconic.descent.trees import format_path, split
from reconic.descent.uncertainty import moments
from reconic.descent.uncertainty.chains import Chains, Plan
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
from reconic.descent.uncertainty.spread import Spread

__all__ = ["Samples", "sample"]


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
    plan = Plan(problem.program, feed.batches, of, thin, schedule)
    run = Chains(problem, feed, plan, state, burn_in, n_samples, keep)
    stopped = None
    n_draws = burn_in + n_samples
    with interruptible() as asked, user_line_first(), bar(n_draws, "draw", progress) as shown:
        while stopped is None and run.n < n_draws:
            shown.update(run.advance())
            stopped = enough(asked, began, time_limit)
    return _samples(run, stopped)


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


def _samples(run: Chains, stopped: str | None) -> Samples:
    """What was drawn so far."""
    problem, n_chains = run.problem, len(run.state.step)
    failed = failures(problem, run.feed, run.state, lambda i: run.feed.data)  # noqa: ARG005
    left = np.asarray(leave_out("sample: chain", failed, n_chains, least=1))
    state, sums = member((run.state, run.sums), left)
    frame = split(run.plan.values(member(state.arrays, 0)))[1]
    mean, std = moments.mean_and_std(moments.pooled(sums))
    return Samples(
        mean=frame.join(mean),
        std=frame.join(std),
        r_hat=frame.join(moments.r_hat(sums)) if len(left) > 1 else None,
        kept=frame.join(_stacked(run.kept, left)) if run.kept else None,
        losses=np.concatenate(run.losses).T[left],
        acceptance=_acceptance(problem, state),
        variables=problem.program.frame.join(state.arrays),
        n_samples=max(run.n - run.burn_in, 0),
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
