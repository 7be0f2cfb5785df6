"""`reconic train`: train a recon as a configuration says."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from reconic.cli.console import format_scores, say
from reconic.cli.spelling import parse
from reconic.networks import Network
from reconic.recons import Block, Recon
from reconic.train.config import prepare, train_parser
from reconic.train.engine import Fit, fit
from reconic.train.losses import Loss
from reconic.train.schedule import Schedule

BASES = (Recon, Block, Network, Loss, Optimizer, LRScheduler, Schedule)


def run(argv: list[str]) -> None:
    """Train, and print the table of results, the figure's path and, last, the run folder's."""
    parser = train_parser()
    config = parse(parser, argv, BASES)
    show(fit(**prepare(parser, config)))


def show(done: Fit) -> None:
    """Print what training or testing ends with."""
    say(format_scores(done.results))
    if done.lam is not None:
        say(f"λ of CG-SENSE, the best on the validation examples: {done.lam:.2g}")
    say(f"figure: {done.folder / 'figures' / 'comparison.png'}")
    say(str(done.folder))
