"""Comparison of recons: what it holds in memory."""

import weakref

from reconic.train import ReconData, SystemFactory
from reconic.train.evaluation import best_lam


def test_the_best_lam_is_found_with_few_batches_in_memory(splits):
    data = ReconData(**{**splits, "num_workers": 0})
    alive, most = weakref.WeakSet(), []

    class Batches:
        def __iter__(self):
            for batch in [*data.val_dataloader()][:1] * 8:
                y = batch["y"].clone()
                alive.add(y)
                most.append(len(alive))
                yield {**batch, "y": y}

    best_lam(Batches(), SystemFactory())
    assert max(most) <= 2  # the one before may still have a name
