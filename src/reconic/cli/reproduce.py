"""`reconic reproduce`: run a bundle again, and compare what comes out."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path

from reconic.cli.console import format_table, say
from reconic.cli.objectives import objective
from reconic.cli.spelling import make_parser, parse, passing_file
from reconic.track import (
    Bundle,
    Input,
    environment,
    figures_of,
    find_data,
    fingerprint,
    read_bundle,
)
from reconic.track.scrub import scrubbed

_TOLERANCE = "Largest difference of a figure, as a fraction of what was recorded."
_DATA = """File or folder below which the data are; they are known by their contents, whatever
their names. Not needed where they lie as they did when the bundle was made."""


def run(argv: list[str]) -> int:
    """Run again in a new run folder, and print the table; 1 if a figure differs."""
    parser = make_parser("reproduce", "Run a bundle again, and compare the figures.", config=False)
    parser.add_argument("bundle", type=str, help="Archive that `reconic bundle` made.")
    parser.add_argument("--tolerance", type=float, default=1e-3, help=_TOLERANCE)
    parser.add_argument("--data", type=str | None, default=None, help=_DATA)
    parser.add_argument("--logdir", default="logs", help="The run goes to logdir/NAME/version_N.")
    options = parse(parser, argv)
    if not options.tolerance >= 0:
        raise ValueError(f"reproduce: `tolerance` must not be negative, got {options.tolerance}.")
    path = Path(options.bundle)
    bundle = read_bundle(path)
    _warn_of_versions(bundle.versions)
    found = [_located(item, options.data and Path(options.data)) for item in bundle.inputs]
    folder = _again(bundle, found, path.stem, options.logdir)
    now = {scrubbed(name): value for name, value in figures_of(folder).items()}
    rows = compared(bundle.figures, now, options.tolerance)
    say(format_table(["figure", "recorded", "now", "difference", "verdict"], rows))
    say(str(folder))
    return 1 if any(row[-1] in ("differs", "missing") for row in rows) else 0


def _again(bundle: Bundle, paths: list[Path], name: str, logdir: str) -> Path:
    """Run the command with data in place; the run folder."""
    command = objective(bundle.command)
    config = {**bundle.filled(paths), "name": name, "logdir": logdir}
    with passing_file(config) as file:
        parsed = command.read(file)
    return command.run(parsed)


def _located(item: Input, given: Path | None) -> Path:
    """Path of data, checked to be those that the run had."""
    hint = None if item.hint is None else Path(item.hint)
    if given is not None and not given.exists():
        raise FileNotFoundError(f"reproduce: there is no {str(given)!r}, which --data names.")
    if item.data is None:
        if hint is None or not hint.exists():
            raise FileNotFoundError(
                f"reproduce: {item.key} was not there when the bundle was made, and cannot be "
                f"known by its contents. Place it at {hint or 'a path below this folder'}."
            )
        _note(f"{item.key}: whether {hint} is what the run had cannot be checked")
        return hint
    for place in [] if hint is None else [hint, (given or Path()) / hint]:
        if fingerprint(place) == item.data:
            return place
    path = None if given is None else find_data(given, item.data)
    if path is None:
        there = hint is not None and hint.exists()
        where = f"{hint} is other data" if there else "it is not in the bundle"
        raise FileNotFoundError(
            f"reproduce: the run needs {item.key} of {item.data.n_bytes} bytes and SHA-256 "
            f"{item.data.sha256}, and {where if given is None else f'it is not below {given}'}. "
            "Name a file or folder that has it by --data."
        )
    return path


def _warn_of_versions(recorded: Mapping[str, str]) -> None:
    here = environment()
    now = {"python": here["python"], **here["packages"]}
    for name, version in recorded.items():
        if now.get(name) != version:
            _note(f"{name} was {version} and is {now.get(name, 'not installed')} here")


def _note(text: str) -> None:
    sys.stderr.write(f"reconic reproduce: {text}\n")


def compared(
    recorded: Mapping[str, float | None], now: Mapping[str, float | None], tolerance: float
) -> list[list[str]]:
    """Row of each recorded figure: name, both values, relative difference, verdict.

    The verdict is "same" to the last bit, "close" within the tolerance, "differs", or "missing".
    """
    rows = []
    for name, value in recorded.items():
        if name not in now:
            rows.append([name, _shown(value), "-", "-", "missing"])
            continue
        difference = _relative(value, now[name])
        kinds = ("same",) if difference == 0 else ("close",) if difference <= tolerance else ()
        verdict = next(iter(kinds), "differs")
        rows.append([name, _shown(value), _shown(now[name]), f"{difference:.1e}", verdict])
    return rows


def _relative(a: float | None, b: float | None) -> float:
    """|a - b| / |a|; none between two that are no number."""
    if a is None or b is None or not math.isfinite(a) or not math.isfinite(b):
        same = a == b or (_is_nan(a) and _is_nan(b))
        return 0.0 if same else math.inf
    if a == b:
        return 0.0
    return abs(a - b) / abs(a) if a else math.inf


def _is_nan(x: float | None) -> bool:
    return x is None or math.isnan(x)


def _shown(value: float | None) -> str:
    return "nan" if value is None else f"{value:.6g}"
