"""`reconic simulate`: make example data."""

from __future__ import annotations

from reconic.cli.console import say
from reconic.cli.spelling import make_parser, parse
from reconic.simulate import make_dataset


def run(argv: list[str]) -> None:
    """Make example data and print the paths of the files."""
    parser = make_parser("simulate", "Make example data in HDF5 files.")
    parser.add_argument(
        "--out", default="data/example", help="Folder to write to; made if missing."
    )
    parser.add_function_arguments(make_dataset, skip={"out"})
    choices = vars(parse(parser, argv))
    choices.pop("config", None)
    for path in make_dataset(**choices).values():
        say(str(path))
