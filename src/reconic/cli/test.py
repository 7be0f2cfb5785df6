"""`reconic test`: test a trained recon beside the baselines."""

from __future__ import annotations

from pathlib import Path

import torch

from reconic.cli.spelling import parse
from reconic.cli.train import BASES, show
from reconic.track import environment, new_run, write_json, write_text
from reconic.train.config import prepare, train_parser
from reconic.train.engine import compare
from reconic.train.load import load_weights, read_config


def run(argv: list[str]) -> None:
    """Test; writes results and figure into RUN/test/version_N and prints the table."""
    parser = train_parser("reconic test")
    parser.description = (
        "Test a trained recon beside the baselines, on the run's data or on others."
    )
    parser.add_argument(
        "run", help="Run folder; all other options default to what it was made with."
    )
    parser.add_argument("--which", choices=["best", "last"], default="best", help="Checkpoint.")
    if argv and not argv[0].startswith("-"):
        read_config(argv[0])
        argv = ["--config", str(Path(argv[0]) / "config.yaml"), *argv]
    config = parse(parser, argv, BASES)
    source = Path(config.pop("run"))
    weights = source / "checkpoints" / f"{config.pop('which')}.ckpt"
    made = prepare(parser, config)
    load_weights(made["recon"], weights)
    folder = new_run(source, "test")
    write_text(folder / "config.yaml", made["config"])
    write_json(folder / "environment.json", environment())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    show(compare(folder, made["recon"], made["data"], made["system"], made["baselines"], device))
