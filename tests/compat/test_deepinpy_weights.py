"""Checkpoints of DeepInPy: all that Lightning 1.0 stores, none of whose code may run."""

import pickle
import sys
import types

import deepinpy_oracle as oracle
import numpy as np
import pytest
import torch

from reconic.cli import main
from reconic.compat.deepinpy import load_checkpoint, read_state_dict
from reconic.networks import CNN, ResNet, ResNet5Block
from reconic.recons import CGSense, DeepBasisPursuit, MoDL, ResNetRecon


class Attributes(dict):
    pass


class Namespace:
    def __init__(self, **values):
        self.__dict__.update(values)


class Callback:
    pass


class Malicious:
    ran = False

    def __reduce__(self):
        return _run, ("x",)


def _run(text):
    Malicious.ran = True
    return text


@pytest.fixture
def foreign(monkeypatch):
    """Classes of a module that is gone when the checkpoint is read."""
    module = types.ModuleType("pytorch_lightning_of_old")
    for thing in (Attributes, Namespace, Callback, Malicious, _run):
        monkeypatch.setattr(thing, "__module__", module.__name__)
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return lambda: monkeypatch.delitem(sys.modules, module.__name__)


def save(path, state, **more):
    tensors = {key: torch.as_tensor(np.asarray(value)) for key, value in state.items()}
    torch.save({"state_dict": tensors, "epoch": 3, **more}, path)
    return path


def test_a_whole_checkpoint_of_old_without_its_packages(tmp_path, foreign):
    path = save(
        tmp_path / "old.ckpt",
        {"l2lam": 0.25},
        callbacks={Callback: {"best_model_score": np.float64(0.5), "dirpath": "logs"}},
        hyper_parameters=Attributes(step=0.001, namespace=Namespace(recon="modl", gpu=None)),
        hparams=Namespace(step=0.001),
        optimizer_states=[{"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}}],
        rng=np.random.default_rng(0).integers(9, size=3),
    )
    foreign()
    state = read_state_dict(path)
    assert state.keys() == {"l2lam"}
    assert state["l2lam"] == 0.25


def test_code_in_a_checkpoint_is_not_run(tmp_path, foreign):
    path = save(tmp_path / "old.ckpt", {"l2lam": 0.25}, callbacks=Malicious())
    assert read_state_dict(path).keys() == {"l2lam"}
    assert not Malicious.ran


def test_code_of_the_system_is_refused(tmp_path, monkeypatch):
    import os

    monkeypatch.setattr(Malicious, "__reduce__", lambda self: (os.system, ("touch ran",)))
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "old.ckpt", {"l2lam": 0.25}, callbacks=Malicious())
    with pytest.raises(ValueError, match="must be a whole checkpoint"):
        read_state_dict(path)
    assert not (tmp_path / "ran").exists()


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="which is no file"):
        read_state_dict(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps({"state_dict": {}}))
    whole = save(tmp_path / "whole.ckpt", {"l2lam": 0.25}).read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "pickle", "cut"):
        with pytest.raises(ValueError, match="must be a whole checkpoint"):
            read_state_dict(tmp_path / f"{name}.ckpt")
    for content in ([1], {"weights": {}}, {"state_dict": {"a": 1}}):
        torch.save(content, tmp_path / "other.ckpt")
        with pytest.raises(ValueError, match="must have the key `state_dict` with tensors"):
            read_state_dict(tmp_path / "other.ckpt")


@pytest.mark.parametrize("lam", [1e-4, 0.05, 3.0])
def test_lambda(tmp_path, lam):
    path = save(tmp_path / "old.ckpt", {"l2lam": [lam]})
    recon = CGSense(lam=0.7)
    load_checkpoint(recon, path)
    assert recon.lam().item() == pytest.approx(lam, rel=1e-6)  # of single precision


def test_lambda_of_basis_pursuit_weighs_the_other_term(tmp_path, rng):
    state = {f"denoiser.{k}": v for k, v in oracle.resnet_state(rng, 1, 4, 2).items()}
    path = save(tmp_path / "old.ckpt", {"l2lam": 0.2, **state})
    recon = DeepBasisPursuit(ResNet(width=4, n_blocks=2, kernel=7))
    load_checkpoint(recon, path)
    assert recon.consistency.lam().item() == pytest.approx(1 / 0.2, rel=1e-5)


def test_a_lambda_that_is_not_positive(tmp_path):
    path = save(tmp_path / "old.ckpt", {"l2lam": -0.1})
    with pytest.raises(ValueError, match=r"`l2lam` in .* must be positive, got -0.1"):
        load_checkpoint(CGSense(), path)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", ["ResNet", "ResNet5Block"])
def test_every_weight_is_taken_over(tmp_path, rng, kind, batch_norm):
    if kind == "ResNet":
        state = oracle.resnet_state(rng, 1, 4, 3, batch_norm)
        network = ResNet(width=4, n_blocks=3, kernel=7, batch_norm=batch_norm)
    else:
        state = oracle.resnet5block_state(rng, 1, 4, batch_norm)
        network = ResNet5Block(width=4, batch_norm=batch_norm)
    state = {f"denoiser.{k}": v for k, v in state.items()}
    load_checkpoint(MoDL(network), save(tmp_path / "old.ckpt", {"l2lam": 0.1, **state}))
    found = sorted(float(v.double().sum()) for v in network.state_dict().values())
    assert found == pytest.approx(sorted(np.sum(v) for v in state.values()), rel=1e-5, abs=1e-6)


def test_weights_of_another_recon(tmp_path, rng):
    network = save(tmp_path / "a.ckpt", {f"network.{k}": v for k, v in
                                         oracle.resnet_state(rng, 1, 4, 2).items()})  # fmt: skip
    lam = save(tmp_path / "b.ckpt", {"l2lam": 0.1})
    with pytest.raises(ValueError, match="must hold the weights of a CGSense without a network"):
        load_checkpoint(CGSense(), network)
    with pytest.raises(ValueError, match="must hold the weights of a ResNetRecon with a network"):
        load_checkpoint(ResNetRecon(ResNet(width=4, n_blocks=2)), lam)
    for other in (ResNet(width=5, n_blocks=2, kernel=7), ResNet(width=4, n_blocks=3, kernel=7),
                  ResNet5Block(width=4), CNN(width=4)):  # fmt: skip
        with pytest.raises(ValueError, match=r"a.ckpt does not fit"):
            load_checkpoint(ResNetRecon(other), network)


def test_the_command_writes_the_weights_beside_the_configuration(old, tmp_path):
    path = old({"l2lam": 0.3}, recon="cgsense")
    out = tmp_path / "new" / "new.yaml"
    assert main(["import-config", str(path), "--out", str(out)]) == 0
    (written,) = out.parent.glob("*.ckpt")
    assert f"init: {written}" in out.read_text()
    before = written.read_bytes()
    assert main(["import-config", str(path), "--out", str(out)]) == 0
    assert [p.name for p in out.parent.glob("*.ckpt")] == [written.name]
    assert torch.load(written, weights_only=True)["state_dict"].keys() == {"recon.lam.theta"}
    assert before


def test_a_checkpoint_that_is_missing(old, tmp_path, capsys):
    path = old(recon="cgsense", checkpoint_init=str(tmp_path / "none.ckpt"))
    assert main(["train", "--config", str(path)]) == 2
    assert "`checkpoint_init` must be a checkpoint" in capsys.readouterr().err
