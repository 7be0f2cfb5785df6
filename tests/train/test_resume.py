"""A resumed run is the uninterrupted one: weights, averages, optimizer, order, noise, logs."""

import json
import os
import signal

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from tiny import tiny_arrays, write_h5

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import Checkpoint, ComplexL2, ReconData, SystemFactory, WarmCosine, fit
from reconic.train.interrupt import Interrupted
from reconic.train.losses import Step


class NoisyL2(ComplexL2):
    """Learns from measurements with noise of torch's global generator."""

    def step(self, recon, x, y, A):
        noisy = y + 0.05 * y.abs().amax() * torch.randn_like(y)
        x_hat = recon(noisy, A)
        return Step(x_hat, self(x_hat, x, y, A))


class At(Callback):
    """Sends the process a signal at a hook, when it is called the n-th time."""

    def __init__(self, hook, n, signum=signal.SIGTERM):
        self.n_left = n
        self.signum = signum
        setattr(self, hook, self.count)

    def count(self, trainer, *args, **kwargs):
        if trainer.sanity_checking:
            return
        self.n_left -= 1
        if self.n_left == 0:
            os.kill(os.getpid(), self.signum)


def run(splits, folder, *, callbacks=(), trainer=None, data=None, **options):
    lightning.seed_everything(1, verbose=False)
    torch.manual_seed(0)
    options = {"ema": 0.9, "lr_scheduler": WarmCosine(), "baselines": [], **options}
    data = {"num_workers": 0, "augment": True, "stdev": 0.01, **(data or {})}
    return fit(
        data=ReconData(**splits, **data),
        system=SystemFactory(),
        recon=MoDL(CNN(width=4, n_layers=2), n_unrolls=1),
        loss=NoisyL2(),
        optimizer=lambda p: torch.optim.Adam(p, 3e-3),
        trainer={
            "max_epochs": 3, "accelerator": "cpu", "log_every_n_steps": 1,
            "enable_progress_bar": False, "enable_model_summary": False, **(trainer or {}),
            "callbacks": list(callbacks),
        },
        logdir=str(folder), seed=3, **options,
    )  # fmt: skip


def saved(folder):
    """The last checkpoint, without Lightning's books of an epoch's steps, which nothing reads."""
    found = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    loops = found["loops"]["fit_loop"]
    for name in [name for name in loops if "scheduler_progress" in name or "optim_" in name]:
        del loops[name]
    return found


def logged(folder):
    """Everything that was logged but times and the rate of training."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    timed = ("time", "train/samples_per_second")
    lines = [{k: v for k, v in line.items() if k not in timed} for line in lines]
    return [line for line in lines if len(line) > 1]  # more than the step


def assert_same(a, b, where="checkpoint"):
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=where)
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_same(left, right, f"{where}[{i}]")
    else:
        assert a == b, where


def assert_equal_ends(whole, resumed, before):
    """The same checkpoint; and what was logged before and after is what the whole run logged."""
    assert_same(saved(whole.folder), saved(resumed.folder))
    assert whole.results == resumed.results
    assert logged(before) + logged(resumed.folder) == logged(whole.folder)


def interrupted(splits, folder, **options):
    with pytest.raises(Interrupted) as stop:
        run(splits, folder, **options)
    (found,) = folder.glob("default/version_*")
    return found, stop.value


@pytest.fixture(scope="module")
def whole(splits, tmp_path_factory):
    return run(splits, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("n", [1, 4, 7, 12])
def test_stopped_after_a_batch(splits, tmp_path, whole, n):
    folder, stop = interrupted(splits, tmp_path / "half", callbacks=[At("on_train_batch_end", n)])
    assert stop.status == 143
    resumed = run(splits, tmp_path / "half", resume=str(folder))
    assert resumed.folder.name == "version_1"
    assert_equal_ends(whole, resumed, folder)


@pytest.mark.parametrize("n", [2, 4])
def test_stopped_inside_a_validation(splits, tmp_path, whole, n):
    stopper = At("on_validation_batch_start", n, signal.SIGINT)
    folder, stop = interrupted(splits, tmp_path, callbacks=[stopper])
    assert stop.status == 130
    resumed = run(splits, tmp_path, resume=str(folder))
    assert_equal_ends(whole, resumed, folder)


def test_stopped_twice(splits, tmp_path, whole):
    first, _ = interrupted(splits, tmp_path, callbacks=[At("on_train_batch_end", 2)])
    with pytest.raises(Interrupted):
        run(splits, tmp_path, callbacks=[At("on_validation_batch_end", 1)], resume=str(first))
    second = tmp_path / "default" / "version_1"
    resumed = run(splits, tmp_path, resume=str(second))
    assert_same(saved(whole.folder), saved(resumed.folder))
    parts = [line for folder in (first, second, resumed.folder) for line in logged(folder)]
    assert parts == logged(whole.folder)


OPTIONS = {
    "workers": {"data": {"num_workers": 2}},
    "accumulation": {"trainer": {"accumulate_grad_batches": 2}},
    "steps": {"trainer": {"max_epochs": -1, "max_steps": 10}},
    "validation inside an epoch": {"trainer": {"val_check_interval": 2}},
    "validation across epochs": {
        "trainer": {"val_check_interval": 3, "check_val_every_n_epoch": None}
    },
    "plateau": {
        "lr_scheduler": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0),
        "checkpoint": Checkpoint(monitor="nrmse"),
    },
    "fewer batches": {"trainer": {"limit_train_batches": 3}},
    "batches of two": {"data": {"batch_size": 2, "limit_train": 3}, "ema": None},
}


# Inside a validation where the option changes what a validation is, or who reads for it.
HOOKS = [
    *((name, "on_train_batch_end") for name in OPTIONS),
    *((name, "on_validation_batch_start") for name in ("workers", "plateau")),
    *((name, "on_validation_batch_start") for name in OPTIONS if name.startswith("validation")),
]


@pytest.mark.parametrize(("name", "hook"), HOOKS)
@pytest.mark.slow
def test_options(splits, tmp_path, name, hook):
    options = OPTIONS[name]
    whole = run(splits, tmp_path / "whole", **options)
    folder, _ = interrupted(splits, tmp_path / "parts", callbacks=[At(hook, 6)], **options)
    resumed = run(splits, tmp_path / "parts", resume=str(folder), **options)
    assert_equal_ends(whole, resumed, folder)


def test_more_epochs_after_the_end(splits, tmp_path, whole):
    short = run(splits, tmp_path, trainer={"max_epochs": 2}, lr_scheduler=[0.5, 1])
    longer = run(splits, tmp_path, resume=str(short.folder), lr_scheduler=[0.5, 1])
    straight = run(splits, tmp_path, lr_scheduler=[0.5, 1])
    assert_same(saved(straight.folder), saved(longer.folder))


def test_a_run_that_had_ended_says_so(splits, tmp_path, whole, caplog):
    resumed = run(splits, tmp_path, resume=str(whole.folder))
    assert "12 steps; nothing was trained" in caplog.text
    assert resumed.results == whole.results


def test_a_run_that_goes_on_says_nothing(splits, tmp_path, caplog):
    short = run(splits, tmp_path, trainer={"max_epochs": 2}, lr_scheduler=[0.5, 1])
    run(splits, tmp_path, resume=str(short.folder), lr_scheduler=[0.5, 1])
    assert "nothing was trained" not in caplog.text


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_stopped_amid_a_folder_of_files(splits, tmp_path, num_workers):
    (tmp_path / "train").mkdir()
    for seed in range(5):
        write_h5(tmp_path / "train" / f"{seed}.h5", tiny_arrays(2, seed))
    splits = {**splits, "train": str(tmp_path / "train")}
    options = {
        "data": {"num_workers": num_workers, "batch_size": 2},
        "trainer": {"max_epochs": 2},
        "lr_scheduler": [0.5, 1],
    }
    whole = run(splits, tmp_path / "whole", **options)
    stopper = At("on_train_batch_end", 7)  # the second of the five batches of the second epoch
    folder, _ = interrupted(splits, tmp_path / "parts", callbacks=[stopper], **options)
    resumed = run(splits, tmp_path / "parts", resume=str(folder), **options)
    assert_equal_ends(whole, resumed, folder)
