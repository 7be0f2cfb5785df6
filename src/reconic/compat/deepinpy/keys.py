"""DeepInPy's configuration keys: what they are called, of what type, and with which default."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Settings", "is_deepinpy", "read_json", "settings"]

RECONS = ("cgsense", "modl", "resnet", "dbp")


@dataclass(frozen=True)
class _Key:
    """A key: `kind` is a type, or the tuple of values that it may have; None is always allowed."""

    kind: type | tuple[str, ...]
    default: Any = None


_KEYS = {
    "step": _Key(float, 0.001),
    "l2lam_init": _Key(float, 0.001),
    "solver": _Key(("adam", "sgd"), "adam"),
    "cg_max_iter": _Key(int, 10),
    "cg_eps": _Key(float, 1e-4),
    "batch_size": _Key(int, 2),
    "num_unrolls": _Key(int, 4),
    "num_admm": _Key(int, 3),
    "network": _Key(("ResNet", "ResNet5Block"), "ResNet"),
    "latent_channels": _Key(int, 64),
    "num_blocks": _Key(int, 3),
    "batch_norm": _Key(bool, False),
    "num_spatial_dimensions": _Key(int, 2),
    "num_accumulate": _Key(int, 1),
    "name": _Key(str, "1"),
    "version": _Key(int),
    "gpu": _Key(list),
    "num_epochs": _Key(int, 20),
    "random_seed": _Key(int, 723),
    "recon": _Key(RECONS, "cgsense"),
    "data_file": _Key(str),
    "data_val_file": _Key(str),
    "data_inference_file": _Key(list),
    "data_inference_output": _Key(list),
    "num_data_sets": _Key(int),
    "num_val_data_sets": _Key(int),
    "num_inference_data_sets": _Key(list),
    "num_workers": _Key(int, 0),
    "shuffle": _Key(bool, False),
    "clip_grads": _Key(float, 0.0),
    "stdev": _Key(float, 0.0),
    "fully_sampled": _Key(bool, False),
    "inverse_crime": _Key(bool, False),
    "adjoint_data": _Key(bool, False),
    "abs_loss": _Key(bool, False),
    "self_supervised": _Key(bool, False),
    "loss_function": _Key(("L1", "L2", "SSIM"), "L2"),
    "lr_scheduler": _Key(list),
    "checkpoint_init": _Key(str),
    "logdir": _Key(str, "logs"),
    "save_all_checkpoints": _Key(bool, False),
    "save_every_N_epochs": _Key(int, 1),
    "use_sigpy": _Key(bool, False),
    "noncart": _Key(bool, False),
    "hyperopt": _Key(bool, False),
    "num_trials": _Key(int),
    "dropout": _Key(float, 0.0),
    "adam_eps": _Key(float, 1e-8),
    "max_norm_constraint": _Key(float),
    "config": _Key(str),
}
_RENAMED = {"data_train_file": "data_file", "num_train_data_sets": "num_data_sets"}
_SHARED = {"name", "recon", "lr_scheduler", "logdir", "config"}  # keys of Reconic, too
_LARGE = 1e300  # below it, unlike NaN, Inf and integers of any length, a number fits a float
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True)
class Settings:
    """Values of all keys, those that a file gave and the defaults of the others.

    Attributes:
        values: Value by key; names of the second dialect (`data_train_file`) are those of the
            first.
        given: Keys that have another value than their default.
        unknown: Keys that DeepInPy does not have, and the nearest that it has.
        validates: Whether the file is of the second dialect, which has validation data.
    """

    values: Mapping[str, Any]
    given: frozenset[str]
    unknown: Mapping[str, str | None]
    validates: bool

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def is_deepinpy(config: Any) -> bool:
    """Whether a configuration is one of DeepInPy: flat, with keys that Reconic does not have."""
    if not isinstance(config, dict) or any(isinstance(v, dict) for v in config.values()):
        return False
    recon = config.get("recon", "")
    own = (set(_KEYS) | set(_RENAMED)) - _SHARED
    return isinstance(recon, str) and not re.search(r"[A-Z.]", recon) and bool(own & set(config))


def read_json(path: str | Path) -> tuple[Any, bool]:
    """Read a JSON file, in which a comma may precede a closing bracket.

    Returns:
        Its contents, and whether there was such a comma.

    Raises:
        json.JSONDecodeError: If it is no JSON otherwise.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text), False
    except json.JSONDecodeError:
        string_or_comma = r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])'
        return json.loads(re.sub(string_or_comma, lambda m: m[1] or "", text)), True


def settings(config: Mapping[str, Any]) -> Settings:
    """Values of all keys from a configuration of either dialect.

    Raises:
        ValueError: If a value is of another type than the key wants.
    """
    named = {_RENAMED.get(key, key): value for key, value in config.items()}
    values = {key: spec.default for key, spec in _KEYS.items()}
    known = {key: _checked(key, value) for key, value in named.items() if key in _KEYS}
    values |= {key: value for key, value in known.items() if value is not None}
    given = frozenset(key for key in known if values[key] != _KEYS[key].default)
    unknown = {key: _nearest(key) for key in named if key not in _KEYS}
    return Settings(values, given, unknown, validates=not _RENAMED.keys().isdisjoint(config))


def _nearest(key: str) -> str | None:
    return next(iter(difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.8)), None)


def _checked(key: str, value: Any) -> Any:
    """Value of a key as its type, which DeepInPy itself did not check."""
    kind = _KEYS[key].kind
    if value is None or (key == "lr_scheduler" and value == -1):
        return None
    if isinstance(kind, tuple):
        if value in kind:
            return value
        raise _wrong(key, f"one of {', '.join(kind)}", value)
    if kind is list:
        return value if isinstance(value, list) else [value]
    if kind in (int, float) and isinstance(value, int | float) and abs(value) < _LARGE:
        if kind is float or value == int(value):
            return kind(value)
        raise _wrong(key, _WORDS[kind], value)
    if kind is bool and value in (0, 1):
        return bool(value)
    if kind is str and isinstance(value, str | int):
        return str(value)
    raise _wrong(key, _WORDS[kind], value)


def _wrong(key: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"DeepInPy config: `{key}` must be {wanted}, got {value!r}. Correct it.")
