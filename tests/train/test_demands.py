"""Data without true images, recons that need no training, and what is told when they do not fit."""

import json

import pytest
import torch
from tiny import tiny_arrays, write_h5

from reconic.networks import CNN
from reconic.recons import MoDL, Recon, ZeroFilled
from reconic.train import ComplexL2, KSpaceLoss, ReconData, ReconModule, SystemFactory, fit
from reconic.train.losses import Step
from reconic.train.module import METRICS


class OwnScan(Recon):
    """Fits its one parameter, a scale of Aᴴy, to each scan."""

    fits_each_scan = True

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def reconstruct(self, problem):
        with torch.enable_grad():
            scale = self.scale.detach().clone().requires_grad_()
            misfit = (problem.A(scale * problem.adjoint) - problem.y).abs().square().sum()
            (gradient,) = torch.autograd.grad(misfit, scale)
            curvature = 2 * problem.A(problem.adjoint).abs().square().sum()
        return (scale - gradient / curvature).detach() * problem.adjoint


class DrawsKSpace(KSpaceLoss):
    """Learns from a random half of the measurements."""

    def step(self, recon, x, y, A):
        keep = (torch.rand(y.shape[-2:]) < 0.5).to(y.real.dtype)
        x_hat = recon(y * keep, A)
        return Step(x_hat, self(x_hat, x, y, A))


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    """Paths of files without true images."""
    folder = tmp_path_factory.mktemp("blind")
    paths = {}
    for seed, split in enumerate(("train", "val", "test")):
        arrays = tiny_arrays(3, seed)
        del arrays["imgs"]
        paths[split] = str(write_h5(folder / f"{split}.h5", arrays))
    return paths


def run(data, folder, recon=None, loss=None, **options):
    return fit(
        data=ReconData(**data, num_workers=0),
        system=SystemFactory(),
        recon=recon or MoDL(CNN(width=4, n_layers=2), n_unrolls=1),
        loss=loss or ComplexL2(),
        optimizer=torch.optim.Adam,
        trainer={"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False},
        logdir=str(folder),
        **options,
    )


def tags(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return {tag for line in lines for tag in json.loads(line)}


def test_training_without_any_true_image(blind, tmp_path):
    done = run(blind, tmp_path, loss=KSpaceLoss())
    assert done.results == {}
    assert (done.folder / "checkpoints" / "best.ckpt").is_file()  # by val/loss
    found = tags(done.folder)
    assert {"train/loss", "val/loss"} <= found
    assert not {f"{split}/{m}" for split in ("train", "val") for m in METRICS} & found


def test_true_images_for_the_test_alone(blind, splits, tmp_path):
    data = {**blind, "test": splits["test"]}
    done = run(data, tmp_path, loss=KSpaceLoss(), baselines=["zero-filled"])
    assert done.results.keys() == {"zero-filled", "modl"}


def test_a_loss_that_needs_what_is_not_there(blind, splits, tmp_path):
    with pytest.raises(ValueError, match="ComplexL2 must have true images, got train data without"):
        run(blind, tmp_path)
    with pytest.raises(ValueError, match="got val data without"):
        run({**splits, "val": blind["val"]}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_monitor_that_needs_what_is_not_there(blind, tmp_path):
    from reconic.train import Checkpoint

    with pytest.raises(ValueError, match=r"`monitor` must be loss .*got psnr"):
        run(blind, tmp_path, loss=KSpaceLoss(), checkpoint=Checkpoint(monitor="psnr"))


@pytest.mark.parametrize("recon", [OwnScan, ZeroFilled])
def test_recons_without_training_go_to_the_comparison(splits, tmp_path, recon):
    data = {**splits, "train": "nowhere.h5"}  # not asked for
    done = run(data, tmp_path, recon=recon(), baselines=["cg-sense"])
    assert done.results.keys() == {"cg-sense", recon.__name__.lower()}
    assert not (done.folder / "checkpoints").exists()


def test_validation_data_are_asked_for_only_to_choose_lam(splits, tmp_path):
    data = {"train": "nowhere.h5", "val": "nowhere.h5", "test": splits["test"]}
    assert run(data, tmp_path, recon=OwnScan(), baselines=["zero-filled"]).results
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        run(data, tmp_path, recon=OwnScan(), baselines=["cg-sense"])


def test_validation_draws_the_same_and_leaves_training_alone(splits):
    module = ReconModule(MoDL(CNN(width=4, n_layers=2), n_unrolls=1), SystemFactory(),
                         DrawsKSpace(), torch.optim.Adam)  # fmt: skip
    logged = []
    module.log = lambda name, value, **_: logged.append((name, float(value)))
    batch = next(iter(ReconData(**splits, num_workers=0).val_dataloader()))
    torch.manual_seed(0)
    want = torch.rand(3)
    torch.manual_seed(0)
    for i in (0, 0, 1):
        with torch.no_grad():
            module.validation_step(batch, i)
        module.on_validation_epoch_end()
    torch.testing.assert_close(torch.rand(3), want, rtol=0, atol=0)
    losses = [value for name, value in logged if name == "val/loss"]
    assert losses[0] == losses[1] != losses[2]
    full = module.recon(batch["y"], SystemFactory()(batch))
    nrmse = [value for name, value in logged if name == "val/nrmse"]
    error = ((full - batch["x"]).norm() / batch["x"].norm()).item()
    assert nrmse == pytest.approx([error] * 3, rel=1e-5)  # of all measurements
