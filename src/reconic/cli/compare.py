"""`reconic compare`: runs side by side, in one table and one figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reconic.cli.console import Table, format_markdown, format_table, say, suggest
from reconic.cli.scores import difference_table, metric_title, score_table, to_csv
from reconic.cli.spelling import make_parser, parse, usage_error
from reconic.track import (
    TRUTH,
    Method,
    differences_from,
    gather_scores,
    new_run,
    read_image,
    write_text,
)
from reconic.view import comparison, score_figure

_NOTE = (
    "Differences are paired, over the slices that both have: mean and 95 % confidence interval by\n"
    "Student's t. Slices of one volume are alike, which makes the intervals too narrow."
)


def run(argv: list[str]) -> None:
    """Compare; write logdir/compare/version_N and print the tables and its path."""
    parser = make_parser("compare", "Compare runs that were tested on the same data.", config=False)
    parser.add_argument("runs", nargs="+", help="Folders of runs or tests, which hold slices.csv.")
    parser.add_argument("--reference", help="Row that differences are from; null: the first run.")
    parser.add_argument("--metric", default="psnr", help="Metric of the figure.")
    parser.add_argument("--logdir", default="logs", help="The folder is logdir/compare/version_N.")
    options = parse(parser, argv)
    scores, sources = gather_scores(options.runs)
    reference = _one_of("reference", options.reference or _first_trained(sources), list(scores))
    metric = _one_of("metric", options.metric, list(scores[reference]))
    found = differences_from(reference, scores)
    tables = [score_table(scores, counted=True)]
    tables += [difference_table(found, reference)] if found else []
    folder = new_run(options.logdir, "compare")
    write_text(folder / "compare.csv", to_csv(scores, found))
    write_text(folder / "compare.md", _markdown(f"reconic compare {' '.join(argv)}", tables))
    bars = {name: (d[metric].mean, d[metric].low, d[metric].high) for name, d in found.items()}
    dots = {name: values[metric] for name, values in scores.items()}
    score_figure(dots, bars, metric_title(metric), reference, folder / "compare.png")
    _images(sources, reference, scores[reference][metric], folder / "images.png")
    say("\n\n".join([*(format_table(*table) for table in tables), _NOTE]))
    say(f"figure: {folder / 'compare.png'}\n{folder}")


def _first_trained(sources: Mapping[str, Method]) -> str:
    """First name that is no baseline, if there is one."""
    names = [n for n, source in sources.items() if not source.baseline]
    return (names or list(sources))[0]


def _one_of(option: str, name: str, valid: list[str]) -> str:
    if name not in valid:
        usage_error(
            f"`--{option}` must be one of {', '.join(valid)}, got {name!r}.{suggest(name, valid)}"
        )
    return name


def _markdown(command: str, tables: list[Table]) -> str:
    texts = [f"`{command}`", *(format_markdown(*table) for table in tables), _NOTE]
    return "\n\n".join([*texts, "![scores](compare.png)\n"])


def _images(sources: Mapping[str, Method], reference: str, values: list[float], path: Path) -> None:
    """Figure of the reference's median slice by all methods whose tests kept their images."""
    index = int(np.argsort(values)[len(values) // 2])
    found = {n: read_image(s.folder / "images.h5", s.name, index) for n, s in sources.items()}
    images = {name: x for name, x in found.items() if x is not None}
    truth = read_image(sources[reference].folder / "images.h5", TRUTH, index)
    if truth is not None and len(images) > 1:
        comparison(images, truth, path)
