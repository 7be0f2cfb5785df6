"""Histograms of scores, and the table of a recon's parts."""

from types import SimpleNamespace

import torch

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train.summary import LogSummary, describe_recon


class Writer:
    def __init__(self):
        self.logged = []

    def histogram(self, tag, values, step):
        self.logged.append((tag, values, step))


def test_each_validation_has_its_own_histogram():
    writer = Writer()
    callback = LogSummary(writer)
    for step, sanity in ((0, True), (5, False), (10, False)):
        trainer = SimpleNamespace(sanity_checking=sanity, is_global_zero=True, global_step=step)
        for i in range(2):
            outputs = {"psnr": torch.tensor([step + i, 0.0])}
            callback.on_validation_batch_end(trainer, None, outputs, {}, i)
        callback.on_validation_batch_end(trainer, None, None, {}, 2)
        callback.on_validation_end(trainer, None)
    assert writer.logged == [
        ("val_slices/psnr", [5, 0, 6, 0], 5),
        ("val_slices/psnr", [10, 0, 11, 0], 10),
    ]


def test_parts_of_a_recon():
    recon = MoDL(CNN(width=4, n_layers=2), n_unrolls=2)
    n = sum(p.numel() for p in recon.denoise.parameters())
    recon.denoise.requires_grad_(False)
    lines = describe_recon(recon).splitlines()
    assert lines[2:] == [
        f"| all | MoDL | {n + 1} | 1 |",
        f"| denoise | Denoise | {n} | 0 |",
        "| consistency | ModuleList | 1 | 1 |",
    ]
