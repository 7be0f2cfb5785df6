"""CalCIL's losses: terms of (forward_output, variables, input_dict, intermediates)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

import reconic.descent as rd
from reconic._array import Array

__all__ = ["Loss", "get_l2_loss", "get_weight_l2_reg"]

LossFn = Callable[[Any, Any, Any, Any], Array]


class Loss:
    """One or several terms with names and weights; they add, and scale by any real number.

    Args:
        loss_fn: Function, or list of functions, of (forward_output, variables, input_dict,
            intermediates).
        name: Name of each.
        weight: Weight of each; 1 if None.
        has_intermediates: Whether the terms read what the forward model sows.

    Raises:
        ValueError: If there are not as many names and weights as functions.
    """

    def __init__(
        self,
        loss_fn: LossFn | Sequence[LossFn],
        name: str | Sequence[str],
        weight: float | Sequence[float] | None = None,
        has_intermediates: bool = False,
    ) -> None:
        functions = [loss_fn] if callable(loss_fn) else list(loss_fn)
        names = [name] if isinstance(name, str) else list(name)
        given = [weight] if isinstance(weight, int | float) else weight
        weights = [1.0] * len(functions) if given is None else list(given)
        if not len(functions) == len(names) == len(weights):
            raise ValueError(
                f"Loss: there must be a name and a weight for each function, got {len(functions)} "
                f"functions, {len(names)} names and {len(weights)} weights."
            )
        terms = [
            w * rd.term(_adapted(fn), n) for fn, n, w in zip(functions, names, weights, strict=True)
        ]
        self._native: rd.Loss = sum(terms[1:], terms[0])
        self.has_intermediates = has_intermediates

    @property
    def native(self) -> rd.Loss:
        """The same as a loss of `reconic.descent`."""
        return self._native

    @property
    def name(self) -> list[str]:
        """Names of the terms."""
        return list(self._native.names)

    @property
    def weight(self) -> list[float]:
        """Weights of the terms."""
        return list(self._native.weights)

    def get_loss_fn(self) -> Callable[..., tuple[Array, dict[str, Array]]]:
        """Function of (variables, input_dict, forward_fn) to the total and the weighted terms.

        The terms are a dict by name, with `total_loss`.
        """

        def loss_fn(
            variables: Any, input_dict: Any, forward_fn: Callable[..., Any]
        ) -> tuple[Array, dict[str, Array]]:
            more = {"mutable": ["intermediates"]} if self.has_intermediates else {}
            found = forward_fn(variables, input_dict, **more)
            output, state = found if more else (found, {})
            seen = state.get("intermediates", {})
            e = rd.Evaluation(output, variables, input_dict, seen)
            terms = zip(self._native.terms, self._native.weights, strict=True)
            values = {t.name: w * t.fn(e) for t, w in terms}
            total = jnp.asarray(sum(values.values()))
            return total, {**values, "total_loss": total}

        return loss_fn

    def _made(self, native: rd.Loss, has_intermediates: bool | None = None) -> Loss:
        new = object.__new__(Loss)
        new._native = native
        new.has_intermediates = has_intermediates or self.has_intermediates
        return new

    def __add__(self, other: Any) -> Loss:
        """Sum of two losses; also with the 0 that sum() starts from."""
        if isinstance(other, Loss):
            return self._made(self._native + other._native, other.has_intermediates)
        return self._made(self._native + other) if other == 0 else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Loss) -> Loss:
        """Difference of two losses."""
        return self + (-1) * other if isinstance(other, Loss) else NotImplemented

    def __mul__(self, scale: Any) -> Loss:
        """All weights times a real number."""
        return self._made(self._native * scale)

    __rmul__ = __mul__
    __array_ufunc__ = None

    def __truediv__(self, scale: Any) -> Loss:
        """All weights over a real number."""
        return self._made(self._native / scale)

    def __neg__(self) -> Loss:
        """All weights negative."""
        return self * -1.0


def _adapted(fn: LossFn) -> Callable[..., Array]:
    def term(prediction: Any, variables: Any, batch: Any, reports: Any) -> Array:
        seen = reports.get("calcil", (batch, reports))  # batch and intermediates as CalCIL has them
        return fn(prediction, variables, *seen)

    return term


def get_l2_loss(key: str) -> LossFn:
    """Mean of |input_dict[key] - output|², of real or complex arrays."""

    def l2_loss(output: Any, variables: Any, input_dict: Any, intermediates: Any) -> Array:  # noqa: ARG001
        return jnp.mean(jnp.abs(input_dict[key] - output) ** 2)

    return l2_loss


def get_weight_l2_reg() -> LossFn:
    """Mean of |x|² over all variables."""

    def weight_l2_reg(output: Any, variables: Any, input_dict: Any, intermediates: Any) -> Array:  # noqa: ARG001
        leaves = jax.tree.leaves(variables)
        total = sum(jnp.sum(jnp.abs(x) ** 2) for x in leaves)
        return jnp.asarray(total / sum(x.size for x in leaves))

    return weight_l2_reg
