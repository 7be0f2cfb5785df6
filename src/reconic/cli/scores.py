"""Tables of scores: each method's mean and spread, and paired differences."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from reconic.cli.console import Table, format_table
from reconic.track import Difference

__all__ = ["difference_table", "format_scores", "metric_title", "score_table", "to_csv"]

_TITLES = {"nrmse": "NRMSE", "psnr": "PSNR [dB]", "ssim": "SSIM"}
_COLUMNS = ("method", "metric", "slices", "mean", "sd", "difference", "low", "high", "pairs")
_DIGITS = {"psnr": 2}  # after the point; 4 for others
Scores = Mapping[str, Mapping[str, Sequence[float]]]
Differences = Mapping[str, Mapping[str, Difference]]


def format_scores(scores: Scores) -> str:
    """Plain `score_table`."""
    return format_table(*score_table(scores))


def score_table(scores: Scores, counted: bool = False) -> Table:
    """Mean ± sample standard deviation over the slices of each metric, for each method.

    Args:
        scores: Values by method and metric, one for each slice; of one value no spread is given.
        counted: Whether to say of how many slices.
    """
    metrics = list(dict.fromkeys(m for values in scores.values() for m in values))
    rows = [
        [name, *([str(_n_slices(v))] if counted else []), *(_spread(m, v[m]) for m in metrics)]
        for name, v in scores.items()
    ]
    return ["method", *(["slices"] if counted else []), *map(metric_title, metrics)], rows


def difference_table(differences: Differences, reference: str) -> Table:
    """Mean [low, high] of the paired differences from a reference, for each method and metric."""
    metrics = list(next(iter(differences.values())))
    rows = [[name, *(_interval(m, d[m]) for m in metrics)] for name, d in differences.items()]
    return [f"less {reference}", *map(metric_title, metrics)], rows


def to_csv(scores: Scores, differences: Differences) -> str:
    """All of both tables, one row for each method and metric, in full precision."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(
        ["method", "metric", "slices", "mean", "sd", "difference", "low", "high", "pairs"]
    )
    for name, values in scores.items():
        for metric, v in values.items():
            d = differences.get(name, {}).get(metric)
            pair = [d.mean, d.low, d.high, d.n] if d else [""] * 4
            table.writerow([name, metric, len(v), float(np.mean(v)), _sd(v), *pair])
    return text.getvalue()


def metric_title(metric: str) -> str:
    """Name and unit of a metric, as tables and axes call it."""
    return _TITLES.get(metric, metric)


def _n_slices(values: Mapping[str, Sequence[float]]) -> int:
    return len(next(iter(values.values())))


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _spread(metric: str, values: Sequence[float]) -> str:
    mean = _number(metric, float(np.mean(values)))
    return f"{mean} ± {_number(metric, _sd(values))}" if len(values) > 1 else mean


def _interval(metric: str, d: Difference) -> str:
    mean, low, high = (_number(metric, v, "+") for v in (d.mean, d.low, d.high))
    return f"{mean} [{low}, {high}]" if d.n > 1 else mean


def _number(metric: str, value: float, sign: str = "") -> str:
    return format(value, f"{sign}.{_DIGITS.get(metric, 4)}f")
