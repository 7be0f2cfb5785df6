"""Averaged weights: the recursion, and that the average is what is validated and kept."""

import pytest
import torch

from reconic.train.ema import AverageWeights
from reconic.train.load import load_run, read_checkpoint

TRAINER = {
    "max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False, "log_every_n_steps": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(train):
    checkpoint = {"every_n_steps": 1}
    return train(trainer=TRAINER, ema=0.5, checkpoint=checkpoint, lr_scheduler=None, baselines=[])


def test_average_is_the_recursion(train, tmp_path, monkeypatch):
    """Weights after each step, averaged by the formula."""
    steps = []
    before = AverageWeights.on_train_batch_end

    def note(self, trainer, pl_module, *args):
        before(self, trainer, pl_module, *args)
        steps.append({n: v.clone() for n, v in pl_module.state_dict().items()})

    start = AverageWeights.on_fit_start

    def first(self, trainer, pl_module):
        start(self, trainer, pl_module)
        steps.append({n: v.clone() for n, v in pl_module.state_dict().items()})

    monkeypatch.setattr(AverageWeights, "on_train_batch_end", note)
    monkeypatch.setattr(AverageWeights, "on_fit_start", first)
    run = train(trainer=TRAINER, ema=0.3, lr_scheduler=None, baselines=[])
    want = dict(steps[0])
    for n, weights in enumerate(steps[1:], start=1):
        decay = min(0.3, (1 + n) / (10 + n))
        want = {k: decay * want[k] + (1 - decay) * weights[k] for k in want}
    assert len(steps) == 9
    saved = read_checkpoint(run.folder / "checkpoints" / "last.ckpt")
    for name, value in want.items():  # 8 sums in float32, each rounded twice
        torch.testing.assert_close(saved["state_dict"][name], value, rtol=2e-6, atol=1e-7)
        torch.testing.assert_close(
            saved["weights_in_training"][name], steps[-1][name], rtol=0, atol=0
        )
        assert not torch.equal(steps[-1][name], value)


def test_the_average_is_the_result(run):
    """What is loaded is the average, and it has the score that the checkpoint was chosen for."""
    best = read_checkpoint(run.folder / "checkpoints" / "best.ckpt")
    recon = load_run(run.folder)
    for name, value in recon.state_dict().items():
        torch.testing.assert_close(best["state_dict"][f"recon.{name}"], value, rtol=0, atol=0)


def test_validation_is_of_the_average(run, splits):
    from reconic.train import ReconData, SystemFactory
    from reconic.train.evaluation import evaluate, means

    data = ReconData(**{**splits, "test": splits["val"]}, num_workers=0)
    found = means(evaluate({"modl": load_run(run.folder)}, data.test_dataloader(), SystemFactory()))
    best = read_checkpoint(run.folder / "checkpoints" / "best.ckpt")
    want = best["callbacks"]["KeepCheckpoints"]["best"]
    assert found["modl"]["psnr"] == pytest.approx(want, rel=1e-5)  # float32 sums in another order


@pytest.mark.parametrize("decay", [0, 1, -0.1, 1.5])
def test_decay_is_between_0_and_1(decay):
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        AverageWeights(decay)
