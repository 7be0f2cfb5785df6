"""Scores, and loops under a plain Trainer."""

import lightning
import numpy as np
import pytest
import torch

from reconic.metrics import nrmse, psnr, ssim
from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import ComplexL2, ReconData, ReconModule, SystemFactory
from reconic.train.module import metric_mode, scores


def test_metric_modes():
    assert {m: metric_mode(m) for m in ("loss", "nrmse", "psnr", "ssim")} == {
        "loss": "min",
        "nrmse": "min",
        "psnr": "max",
        "ssim": "max",
    }


def test_scores_are_one_per_example_and_average_frames(normal):
    x, x_hat = (torch.from_numpy(normal(2, 3, 16, 12)) for _ in range(2))
    found = scores(x_hat, x, n_space=2)
    for name, metric in {"nrmse": nrmse, "psnr": psnr, "ssim": ssim}.items():
        want = metric(x_hat.numpy(), x.numpy(), n_space=2).mean(1)
        np.testing.assert_allclose(found[name].numpy(), want)
    assert tuple(scores(x_hat[:, 0], x[:, 0], n_space=2)["ssim"].shape) == (2,)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_module_works_under_a_trainer_of_the_users(splits, tmp_path):
    module = ReconModule(
        MoDL(CNN(width=4, n_layers=2), n_unrolls=1), SystemFactory(), ComplexL2(), torch.optim.Adam
    )
    data = ReconData(**splits, num_workers=0, seed=0)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, datamodule=data)
    (tested,) = trainer.test(module, datamodule=data, verbose=False)
    module.eval()
    with torch.no_grad():
        want = [nrmse(module(b), b["x"]).item() for b in data.test_dataloader()]
    assert tested["test/nrmse"] == pytest.approx(np.mean(want), rel=1e-5)
    assert set(tested) == {"test/loss", "test/nrmse", "test/psnr", "test/ssim"}
