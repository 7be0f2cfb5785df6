"""`reconic check`: check a forward model of your own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from reconic._array import from_numpy, to_numpy
from reconic.cli.console import format_table, say, suggest
from reconic.cli.spelling import make_parser, parse, usage_error
from reconic.operator import LinearSystem
from reconic.testing import Check, check_system

_TARGET = """module:name, or file.py:name, of a System, of a class with the classmethod
example(rng, like), or of a function f(rng, like) that makes a System of arrays as `like` is one."""
_LIBRARIES = {"numpy": "numpy", "torch": "torch", "jax": "jax.numpy"}


def run(argv: list[str]) -> int:
    """Check on every library that is installed; status 1 if any check fails."""
    parser = make_parser("check", "Check a forward model of your own.", config=False)
    parser.add_argument("target", help=_TARGET)
    parser.add_argument("--seed", type=int, default=0, help="Seed of the random inputs.")
    parser.add_argument("--timing", type=bool, default=False, help="Whether to time it, too.")
    config = parse(parser, argv)
    target = _load(config.target)
    found = {
        library: _checks(
            target, importlib.import_module(module).zeros(1), config.seed, config.timing
        )
        for library, module in _LIBRARIES.items()
        if importlib.util.find_spec(library)
    }
    rows = [[c.name, name, *_outcome(c)] for name, checks in found.items() for c in checks]
    say(format_table(["check", "library", "result", "value", "bound"], rows))
    failed = [(name, c) for name, checks in found.items() for c in checks if not c.ok]
    for name, check in failed:
        say(f"\n{check.name} ({name}): {check.advice}")
    say(f"\n{len(failed)} of {len(rows)} checks failed." if failed else "\nAll checks passed.")
    return 1 if failed else 0


def _checks(target: Any, like: Any, seed: int, timing: bool) -> Iterable[Check]:
    """Checks on one library; an error of the system's own is a failed check too."""
    try:
        rng = np.random.default_rng(seed)
        if isinstance(target, LinearSystem):
            A = target.map(lambda a: from_numpy(to_numpy(a), like))
        else:
            A = target.example(rng, like) if isinstance(target, type) else target(rng, like)
        return check_system(A, seed=seed, timing=timing)
    except Exception as error:  # whatever the user's code raises
        text = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        return [Check("runs", False, float("nan"), None, text)]


def _outcome(c: Check) -> tuple[str, str, str]:
    return "ok" if c.ok else "FAILED", f"{c.value:.2g}", "" if c.bound is None else f"{c.bound:.2g}"


def _load(path: str) -> Any:
    place, _, name = path.rpartition(":")
    if not place:
        usage_error(f"`target` must be module:name, got {path!r}. Write my_module:MySystem.")
    file = Path(place)
    sys.path.insert(0, str(file.parent.resolve() if file.suffix == ".py" else Path.cwd()))
    try:
        module = importlib.import_module(file.stem if file.suffix == ".py" else place)
    except ModuleNotFoundError as error:
        usage_error(f"`target`: {error}. Write my_module:MySystem, or my_file.py:MySystem.")
    if name not in vars(module):
        usage_error(f"{place} has no {name!r}.{suggest(name, vars(module))}")
    return vars(module)[name]
