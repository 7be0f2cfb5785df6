"""`reconic import-config`: bring a configuration of DeepInPy into Reconic's form."""

from __future__ import annotations

import logging
from pathlib import Path

from reconic.cli.console import say
from reconic.cli.spelling import make_parser, parse
from reconic.compat.deepinpy import import_config
from reconic.track import write_text


def run(argv: list[str]) -> None:
    """Print the new form or write it, and warn of what is treated differently."""
    parser = make_parser(
        "import-config", "Bring a configuration of DeepInPy into Reconic's form.", config=False
    )
    parser.add_argument("old", help="JSON file, of DeepInPy's master or of its pull request 29.")
    parser.add_argument("--out", help="YAML file to write; without it, the new form is printed.")
    config = parse(parser, argv)
    out = None if config.out is None else Path(config.out)
    found = import_config(config.old, out and out.parent)
    logging.getLogger("reconic.compat").warning(found.warning())
    if out is None:
        say(found.yaml().rstrip())
    else:
        write_text(out, found.yaml())
        say(str(out))
