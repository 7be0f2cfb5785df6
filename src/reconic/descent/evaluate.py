"""The loss of a program: what the forward model predicts, and the value of each term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.loss import Evaluation, Prediction
from reconic.descent.rules import Arrays
from reconic.descent.shares import whole
from reconic.descent.spread_ffts import spread_ffts
from reconic.descent.state import Program, State

__all__ = ["diagnose", "outputs_of", "put", "terms_from", "terms_of"]


def outputs_of(
    program: Program, arrays: Arrays, model: Arrays, batch: Mapping[str, Any], key: Array
) -> tuple[Any, Any, Any]:
    """Prediction, reports and variables: all of which the loss is made."""
    predict = partial(_predict, program)
    value, reports = spread_ffts(program.mesh, predict, arrays, model, batch, key)
    return value, reports, program.frame.join(arrays)


def _predict(
    program: Program, arrays: Arrays, model: Arrays, batch: Mapping[str, Any], key: Array
) -> tuple[Any, Any]:
    known = {
        "array": lambda: arrays[0],
        "variables": lambda: program.frame.join(arrays),
        "batch": lambda: batch,
        "key": lambda: jax.random.fold_in(key, batch["step"]),
    }
    found = program.model.join(model)(*(known[name]() for name in program.arguments))
    if isinstance(found, Prediction):
        return found.value, found.reports
    return found, {}


def terms_from(program: Program, outputs: tuple[Any, Any, Any], batch: Mapping[str, Any]) -> Array:
    """Value of each term, unweighted (n_terms,), at least single precision."""
    prediction, reports, variables = outputs
    evaluation = Evaluation(prediction, variables, batch, reports)
    values = [t.fn(evaluation) for t in program.terms]
    dtype = jnp.result_type(jnp.float32, *values)
    return jnp.stack([jnp.asarray(v, dtype) for v in values])


def terms_of(
    program: Program, arrays: Arrays, model: Arrays, batch: Mapping[str, Any], key: Array
) -> Array:
    """Value of each term, unweighted (n_terms,), for a batch, of arrays or shares."""
    batch = whole(batch)
    return terms_from(program, outputs_of(program, arrays, model, batch, key), batch)


def diagnose(
    program: Program,
    state: State,
    model: Arrays,
    batch: Mapping[str, Any],
    weights: Array,
) -> tuple[Array, list[Array]]:
    """Value of each term, and for each array of the variables whether its gradient is finite."""
    moving = [i for i, a in enumerate(state.arrays) if jnp.issubdtype(a.dtype, jnp.inexact)]
    key = state.key

    def total(free: Arrays) -> tuple[Array, Array]:
        terms = terms_of(program, put(state.arrays, moving, free), model, batch, key)
        return weights.astype(terms.dtype) @ terms, terms

    grads, terms = jax.grad(total, has_aux=True)([state.arrays[i] for i in moving])
    finite = [jnp.asarray(True)] * len(state.arrays)
    return terms, put(finite, moving, [jnp.all(jnp.isfinite(g)) for g in grads])


def put(arrays: list[Array], places: Sequence[int], values: Arrays) -> list[Array]:
    """`arrays` with `values` at `places`."""
    new = list(arrays)
    for i, v in zip(places, values, strict=True):
        new[i] = v
    return new
