"""Judging a state from outside the loop: held-out data, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
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

__all__ = ["explain", "held_out_loss", "lower"]

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


def lower(problem: Problem, state: State) -> State | None:
    """State at the best variables with all steps halved; None if there is none or no use in it."""
    if not state.best or not bool(jnp.isfinite(state.best_loss)) or state.scale <= _SMALLEST:
        return None
    arrays = [jnp.copy(a) for a in state.best]
    return state._replace(
        arrays=arrays, rules=start_rules(problem.program, arrays), scale=state.scale / 2
    )


def _place(problem: Problem, state: State) -> dict[str, Any]:
    return {"epoch": state.step // problem.program.n_batches, "step": state.step}


def _suspects(feed: Feed, state: State, epoch: int) -> Iterator[dict[str, Any]]:
    if isinstance(feed, Resident):
        yield {**batch_of(feed.batches, feed.data, state), **feed.extra}
    else:
        yield from feed.source.epoch(epoch)
