"""What a call was given, in plain values, for the file that a run keeps of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from reconic._array import is_array
from reconic.descent.devices import is_stored

__all__ = ["as_yaml", "describe"]


def describe(x: Any) -> Any:
    """Numbers, text, lists and dicts that tell of a value what can be told in words.

    Of arrays that is dtype and shape, of functions their name, and of settings what differs from
    the defaults.

    Args:
        x: Any value; trees are gone through.
    """
    if x is None or isinstance(x, bool | int | float | str):
        return x
    if isinstance(x, np.generic | complex):
        return repr(x.item() if isinstance(x, np.generic) else x)
    if is_array(x) or is_stored(x):
        return f"{x.dtype} {tuple(x.shape)}"
    if isinstance(x, Mapping):
        return {str(k): describe(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [describe(v) for v in x]
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {type(x).__name__: {name: describe(v) for name, v in _settings(x)}}
    return _name(x)


def as_yaml(settings: Mapping[str, Any]) -> str:
    """Plain values as YAML, a line each."""
    return "".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items())


def _settings(x: Any) -> list[tuple[str, Any]]:
    """Fields of a dataclass that are not at their default."""
    values = [(f, getattr(x, f.name)) for f in dataclasses.fields(x)]
    return [(f.name, v) for f, v in values if v is not f.default]


def _name(x: Any) -> str:
    named = x if hasattr(x, "__qualname__") else type(x)
    return f"{named.__module__}.{named.__qualname__}"
