"""What is searched: ranges and choices for any keys of a configuration, by their dotted paths."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna

__all__ = ["Dimension", "Space"]

_RANGE = ("low", "high", "log", "int", "step")


@dataclass(frozen=True)
class Dimension:
    """Values that one key may have: a range, or choices.

    Attributes:
        low: Smallest value of a range.
        high: Largest value.
        log: Whether the logarithm is uniform.
        integer: Whether values are whole numbers.
        step: Distance between values; None for a continuous range, or whole numbers one by one.
        choices: Values by their labels; empty for a range.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    step: float | None = None
    choices: Mapping[str, Any] | None = None

    def suggest(self, trial: optuna.trial.BaseTrial, path: str) -> Any:
        """Value of this key in a trial."""
        if self.choices is not None:
            return self.choices[trial.suggest_categorical(path, list(self.choices))]
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(path, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(path, self.low, self.high, step=self.step, log=self.log)

    def grid(self) -> list[Any] | None:
        """All values, as the grid sampler knows them; None for a continuous range."""
        if self.choices is not None:
            return list(self.choices)
        if self.step is None and not self.integer:
            return None
        step = self.step or 1
        n = math.floor((self.high - self.low) / step + 1e-9) + 1
        values = [self.low + i * step for i in range(n)]
        return [int(v) for v in values] if self.integer else values

    def ends(self) -> list[Any]:
        """Values that a configuration has to be valid with: all choices, or both ends."""
        if self.choices is not None:
            return list(self.choices.values())
        kind = int if self.integer else float
        return [kind(self.low), kind(self.high)]


class Space:
    """Dimensions by the dotted paths of the keys that they set.

    Args:
        spec: For each path {"low": …, "high": …, "log": …, "int": …, "step": …}, of which low and
            high are needed, or {"choices": [...]}, or a list of choices. A choice may be anything,
            a class with its arguments among them.

    Raises:
        ValueError: If it is empty, or a dimension is not one of these.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        if not spec:
            raise ValueError(
                "search: `space` must name at least one key, got none. "
                'Such as {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-2, "log": true}}.'
            )
        self.dimensions = {path: _dimension(path, value) for path, value in spec.items()}
        self.spec = json.loads(json.dumps(dict(spec)))

    def samples(self) -> dict[str, Any]:
        """A plain value of the kind that each key has, by path; "" of what is called by a name."""
        ends = {path: d.ends() for path, d in self.dimensions.items()}
        plain = {p: [v for v in e if isinstance(v, bool | int | float)] for p, e in ends.items()}
        return {path: found[0] if found else "" for path, found in plain.items()}

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        """Values of a trial by path."""
        return {path: d.suggest(trial, path) for path, d in self.dimensions.items()}

    def grid(self) -> dict[str, list[Any]]:
        """All values by path.

        Raises:
            ValueError: If a range is continuous.
        """
        found = {path: d.grid() for path, d in self.dimensions.items()}
        for path, values in found.items():
            if values is None:
                raise ValueError(
                    f"search: {path!r} must have `step` or choices for the grid sampler, got a "
                    "continuous range. Give a step, or take the sampler tpe."
                )
        return {path: values for path, values in found.items() if values is not None}

    def corners(self, config: Mapping[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """Configurations that all have to be valid: each end of each dimension, one at a time.

        Args:
            config: Configuration to search around.

        Yields:
            Path, value, configuration; the other keys have their first values.
        """
        first = {path: d.ends()[0] for path, d in self.dimensions.items()}
        for path, dimension in self.dimensions.items():
            for value in dimension.ends():
                yield path, value, placed(config, {**first, path: value})


def placed(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a nested configuration with values at dotted paths, outer ones placed first."""
    made = copy.deepcopy(dict(config))
    for path in sorted(values, key=lambda p: p.count(".")):
        *parents, name = path.split(".")
        node = made
        for parent in parents:
            if not isinstance(node.get(parent), dict):
                inner = node.get(parent)
                node[parent] = {"class_path": inner} if isinstance(inner, str) else {}
            node = node[parent]
        node[name] = copy.deepcopy(values[path])
    return made


def _dimension(path: str, spec: Any) -> Dimension:
    if isinstance(spec, list):
        spec = {"choices": spec}
    if not isinstance(spec, Mapping) or (set(spec) != {"choices"} and not _is_range(spec)):
        raise ValueError(
            f"search: {path!r} must have low and high (and log, int, step), or choices, got "
            f"{json.dumps(spec, default=str)}."
        )
    if "choices" in spec:
        return Dimension(choices=_labelled(path, spec["choices"]))
    low, high, log, step = spec["low"], spec["high"], spec.get("log", False), spec.get("step")
    whole = all(isinstance(v, int) for v in (low, high, 1 if step is None else step))
    integer = spec.get("int", whole and not log)
    _check_range(path, low, high, log, step, integer)
    return Dimension(low, high, log, integer, step)


def _is_range(spec: Mapping[str, Any]) -> bool:
    return {"low", "high"} <= set(spec) <= set(_RANGE)


def _labelled(path: str, choices: Any) -> dict[str, Any]:
    """Choices by what they are called in tables and figures."""
    if not isinstance(choices, list) or not choices:
        raise ValueError(f"search: `choices` of {path!r} must be a list of values, got {choices}.")
    found = {_label(value): value for value in choices}
    if len(found) != len(choices):
        raise ValueError(f"search: `choices` of {path!r} must differ, got {choices}.")
    return found


def _label(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"class_path"}:
        return str(value["class_path"])
    return value if isinstance(value, str) else json.dumps(value)


def _check_range(path: str, low: Any, high: Any, log: Any, step: Any, integer: Any) -> None:
    numbers = [low, high, *([] if step is None else [step])]
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers) or any(
        isinstance(v, bool) for v in numbers
    ):
        raise ValueError(f"search: the range of {path!r} must be of numbers, got {numbers}.")
    if not low < high:
        raise ValueError(f"search: `low` of {path!r} must be below `high`, got {low} and {high}.")
    if log and (low <= 0 or step is not None):
        raise ValueError(
            f"search: a range with `log` must be positive and have no step, got {path!r} from "
            f"{low} with step {step}."
        )
    if step is not None and step <= 0:
        raise ValueError(f"search: `step` of {path!r} must be positive, got {step}.")
    if integer and any(float(v) != int(v) for v in numbers):
        raise ValueError(f"search: {path!r} must have whole numbers with `int`, got {numbers}.")
