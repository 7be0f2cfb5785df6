"""`reconic test`: test a trained recon beside the baselines."""

from __future__ import annotations

from pathlib import Path

import torch

from reconic.cli.spelling import parse, usage_error
from reconic.cli.train import BASES, show
from reconic.track import environment, new_run, write_json, write_text
from reconic.train.config import prepare, train_parser
from reconic.train.engine import compare
from reconic.train.load import load_weights, read_config


def run(argv: list[str]) -> None:
    """Test; writes results and figure into RUN/test/version_N and prints the table."""
    parser = train_parser("reconic test")
    parser.usage = "reconic test RUN [options]"
    parser.description = (
        "Test the trained recon of a run folder beside the baselines. All options but --which "
        "and --keep_images are those of training, and default to what the run was made with."
    )
    parser.add_argument("--which", choices=["best", "last"], default="best", help="Checkpoint.")
    parser.add_argument(
        "--keep_images", type=bool, default=True, help="Whether to keep all images."
    )
    if not argv or argv[0].startswith("-"):
        usage_error("required, but not given: run. Write reconic test RUN [options].")
    source, *options = argv
    read_config(source)
    config = parse(parser, ["--config", str(Path(source, "config.yaml")), *options], BASES)
    weights = Path(source, "checkpoints", f"{config.pop('which')}.ckpt")
    keep = config.pop("keep_images")
    made = prepare(parser, config)
    recon = made["recon"]
    load_weights(recon, weights)
    folder = new_run(source, "test")
    write_text(folder / "config.yaml", made["config"])
    write_json(folder / "environment.json", environment())
    device = "cuda" if torch.cuda.is_available() else "cpu"
    show(compare(folder, recon, made["data"], made["system"], made["baselines"], device, keep))
