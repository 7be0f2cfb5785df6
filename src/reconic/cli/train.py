"""`reconic train`: train a recon as a configuration says."""

from __future__ import annotations

import sys
from pathlib import Path

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reconic.cli.console import say
from reconic.cli.scores import format_scores
from reconic.cli.spelling import config_files, parse, read_config
from reconic.compat.deepinpy import translated
from reconic.networks import Network, PerFrame
from reconic.priors import Prior
from reconic.recons import Block, Recon, SensitivityNetwork
from reconic.train.config import prepare, train_parser
from reconic.train.engine import Fit, fit
from reconic.train.interrupt import Interrupted
from reconic.train.losses import Loss
from reconic.train.masks import RandomMask
from reconic.train.processes import is_first
from reconic.train.schedule import Schedule

BASES = (
    Recon, Block, SensitivityNetwork, Network, PerFrame, Prior,
    Loss, Optimizer, LRScheduler, Schedule, RandomMask,
)  # fmt: skip


def run(argv: list[str]) -> int:
    """Train, and print the table of results, the figure's path and, last, the run folder's."""
    parser = train_parser()
    with translated([*_config_of_resumed(argv), *argv]) as words:
        if any("search" in read_config(path) for path in config_files(words)):
            from reconic.cli import search  # a search is made of training runs

            return search.run(words)
        config = parse(parser, words, BASES)
    try:
        done = fit(**prepare(parser, config))
    except Interrupted as stop:
        if is_first():
            sys.stderr.write(f"reconic train: {stop}\n")
        return stop.status
    if is_first():
        show(done)
    return 0


def _config_of_resumed(argv: list[str]) -> list[str]:
    """The option for the configuration of the run to resume, unless another one is given."""
    words = [part for word in argv for part in word.split("=", 1)]
    if "--config" in words or "--resume" not in words[:-1]:
        return []
    path = Path(words[words.index("--resume") + 1])
    homes = [path, *path.parents[1:2]]  # RUN, or RUN/checkpoints/last.ckpt
    found = [home / "config.yaml" for home in homes if (home / "config.yaml").is_file()]
    return ["--config", str(found[0])] if found else []


def show(done: Fit) -> None:
    """Print what training or testing ends with."""
    say(format_scores(done.scores))
    if done.lam is not None:
        say(f"λ of CG-SENSE, the best on the validation examples: {done.lam:.2g}")
    say(f"figure: {done.folder / 'figures' / 'comparison.png'}")
    say(str(done.folder))
