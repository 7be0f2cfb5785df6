"""`reconic check`: check a forward model of your own."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reconic._array import array_namespace, from_numpy, to_numpy
from reconic._users import line_of, named_module
from reconic.cli.console import format_table, say, suggest
from reconic.cli.spelling import make_parser, parse, usage_error
from reconic.operator import LinearSystem
from reconic.testing import UNBATCHED, Check, check_system

_TARGET = """module:name, or file.py:name, of a System, of a class with the classmethod
example(rng, like), or of a function f(rng, like) that makes a System of arrays as `like` is one."""
_DERIVED = "`_adjoint` is not written; torch and JAX derive it, NumPy cannot."
_FOREIGN = (
    "It runs on NumPy. Take functions from xp = array_namespace(x), not from numpy, and declare a "
    "field that is no array as static()."
)
_LIBRARIES = {"numpy": "numpy", "torch": "torch", "jax": "jax.numpy"}


def run(argv: list[str]) -> int:
    """Check on every library that is installed; status 1 if any check fails."""
    parser = make_parser("check", "Check a forward model of your own.", config=False)
    parser.add_argument("target", help=_TARGET)
    parser.add_argument("--seed", type=int, default=0, help="Seed of the random inputs.")
    parser.add_argument("--timing", type=bool, default=False, help="Whether to time it, too.")
    config = parse(parser, argv)
    target = _checked(config.target, _load(config.target))
    derived = getattr(target, "_adjoint", None) is LinearSystem._adjoint
    found = {
        library: _checks(
            target, importlib.import_module(module).zeros(1), config.seed, config.timing
        )
        for library, module in _LIBRARIES.items()
        if importlib.util.find_spec(library) and not (derived and library == "numpy")
    }
    rows = [[c.name, name, *_outcome(c)] for name, checks in found.items() for c in checks]
    say(format_table(["check", "library", "result", "value", "bound"], rows))
    if derived:
        say(f"\nnumpy is left out: {_DERIVED}")
    for line in _advice(found):
        say(f"\n{line}")
    n_failed = sum(not c.ok for checks in found.values() for c in checks)
    say(f"\n{n_failed} of {len(rows)} checks failed." if n_failed else "\nAll checks passed.")
    return 1 if n_failed else 0


def _checks(target: Any, like: Any, seed: int, timing: bool) -> Sequence[Check]:
    """Checks on one library; an error of the system's own is a failed check too."""
    try:
        return check_system(_made(target, seed, like), seed=seed, timing=timing)
    except Exception as error:  # whatever the user's code raises
        line = str(error).partition("\n")[0].strip(" .")
        text = f"{type(error).__name__}: {line}{line_of(error)}"
        return [Check("runs", False, math.nan, None, text)]


def _made(target: Any, seed: int, like: Any) -> LinearSystem:
    """The system to check, with arrays of the library of `like`."""
    if isinstance(target, LinearSystem):
        return target.map(lambda a: from_numpy(to_numpy(a), like))
    make = target.example if isinstance(target, type) else target
    A = make(np.random.default_rng(seed), like)
    if not isinstance(A, LinearSystem):
        raise TypeError(f"`target` must make a LinearSystem, got {type(A).__name__}.")
    try:
        array_namespace(like, *A.arrays())
    except TypeError:
        raise TypeError(
            f"{type(A).__name__}: its arrays must be of the library of `like`, got others. Wrap "
            "each as array_namespace(like).asarray(…)."
        ) from None
    return A


def _advice(found: Mapping[str, Sequence[Check]]) -> Iterator[str]:
    """What to do about failed checks, and notes; what libraries have in common is told once."""
    told: dict[tuple[str, str], list[str]] = {}
    for library, checks in found.items():
        for c in checks:
            if not c.ok or c.name == UNBATCHED:
                told.setdefault((c.name, c.advice), []).append(library)
    for (name, advice), libraries in told.items():
        on_numpy = "numpy" in found and found["numpy"][0].name != "runs"
        hint = f"\n{_FOREIGN}" if name == "runs" and on_numpy and "like" not in advice else ""
        yield f"{name} ({', '.join(libraries)}): {advice}{hint}"


def _outcome(c: Check) -> tuple[str, str, str]:
    result = "no" if c.name == UNBATCHED else "ok" if c.ok else "FAILED"
    return result, f"{c.value:.2g}", "" if c.bound is None else f"{c.bound:.2g}"


def _load(path: str) -> Any:
    place, _, name = path.rpartition(":")
    if not place:
        usage_error(f"`target` must be module:name, got {path!r}. Write my_module:MySystem.")
    file = Path(place)
    if file.suffix == ".py":
        sys.path.insert(0, str(file.parent.resolve()))
    try:
        module = named_module(file.stem if file.suffix == ".py" else place)
    except ValueError as error:
        usage_error(f"`target`: {error} Write my_module:MySystem, or my_file.py:MySystem.")
    if name not in vars(module):
        usage_error(f"{place} has no {name!r}.{suggest(name, vars(module))}")
    return vars(module)[name]


def _checked(path: str, target: Any) -> Any:
    """The target, if something to check can be made of it."""
    is_class = isinstance(target, type)
    if not (issubclass(target, LinearSystem) if is_class else callable(target)):
        usage_error(f"`target` must be a LinearSystem, or make one, got {path}: {target!r}.")
    if is_class and not hasattr(target, "example"):
        usage_error(
            f"{path} must have the classmethod example(cls, rng, like), got none. Write it, "
            "returning a small random instance, or name a function f(rng, like) that makes one."
        )
    return target
