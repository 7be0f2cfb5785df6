"""Checks of a forward model and a loss before anything is compiled."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.evaluate import outputs_of
from reconic.descent.loss import Evaluation
from reconic.descent.rules import Arrays
from reconic.descent.state import Program

__all__ = ["check", "user_line_first"]

_OWN = Path(__file__).parent
_TRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.UnexpectedTracerError,
)


def check(program: Program, arrays: Arrays, model: Arrays, batch: Mapping[str, Any]) -> None:
    """Run the forward model and every term on shapes alone.

    Raises:
        ValueError: If a term's value is not a scalar, or a prediction does not fit the data.
        TypeError: If a term's value is complex, or user code looks at a value that is traced.
    """
    place = jax.ShapeDtypeStruct((), jnp.int32)
    batch = {**batch, "epoch": place, "step": place}
    key = jax.eval_shape(_key)
    with user_line_first():
        _values.eval_shape(program, list(arrays), list(model), batch, key)


@jax.jit
def _key() -> Array:
    return jax.random.PRNGKey(0)


@partial(jax.jit, static_argnums=0)
def _values(
    program: Program, arrays: Arrays, model: Arrays, batch: Mapping[str, Any], key: Array
) -> None:
    """All terms, each checked; JAX remembers what it has traced, so a second call costs nothing."""
    prediction, reports, variables = outputs_of(program, arrays, model, batch, key)
    for t in program.terms:
        _check_value(t.name, t.fn(Evaluation(prediction, variables, batch, reports)))


def _check_value(name: str, value: Any) -> None:
    shape, dtype = jnp.shape(value), jnp.result_type(value)
    if shape:
        raise ValueError(
            f"loss: the term {name!r} must be a scalar, got shape {shape}. Take its mean or sum."
        )
    if jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"loss: the term {name!r} must be real, got {dtype}. Take the squared magnitude, "
            "jnp.abs(…)**2, or the real part."
        )


@contextmanager
def user_line_first():  # noqa: ANN201
    """Errors of tracing as one line that starts with the place in the user's code."""
    try:
        yield
    except _TRACED as error:
        place = _user_frame(error)
        if place is None:
            raise
        line = linecache.getline(place.filename, place.lineno or 0).strip()
        raise TypeError(
            f"{place.filename}:{place.lineno}: in {place.name}: `{line}` needs the value of an "
            "array, which is known only when the compiled loop runs. Use jnp.where or jax.lax.cond "
            "in place of `if`, jnp in place of numpy, and fixed shapes and indices."
        ) from error


def _user_frame(error: BaseException) -> traceback.FrameSummary | None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "site-packages" not in f.filename and "<frozen" not in f.filename]
    users = [f for f in own if not Path(f.filename).is_relative_to(_OWN.parent)]
    return users[-1] if users else None
