"""Scores of methods slice by slice, as the `slices.csv` of a run or a test."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconic.track.run_folder import write_text

__all__ = ["Scores", "read_slices", "write_slices"]

Scores = dict[str, dict[str, list[float]]]  # method, metric, one value for each slice


def write_slices(path: str | Path, scores: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Write a table of one row for each slice and method; it appears whole.

    Args:
        path: File, usually `slices.csv`.
        scores: Values of each metric for each method, in the order of the test examples.
    """
    metrics = list(dict.fromkeys(m for values in scores.values() for m in values))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["slice", "method", *metrics])
    for method, values in scores.items():
        for i, row in enumerate(zip(*(values[m] for m in metrics), strict=True)):
            table.writerow([i, method, *(repr(float(v)) for v in row)])
    write_text(path, text.getvalue())


def read_slices(path: str | Path) -> Scores:
    """Read what `write_slices` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a table.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"read_slices: `path` must be a file, got {str(path)!r}. Make it with `reconic test`."
        )
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if header[:2] != ["slice", "method"] or len(header) < 3 or not rows:
        raise ValueError(
            f"read_slices: {path} must have the columns slice, method and metrics, and rows, got "
            f"{', '.join(header) or 'nothing'} and {len(rows)} rows. Make it with `reconic test`."
        )
    scores: Scores = {}
    for number, row in enumerate(rows, start=2):
        values = _numbers(path, number, row, len(header))
        method = scores.setdefault(row[1], {metric: [] for metric in header[2:]})
        if int(row[0]) != len(method[header[2]]):
            raise ValueError(
                f"read_slices: the slices of {row[1]!r} in {path} must be counted from 0, got "
                f"{row[0]} in line {number}. Make the table with `reconic test`."
            )
        for metric, value in zip(header[2:], values, strict=True):
            method[metric].append(value)
    return scores


def _numbers(path: Path, number: int, row: list[str], n_columns: int) -> list[float]:
    try:
        if len(row) == n_columns and int(row[0]) >= 0:
            return [float(cell) if cell else math.nan for cell in row[2:]]
    except ValueError:
        pass
    raise ValueError(
        f"read_slices: line {number} of {path} must hold a slice, a method and "
        f"{n_columns - 2} numbers, got {','.join(row)!r}. Make the table with `reconic test`."
    )
