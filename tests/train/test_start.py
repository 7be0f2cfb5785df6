"""What training starts from, and what is told when that does not fit."""

import pickle
import shutil

import pytest
import torch

from reconic.networks import CNN
from reconic.recons import MoDL, ZeroFilled
from reconic.train.load import find_checkpoint, load_weights, read_checkpoint
from reconic.train.start import begin, check_resumable, describe

MODL = {
    "class_path": "MoDL",
    "init_args": {
        "network": {"class_path": "CNN", "init_args": {"width": 8, "n_layers": 2}},
        "n_unrolls": 1,
    },
}


@pytest.fixture
def recon():
    return MoDL(CNN(width=8, n_layers=2), n_unrolls=1)


@pytest.fixture
def about(recon):
    return describe(recon, torch.optim.Adam, 4, None)


def start(recon, init=None, freeze=(), resume=None, trains=True):
    return begin(recon, init, freeze, resume, trains)


def test_initial_weights_are_those_of_the_run(trained, recon):
    before = {name: value.clone() for name, value in recon.state_dict().items()}
    assert start(recon, init=str(trained.folder)) is None
    want = read_checkpoint(trained.folder / "checkpoints" / "best.ckpt")["state_dict"]
    for name, value in recon.state_dict().items():
        torch.testing.assert_close(value, want[f"recon.{name}"], rtol=0, atol=0)
    assert any(not torch.equal(before[n], v) for n, v in recon.state_dict().items())


def test_training_goes_on_from_initial_weights_alone(train, trained):
    """With a step of zero length, the result is what it started from; frozen or not."""
    run = train(
        recon=MODL,
        init=str(trained.folder / "checkpoints" / "last.ckpt"),
        freeze=["*network*"],
        optimizer={"class_path": "SGD", "init_args": {"lr": 0.0}},
        trainer={"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False},
        baselines=[],
    )
    first, last = (
        read_checkpoint(f / "checkpoints" / "last.ckpt") for f in (trained.folder, run.folder)
    )
    assert last["global_step"] == 4  # counted anew
    for name, value in first["state_dict"].items():
        torch.testing.assert_close(last["state_dict"][name], value, rtol=0, atol=0)


def test_frozen_parts_stay_and_others_learn(train):
    loud = {"class_path": "SGD", "init_args": {"lr": 0.1}}
    trainer = {"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False}
    short = {**trainer, "limit_train_batches": 1, "max_steps": 1}
    first = train(recon=MODL, optimizer=loud, trainer=short, lr_scheduler=None, baselines=[])
    init = str(first.folder / "checkpoints" / "last.ckpt")
    run = train(
        recon=MODL, init=init, freeze=["*network*"], optimizer=loud, trainer=trainer,
        lr_scheduler=None, baselines=[],
    )  # fmt: skip
    before, after = (
        read_checkpoint(f / "checkpoints" / "last.ckpt")["state_dict"]
        for f in (first.folder, run.folder)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any("network" in name for name in changed)


def test_patterns_freeze_what_they_fit(recon):
    start(recon, freeze=["*network*bias"])
    frozen = {name for name, p in recon.named_parameters() if not p.requires_grad}
    assert frozen == {n for n, _ in recon.named_parameters() if "network" in n and "bias" in n}
    assert frozen


def test_patterns_that_fit_nothing_or_all(recon):
    with pytest.raises(
        ValueError, match=r"got 'decoder\.\*'. The parameters of MoDL are .*network"
    ):
        start(recon, freeze=["decoder.*"])
    with pytest.raises(ValueError, match=r"some parameter must be left to train, got \*"):
        start(recon, freeze=["*"])


def test_choices_that_make_no_sense(trained, recon):
    run = str(trained.folder)
    with pytest.raises(ValueError, match=r"only one of `init` and `resume`"):
        start(recon, init=run, resume=run)
    with pytest.raises(ValueError, match="left out for ZeroFilled"):
        start(ZeroFilled(), init=run, trains=False)
    with pytest.raises(FileNotFoundError, match="got nothing"):
        start(recon, init="nowhere")


def test_a_folder_without_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError, match="got a folder without any"):
        find_checkpoint(tmp_path)


def test_resumed_is_the_last_and_initial_the_best(trained, recon):
    assert start(recon, resume=str(trained.folder)).name == "last.ckpt"
    assert find_checkpoint(trained.folder).name == "best.ckpt"


def test_what_differs_from_a_run_to_resume(trained, recon, about):
    path = trained.folder / "checkpoints" / "last.ckpt"
    check_resumable(path, recon, about)
    changes = {
        "optimizer": ("SGD", "optimizer must be as in .*, Adam, got SGD"),
        "number of batches in an epoch": (5, "batches in an epoch must be as in .*, 4, got 5"),
        "ema": (0.9, "ema must be as in .*, None, got 0.9"),
        "number of weights in training": (1, "weights in training must be"),
    }
    for name, (value, message) in changes.items():
        with pytest.raises(ValueError, match=message):
            check_resumable(path, recon, {**about, name: value})


def test_a_checkpoint_of_another_recon_or_shape(trained, recon, about):
    path = trained.folder / "checkpoints" / "last.ckpt"
    wider = MoDL(CNN(width=9, n_layers=2), n_unrolls=1)
    with pytest.raises(
        ValueError, match=r"of another shape: .*weight \(8, 2, 3, 3\) for \(9, 2, 3, 3\)"
    ):
        check_resumable(path, wider, about)
    deeper = MoDL(CNN(width=8, n_layers=3), n_unrolls=1)
    with pytest.raises(ValueError, match=r"missing: .*layers.* written by Reconic \d"):
        check_resumable(path, deeper, about)
    with pytest.raises(ValueError, match=r"does not fit MoDL; .*too many: .*layers"):
        load_weights(MoDL(CNN(width=8, n_layers=1), n_unrolls=1), path)


def test_a_checkpoint_without_state(trained, tmp_path, recon, about):
    path = tmp_path / "weights.ckpt"
    weights = read_checkpoint(trained.folder / "checkpoints" / "last.ckpt")["state_dict"]
    torch.save({"state_dict": weights}, path)
    with pytest.raises(ValueError, match=r"got one without its state\. Start from its weights"):
        check_resumable(path, recon, about)
    load_weights(recon, path)


class Evil:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('/tmp/reconic-was-here').touch()",))


def test_a_strangers_checkpoint_runs_no_code(tmp_path):
    torch.save({"state_dict": {}, "more": Evil()}, tmp_path / "a.ckpt")
    (tmp_path / "b.ckpt").write_bytes(pickle.dumps(Evil()))
    for name in ("a.ckpt", "b.ckpt"):
        with pytest.raises(ValueError, match="must hold numbers and text only"):
            read_checkpoint(tmp_path / name)


def test_a_truncated_checkpoint(trained, tmp_path):
    whole = (trained.folder / "checkpoints" / "last.ckpt").read_bytes()
    for n in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.ckpt").write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"must be a whole checkpoint|numbers and text only"):
            read_checkpoint(tmp_path / "cut.ckpt")


def test_other_files(tmp_path, recon):
    torch.save([1], tmp_path / "list.ckpt")
    with pytest.raises(ValueError, match=r"must have a `state_dict`"):
        read_checkpoint(tmp_path / "list.ckpt")
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="must hold a recon's weights, got none"):
        load_weights(recon, tmp_path / "other.ckpt")


def test_the_best_is_adopted_only_if_it_was_the_best_by_then(train, trained, tmp_path):
    home = shutil.copytree(trained.folder, tmp_path / "run") / "checkpoints"
    config = {
        "loss": {"class_path": "ComplexL2"}, "lr_scheduler": [0.5, 1], "baselines": [],
        "optimizer": {"class_path": "Adam", "init_args": {"lr": 1e-3}},
    }  # fmt: skip
    best = read_checkpoint(home / "best.ckpt")
    assert best["callbacks"]["KeepCheckpoints"]["best"] is not None
    run = train(resume=str(home.parent), **config)  # at its end already, so the best is adopted
    assert (run.folder / "checkpoints" / "best.ckpt").read_bytes() == (
        home / "best.ckpt"
    ).read_bytes()
    best["callbacks"]["KeepCheckpoints"]["best"] = 1e9
    torch.save(best, home / "best.ckpt")
    run = train(resume=str(home / "last.ckpt"), **config)
    assert not (run.folder / "checkpoints" / "best.ckpt").exists()
