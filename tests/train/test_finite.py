"""NaN in data, loss or gradient ends a run with the examples and the term; what is good stays."""

import h5py
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from tiny import tiny_arrays, write_h5

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import ComplexL2, ReconData, SystemFactory, WeightedSum, fit
from reconic.train.finite import check_gradient, check_loss, gradient_norm
from reconic.train.load import read_checkpoint
from reconic.train.losses import Step

BATCH = {"y": torch.ones(2, 3), "x": torch.ones(2), "index": torch.tensor([7, 5])}


def test_finite_is_fine():
    check_loss(torch.tensor(1.0), BATCH, {}, "now")
    check_gradient(torch.tensor(1.0), [], BATCH, "now")


def test_a_loss_names_examples_terms_and_data():
    terms = {"l2": torch.tensor(1.0), "ssim": torch.tensor(torch.nan)}
    with pytest.raises(FloatingPointError, match=r"loss is nan; not finite: ssim at now, training "
                       r"examples 7, 5\. Lower the learning rate"):  # fmt: skip
        check_loss(torch.tensor(torch.nan), BATCH, terms, "now")
    bad = {**BATCH, "y": torch.tensor([[1.0, torch.inf]])}
    with pytest.raises(FloatingPointError, match=r"not finite in the data: y at .*Mend the data"):
        check_loss(torch.tensor(torch.inf), bad, {}, "now")


def test_gradient_norm_is_that_of_all_gradients():
    parameters = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    parameters[0].grad, parameters[1].grad = torch.tensor([1.0, 2.0]), torch.tensor([2.0])
    assert gradient_norm([*parameters, torch.nn.Parameter(torch.zeros(1))]).item() == 3.0


def test_a_gradient_names_parameters_and_examples():
    p = torch.nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([1.0, torch.nan])
    with pytest.raises(FloatingPointError, match=r"got nan at now, training examples 7, 5, by w\."):
        check_gradient(torch.tensor(torch.nan), [("w", p)], BATCH, "now")


class BreaksAt(ComplexL2):
    """Becomes NaN in the n-th call that has a gradient: in its value, or in its gradient alone."""

    def __init__(self, n, gradient):
        super().__init__()
        self.n_left = n
        self.gradient = gradient

    def forward(self, x_hat, x, y, A):
        value = super().forward(x_hat, x, y, A)
        if not value.requires_grad:
            return value
        self.n_left -= 1
        if self.n_left:
            return value
        if self.gradient:
            return value + torch.sqrt(0 * value)  # 0, with the gradient 0 · ∞
        return value * torch.nan


class BreakWeights(Callback):
    """Makes a weight NaN after the last batch of an epoch, as a broken optimizer would."""

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            next(pl_module.recon.parameters()).mul_(torch.nan)


def run(splits, folder, loss, callbacks=(), **options):
    torch.manual_seed(0)
    return fit(
        data=ReconData(**splits, num_workers=0),
        system=SystemFactory(),
        recon=MoDL(CNN(width=4, n_layers=2), n_unrolls=1),
        loss=loss,
        optimizer=lambda p: torch.optim.Adam(p, 1e-3),
        trainer={
            "max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False,
            "callbacks": list(callbacks),
        },
        baselines=[],
        logdir=str(folder),
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("gradient", [False, True])
def test_a_run_stops_and_keeps_the_last_good_checkpoint(splits, tmp_path, gradient):
    loss = WeightedSum({"bad": (1.0, BreaksAt(6, gradient))})
    what = "the gradient must" if gradient else r"the loss must be finite.*not finite: bad"
    with pytest.raises(FloatingPointError, match=rf"{what}.* at step 5 of epoch 1, training "
                       r"examples? .*The last good checkpoint is .*last\.ckpt"):  # fmt: skip
        run(splits, tmp_path, loss)
    saved = read_checkpoint(tmp_path / "default" / "version_0" / "checkpoints" / "last.ckpt")
    assert saved["global_step"] == 4
    assert all(torch.isfinite(v).all() for v in saved["state_dict"].values())
    assert not (tmp_path / "default" / "version_0" / "results.json").exists()


def test_weights_that_are_not_finite_are_not_saved(splits, tmp_path):
    with pytest.raises(FloatingPointError, match=r"weights must be finite to be saved, got recon\."
                       r".*The last good checkpoint is"):  # fmt: skip
        run(splits, tmp_path, ComplexL2(), [BreakWeights()])
    saved = read_checkpoint(tmp_path / "default" / "version_0" / "checkpoints" / "last.ckpt")
    assert all(torch.isfinite(v).all() for v in saved["state_dict"].values())


class NoisyStep(ComplexL2):
    """NaN that only the estimate shows."""

    def step(self, recon, x, y, A):
        x_hat = recon(y, A) * torch.nan
        return Step(x_hat, self(x_hat, x, y, A))


def test_a_run_that_is_broken_from_the_start(splits, tmp_path):
    with pytest.raises(FloatingPointError, match=r"got loss is nan at step 0 of epoch 0"):
        run(splits, tmp_path, NoisyStep())


def test_nan_in_the_data_names_the_example(splits, tmp_path):
    arrays = tiny_arrays(3, 5)
    path = write_h5(tmp_path / "bad.h5", arrays)
    with h5py.File(path, "r+") as file:
        file["ksp"][1, 0, 16, 12] = complex("nan")
    data = {**splits, "train": str(path)}
    with pytest.raises((FloatingPointError, ValueError), match=r"(?s)1"):
        run(data, tmp_path, ComplexL2())
