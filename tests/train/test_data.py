"""Batches: coils, shapes, workers, masks, and going on amid an epoch."""

import os

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny import centred_fft, tiny_arrays, write_h5

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import (
    ComplexL1,
    ComplexL2,
    KSpaceLoss,
    ReconData,
    ReconDataset,
    SSIMLoss,
    SystemFactory,
)
from reconic.train.data import collate
from reconic.train.masks import PoissonDisc


def item(n_coils, shape=(6, 5), n_sets=None, with_x=True, seed=0):
    """Item with random arrays, not of a file."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        both = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        return torch.from_numpy(both.astype(np.complex64))

    sets = () if n_sets is None else (n_sets,)
    arrays = {"y": normal(n_coils, *shape), "maps": normal(*sets, n_coils, *shape)}
    mask = torch.from_numpy((rng.random(shape) < 0.6).astype(np.float32))
    x = {"x": normal(*sets, *shape)} if with_x else {}
    return {**x, **arrays, "y": arrays["y"] * mask, "mask": mask, "index": seed}


def test_collate_drops_coils_that_are_zero(tmp_path):
    few = ReconDataset(write_h5(tmp_path / "few.h5", tiny_arrays(1, n_coils=3, n_zero_coils=3)))
    more = ReconDataset(write_h5(tmp_path / "more.h5", tiny_arrays(1, n_coils=4, n_zero_coils=2)))
    batch = collate([few[0], more[0]])
    assert tuple(batch["maps"].shape) == tuple(batch["y"].shape) == (2, 4, 32, 24)
    np.testing.assert_array_equal(batch["y"][1].numpy(), more[0]["y"][:4].numpy())
    assert tuple(collate([few[0]])["maps"].shape) == (1, 3, 32, 24)


def test_collate_keeps_batches_without_any_signal():
    item = {"x": torch.zeros(4, 4), "y": torch.zeros(2, 4, 4), "maps": torch.zeros(2, 4, 4)}
    assert tuple(collate([item])["y"].shape) == (1, 2, 4, 4)


@pytest.mark.parametrize("n_sets", [None, 2])
def test_collate_appends_zero_coils_behind_those_of_an_example(n_sets):
    few, more = item(2, n_sets=n_sets), item(5, n_sets=n_sets, seed=1)
    few["maps"][..., 0, :, :] = 0  # a padding coil need not come last
    batch = collate([few, more], coil_axis=0 if n_sets is None else 1)
    assert batch["y"].shape[1] == batch["maps"].shape[-3] == 5
    torch.testing.assert_close(batch["y"][0, 0], few["y"][1], rtol=0, atol=0)
    torch.testing.assert_close(batch["maps"][0, ..., 0, :, :], few["maps"][..., 1, :, :])
    assert not batch["y"][0, 1:].any()
    assert not batch["maps"][0, ..., 1:, :, :].any()
    torch.testing.assert_close(batch["maps"][1], more["maps"], rtol=0, atol=0)


LOSSES = [ComplexL1(), ComplexL2(), KSpaceLoss(), SSIMLoss()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_padding_changes_neither_loss_nor_gradient(loss):
    items = [item(2, (16, 12)), item(5, (16, 12), seed=1)]
    torch.manual_seed(0)
    recon = MoDL(CNN(width=4, n_layers=2), n_unrolls=2, cg_iter=4, cg_tol=0.0).double()
    system = SystemFactory()

    def gradient(batches):
        recon.zero_grad()
        total = torch.zeros((), dtype=torch.float64)
        for batch in batches:
            batch = {k: _double(v) for k, v in batch.items()}
            step = loss.step(recon, batch["x"], batch["y"], system(batch))
            total = total + step.loss / len(batches)
        total.backward()
        return total.detach(), torch.cat([p.grad.flatten() for p in recon.parameters()])

    one_by_one, together = gradient([collate([i]) for i in items]), gradient([collate(items)])
    # sums over five coils instead of two in double precision, through two solves
    torch.testing.assert_close(together[0], one_by_one[0], rtol=1e-10, atol=0)
    torch.testing.assert_close(together[1], one_by_one[1], rtol=1e-8, atol=1e-12)


def _double(v):
    return v.to(torch.complex128 if v.is_complex() else torch.float64)


@pytest.fixture
def folder(tmp_path):
    """Files that differ in size, coils, and in whether there are true images."""
    for i, (shape, n_coils) in enumerate([((32, 24), 3), ((24, 24), 4), ((32, 24), 5)]):
        write_h5(tmp_path / f"{i}.h5", tiny_arrays(3, i, shape, n_coils))
    arrays = tiny_arrays(2, 3)
    del arrays["imgs"]
    write_h5(tmp_path / "3.hdf5", arrays)
    return tmp_path


def test_a_folder_of_different_files_in_batches(folder, splits):
    data = ReconData(**{**splits, "train": str(folder)}, batch_size=4, num_workers=0, seed=1)
    batches = list(data.train_dataloader())
    assert sorted(int(i) for batch in batches for i in batch["index"]) == list(range(11))
    for batch in batches:
        assert batch["y"].shape[0] <= 4
        assert ("x" in batch) == all(int(i) < 9 for i in batch["index"])
        assert batch["maps"].shape == batch["y"].shape
    mixed = [b for b in batches if len({int(i) // 3 for i in b["index"]}) > 1]
    assert mixed  # files of one size share batches
    assert len(batches) == len(data.train_dataloader()) == 4  # of 6, 3 and 2 examples


def test_batches_that_are_not_full_are_left_out_on_request_only(splits):
    kept, dropped = (
        ReconData(**splits, batch_size=3, num_workers=0, drop_last=drop).train_dataloader()
        for drop in (False, True)
    )
    assert [len(b["y"]) for b in kept] == [3, 1]
    assert [len(b["y"]) for b in dropped] == [3]


def test_training_examples_get_a_new_mask_in_each_epoch(tmp_path, splits):
    arrays = tiny_arrays(2)
    full = centred_fft(arrays["maps"] * arrays["imgs"][:, None]).astype(np.complex64)
    path = str(write_h5(tmp_path / "full.h5", {**arrays, "ksp": full}))
    data = ReconData(
        **{**splits, "train": path, "val": path},
        num_workers=0,
        shuffle=False,
        mask=PoissonDisc(3.0, n_calib=4),
    )
    loader = data.train_dataloader()
    epochs = []
    for epoch in (0, 1):
        loader.batch_sampler.set_epoch(epoch)
        epochs.append(torch.cat([b["mask"] for b in loader]))
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0][0], epochs[0][1])
    first, second = (torch.cat([b["mask"] for b in data.val_dataloader()]) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_loaders_leave_the_global_random_numbers_alone(splits):
    before = torch.random.get_rng_state()
    list(ReconData(**splits, num_workers=0, stdev=0.1, augment=True).train_dataloader())
    assert torch.equal(torch.random.get_rng_state(), before)


# other tests may have loaded JAX, whose threads a worker never meets
forks = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


class RecordsProcess(ReconDataset):
    def __getitem__(self, item):
        return {
            **super().__getitem__(item),
            "process": os.getpid(),
            "handle": self._handles._process,
        }


@forks
def test_workers_read_with_handles_of_their_own(splits, monkeypatch):
    monkeypatch.setattr("reconic.train.data.ReconDataset", RecordsProcess)
    data = ReconData(**splits, num_workers=1, seed=3)
    loader = data.train_dataloader()
    loader.dataset[0]  # the parent's handle is open when the workers start
    first, second = list(loader), list(loader)
    processes = {int(b["process"][0]) for b in first + second}
    assert len(processes) == 1  # one worker, and it lives on
    assert os.getpid() not in processes
    assert all(b["process"][0] == b["handle"][0] for b in first + second)


@forks
def test_workers_and_the_training_process_read_the_same(splits):
    def batches(num_workers):
        data = ReconData(**splits, num_workers=num_workers, stdev=0.1, augment=True, seed=3)
        loader = data.train_dataloader()
        loader.batch_sampler.set_epoch(5)
        return torch.stack([b["y"] for b in loader])

    torch.testing.assert_close(batches(0), batches(1), rtol=0, atol=0)


def test_validation_is_in_order_and_never_changes(splits):
    data = ReconData(**splits, num_workers=0, batch_size=2, stdev=0.1, augment=True, limit_val=2)
    loader = data.val_dataloader()
    assert [int(b["index"]) for b in loader] == [0, 1]
    first, second = (torch.stack([b["y"] for b in loader]) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_batch_size(splits):
    assert (
        len(next(iter(ReconData(**splits, num_workers=0, batch_size=3).train_dataloader()))["x"])
        == 3
    )


class Sees(lightning.LightningModule):
    """Learns one number, and notes what each step got and the number it began with."""

    def __init__(self):
        super().__init__()
        self.p = torch.nn.Parameter(torch.ones(()))
        self.steps = []

    def training_step(self, batch, batch_idx):
        self.steps.append((batch["index"].tolist(), batch["y"].sum().item(), self.p.item()))
        return self.p * batch["y"].abs().mean()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def run(splits, home, resume=None, num_workers=0, at_epoch_end=False, **options):
    """Steps of a run that keeps a checkpoint of each step or epoch, or goes on from one."""
    options = {"max_epochs": 3, "num_sanity_val_steps": 1, **options}
    data = ReconData(
        **splits, batch_size=2, num_workers=num_workers, seed=3, stdev=0.1, augment=True
    )
    every = {"save_on_train_epoch_end": True} if at_epoch_end else {"every_n_train_steps": 1}
    keep = ModelCheckpoint(dirpath=home, filename="{step}", save_top_k=-1, **every)
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    module = Sees()
    trainer = lightning.Trainer(accelerator="cpu", callbacks=keep, **quiet, **options)
    trainer.fit(module, datamodule=data, ckpt_path=resume)
    return module.steps


def checkpoints(home):
    return {int(path.stem.split("=")[1]): path for path in home.glob("step=*.ckpt")}


resumes = pytest.mark.filterwarnings("ignore")  # Lightning's advice for runs that are no test


@resumes
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"at_epoch_end": True},
        {"max_epochs": -1, "max_steps": 7},
        {"max_epochs": -1, "max_steps": 7, "at_epoch_end": True},
        {"val_check_interval": 1},
        {"limit_train_batches": 1},
        {"accumulate_grad_batches": 2, "max_epochs": 2},
        pytest.param({"num_workers": 1}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_resumed_run_sees_the_examples_of_the_uninterrupted_one(splits, tmp_path, options):
    steps = run(splits, tmp_path / "whole", **options)
    n_batches = options.get("accumulate_grad_batches", 1)
    found = checkpoints(tmp_path / "whole")
    assert found
    for n, path in found.items():
        rest = run(splits, tmp_path / f"rest{n}", resume=path, **options)
        assert rest == steps[n * n_batches :]


@resumes
@pytest.mark.parametrize("n", range(1, 6))
def test_a_finished_run_with_more_steps_goes_on_as_a_longer_one(splits, tmp_path, n):
    steps = run(splits, tmp_path / "whole", max_epochs=-1, max_steps=6)
    run(splits, tmp_path / "short", max_epochs=-1, max_steps=n, at_epoch_end=True)
    path = checkpoints(tmp_path / "short")[n]
    assert run(splits, tmp_path / "rest", path, max_epochs=-1, max_steps=6) == steps[n:]


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"num_workers": -1}])
def test_values_out_of_range(splits, wrong):
    with pytest.raises(ValueError, match="must be at least"):
        ReconData(**splits, **wrong)
