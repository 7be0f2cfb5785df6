"""Scores of several runs in one table, each method under a name of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconic.track.slices import Scores, read_slices

__all__ = ["Method", "gather_scores"]

_BASELINES = ("zero-filled", "cg-sense")
_FINGERPRINT = "zero-filled"  # it has no parameter: its scores are equal where the examples are
_RTOL = 1e-3  # of scores that other hardware or another number of threads computed


@dataclass(frozen=True)
class Method:
    """Where scores came from.

    Attributes:
        folder: Folder of slices.csv, and of images.h5 if images were kept.
        name: The method's name there.
    """

    folder: Path
    name: str

    @property
    def baseline(self) -> bool:
        """Whether it is one of the baselines, which nothing was trained for."""
        return self.name in _BASELINES


def gather_scores(paths: Sequence[str | Path]) -> tuple[Scores, dict[str, Method]]:
    """Read the scores of runs that were tested on the same examples.

    A baseline that scored the same in all runs is listed once. What a run trained is called by the
    run, `logs/NAME/version_0` being NAME, or by the path as given where that is not unique.

    Args:
        paths: Run folders, folders of `reconic test`, or `slices.csv` files themselves.

    Returns:
        Scores by name, the baselines first, and for each name where it came from.

    Raises:
        FileNotFoundError: If a run has no slices.csv.
        ValueError: If runs were tested on different examples, are the same, or differ in metrics.
    """
    files = [Path(p) if Path(p).name == "slices.csv" else Path(p, "slices.csv") for p in paths]
    found = dict(zip(_labels(paths), map(read_slices, files), strict=True))
    folders = dict(zip(found, (file.parent for file in files), strict=True))
    _check_comparable(found)
    scores: Scores = {}
    sources: dict[str, Method] = {}
    shared = [name for name in _BASELINES if _agree(found, name)]
    by_length = sorted(found, key=lambda label: -_n_slices(found[label]))
    for method in shared:
        label = next((label for label in by_length if method in found[label]), None)
        if label is not None:
            scores[method], sources[method] = found[label][method], Method(folders[label], method)
    for label, methods in found.items():
        for method in (m for m in methods if m not in shared):
            name = f"{label} {method}" if method in _BASELINES else label
            scores[name], sources[name] = methods[method], Method(folders[label], method)
    return scores, sources


def _labels(paths: Sequence[str | Path]) -> list[str]:
    """Shortest of NAME, NAME/version_N and the path as given that tells all runs apart."""
    names = [_run_parts(Path(path).resolve()) for path in paths]
    for depth in (1, 2):
        labels = ["/".join(parts[:depth]) for parts in names]
        if len(set(labels)) == len(labels):
            return labels
    labels = [str(path) for path in paths]
    if len(set(labels)) < len(labels):
        raise ValueError(
            f"compare: runs must be different ones, got {', '.join(labels)}. Name each once."
        )
    return labels


def _run_parts(path: Path) -> tuple[str, ...]:
    """NAME and what follows it in …/NAME/version_N/test/version_M/slices.csv."""
    parts = path.parent.parts if path.name == "slices.csv" else path.parts
    generic = re.compile(r"version_\d+|test")
    last = max((i for i, part in enumerate(parts) if not generic.fullmatch(part)), default=0)
    return parts[last:]


def _n_slices(scores: Scores) -> int:
    return max(len(values) for metrics in scores.values() for values in metrics.values())


def _agree(found: dict[str, Scores], method: str) -> bool:
    """Whether a method scored the same in all runs that have it, on the slices that all have."""
    runs = [scores[method] for scores in found.values() if method in scores]
    n = min((len(v) for run in runs for v in run.values()), default=0)
    return all(
        np.allclose(run[metric][:n], runs[0][metric][:n], rtol=_RTOL, atol=0, equal_nan=True)
        for run in runs
        for metric in run
    )


def _check_comparable(found: dict[str, Scores]) -> None:
    metrics = {label: list(next(iter(scores.values()))) for label, scores in found.items()}
    if any(m != next(iter(metrics.values())) for m in metrics.values()):
        listed = "; ".join(f"{', '.join(m)} in {label}" for label, m in metrics.items())
        raise ValueError(
            f"compare: runs must have the same metrics, got {listed}. Test them anew with "
            "`reconic test RUN`."
        )
    if not _agree(found, _FINGERPRINT):
        raise ValueError(
            f"compare: runs must be tested on the same examples, got zero-filled images of "
            f"different scores in {', '.join(found)}. Test all on the same data with "
            "`reconic test RUN --data.test FILE`."
        )
