"""Judging a state from outside the loop: held-out data, what went wrong, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic.descent.evaluate import diagnose, terms_of
from reconic.descent.feed import Feed, Resident
from reconic.descent.loop import batch_of
from reconic.descent.problem import Problem
from reconic.descent.state import State, start_rules
from reconic.descent.trees import format_path

__all__ = ["Rescue", "explain", "held_out_loss"]

_SMALLEST = 2.0**-12  # factor on the steps below which lowering has failed

_terms = partial(jax.jit, static_argnums=0)(terms_of)
_diagnose = partial(jax.jit, static_argnums=0)(diagnose)


def held_out_loss(problem: Problem, feed: Feed, state: State) -> float | None:
    """Weighted sum of the terms that judge predictions, on held-out data; None without any."""
    if feed.held_out is None:
        return None
    batch = {**feed.held_out, **_place(problem, state)}
    terms = _terms(problem.program, state.arrays, problem.model, batch, state.key)
    return float(jnp.sum(terms * problem.weights * jnp.asarray(problem.reads_data)))


def explain(problem: Problem, feed: Feed, state: State, epoch: int) -> str:
    """Sentence that names the terms and the variables that are not finite at the failed step."""
    where = f"Step {int(state.step)} (epoch {epoch + 1}):"
    for batch in _suspects(feed, state, epoch):
        batch = {**batch, **_place(problem, state)}
        terms, finite = _diagnose(problem.program, state, problem.model, batch, problem.weights)
        bad = [
            f"{t.name} is {float(v)}"
            for t, v in zip(problem.program.terms, terms, strict=True)
            if not np.isfinite(v)
        ]
        paths = problem.program.frame.paths
        steep = ", ".join(format_path(p) for p, ok in zip(paths, finite, strict=True) if not ok)
        if steep:
            bad.append(f"the gradient by {steep} is not finite")
        if bad:
            return f"{where} {'; '.join(bad)}."
    return f"{where} the loss or a gradient is not finite."


@dataclass
class Rescue:
    """The way back from steps that fail: to the last good state, with all steps halved.

    A state is good if the loss and its gradient are finite there. The states that runs of steps
    began with are kept; from there the steps are taken again up to the last good one, so that
    variables, optimizers, step and order are what they were. If that fails again at the same step
    it was a dead end, such as far out on a diverging path, and the way back is to the best.

    Attributes:
        earlier: The last two states that runs of steps began with, each after its epoch.
        failed_at: Step that failed last; -1 before any did.
    """

    earlier: tuple[tuple[int, State], ...] = ()
    failed_at: int = -1

    def remember(self, epoch: int, state: State) -> None:
        """Keep a state, after `epoch` epochs, that steps begin with."""
        self.earlier = (*self.earlier[-1:], (epoch, jax.tree.map(jnp.copy, state)))

    def back(
        self, problem: Problem, feed: Feed, failed: State, epoch: int
    ) -> tuple[State, int] | None:
        """State to go on from with shorter steps, and its epoch; None if there is no use in it.

        Args:
            problem: What is computed.
            feed: Where batches come from.
            failed: State before the step that failed.
            epoch: Epochs done before it.
        """
        step = int(failed.step)
        dead_end, self.failed_at = step <= self.failed_at, step
        found = [_last_good(problem, feed, self.earlier, step), _best(problem, failed, epoch)]
        ways = [way for way in (reversed(found) if dead_end else found) if way is not None]
        if not ways or failed.scale <= _SMALLEST:
            return None
        self.earlier = ()
        state, epoch = ways[0]
        return state._replace(scale=failed.scale / 2, failed=jnp.asarray(False)), epoch


def _last_good(
    problem: Problem, feed: Feed, earlier: Sequence[tuple[int, State]], step: int
) -> tuple[State, int] | None:
    """State before the last step that was taken before `step`, and its epoch."""
    known = [(epoch, state) for epoch, state in earlier if int(state.step) < step]
    if not known:
        return None
    epoch, state = known[-1]
    n_steps = step - 1 - int(state.step)
    if not isinstance(feed, Resident):  # a stream begins its epoch anew
        return state, epoch
    if n_steps:
        n_epochs = step // feed.n_batches - epoch + 1
        state, _ = feed.advance(
            problem.program, state, problem.model, problem.weights, epoch, n_epochs, n_steps
        )
    return state, int(state.step) // feed.n_batches


def _best(problem: Problem, state: State, epoch: int) -> tuple[State, int] | None:
    """The best variables, with optimizers that start anew."""
    if not state.best or not bool(jnp.isfinite(state.best_loss)):
        return None
    arrays = [jnp.copy(a) for a in state.best]
    return state._replace(arrays=arrays, rules=start_rules(problem.program, arrays)), epoch


def _place(problem: Problem, state: State) -> dict[str, Any]:
    return {"epoch": state.step // problem.program.n_batches, "step": state.step}


def _suspects(feed: Feed, state: State, epoch: int) -> Iterator[dict[str, Any]]:
    if isinstance(feed, Resident):
        yield {**batch_of(feed.batches, feed.data, state), **feed.extra}
    else:
        yield from feed.source.epoch(epoch)
