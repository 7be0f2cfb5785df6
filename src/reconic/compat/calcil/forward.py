"""CalCIL's `Model`, a Flax module that is called with its variables, and variables by dotted id."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from reconic._array import Array

try:
    from flax import linen as nn
    from flax.core import FrozenDict
except ImportError as error:
    raise ImportError(
        "reconic.compat.calcil.forward needs Flax: install it by `pip install flax`."
    ) from error

__all__ = ["Model", "var_list", "var_replace"]


class Model(nn.Module):
    """Flax module with `forward` and `var`."""

    def forward(
        self,
        *input_args: Any,
        variables: Mapping[str, Any] | None = None,
        method_name: str | Callable[..., Any] | None = None,
        rngs: Mapping[str, Array] | None = None,
        mutable: Any = False,
    ) -> Any:
        """Call the module, or a method of it, with given variables.

        Args:
            *input_args: Arguments of the method.
            variables: Variables as `init` makes them.
            method_name: Name of a method, also one of a submodule such as "psf.kernel", or a
                function of the module and the arguments; `__call__` if None.
            rngs: PRNG keys by name.
            mutable: Collections to return too, such as ["intermediates"].
        """
        method = method_name
        if isinstance(method_name, str):
            find = operator.attrgetter(method_name)
            method = lambda module, *a: find(module)(*a)  # noqa: E731
        keys = dict(rngs) if rngs else None
        return self.apply(variables or {}, *input_args, rngs=keys, method=method, mutable=mutable)

    def var(
        self,
        name: str,
        mode: Literal["update", "u", "fixed", "f"] = "update",
        init_fn: Any = None,
        shape: Any = None,
        dtype: Any = None,
    ) -> Any:
        """A parameter, or a variable of the collection "fixed", whose array is its `value`.

        Args:
            name: Name.
            mode: "update" for a parameter, "fixed" for what is known.
            init_fn: Start, of (key, shape, dtype) for a parameter, of (shape, dtype) if fixed.
            shape: Shape.
            dtype: Dtype.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode in ("update", "u"):
            return self.param(name, init_fn, shape, dtype)
        if mode in ("fixed", "f"):
            return self.variable("fixed", name, init_fn, shape, dtype)
        raise ValueError(f"Model.var: `mode` must be 'update' or 'fixed', got {mode!r}.")


def var_list(variables: Mapping[str, Any]) -> list[str]:
    """Ids of all variables: their keys joined by dots."""
    ids = []
    for key, entry in variables.items():
        below = [f"{key}.{rest}" for rest in var_list(entry)] if _is_node(entry) else [key]
        ids.extend(below)
    return ids


def var_replace(variables: Mapping[str, Any], vid: str, value: Any) -> Any:
    """Variables with another value at an id; a plain dict is changed in place, as in CalCIL.

    Raises:
        KeyError: If there is no such variable; lists the ids.
    """
    if isinstance(variables, FrozenDict):
        return FrozenDict(var_replace(variables.unfreeze(), vid, value))
    if vid not in (ids := var_list(variables)):
        raise KeyError(f"var_replace: `vid` must be one of {', '.join(ids)}, got {vid!r}.")
    *home, last = vid.split(".")
    node: Any = variables
    for key in home:
        node = node[key]
    node[last] = value
    return variables


def _is_node(entry: Any) -> bool:
    return isinstance(entry, Mapping)
