"""Experiment trackers: what they are given, and what is refused before a run."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from stub_tracker import MADE, Stub

from reconic.track import RunWriter, check_trackers
from reconic.track.known_trackers import KNOWN, Known
from reconic.track.trackers import Trackers, open_trackers

STUB = {"class_path": "stub_tracker.Stub"}


@pytest.fixture(autouse=True)
def fresh():
    MADE.clear()


def test_a_tracker_gets_what_tensorboard_gets(tmp_path):
    with RunWriter(tmp_path, [STUB]) as writer:
        writer.hparams({"optimizer": {"lr": 0.1}})
        writer.scalars({"val/psnr": np.float32(30.0)}, 5)
        writer.images({"val/x": np.zeros((4, 4), np.uint8)}, 5)  # it shows none
    (stub,) = MADE
    assert stub.calls == [
        ("hparams", {"optimizer.lr": 0.1}),
        ("metrics", {"val/psnr": 30.0}, 5),
        ("end", "success"),
    ]


def test_a_run_that_fails_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), RunWriter(tmp_path, [STUB]):
        raise RuntimeError("stop")
    assert MADE[0].calls == [("end", "failed")]


def test_a_tracker_that_fails_on_the_way_is_left_out_and_its_password_not_shown(tmp_path, caplog):
    broken = {**STUB, "init_args": {"breaks": "metrics"}}
    with caplog.at_level(logging.WARNING), RunWriter(tmp_path, [broken]) as writer:
        writer.scalars({"a": 1.0}, 0)
        writer.scalars({"a": 2.0}, 1)
    assert [name for name, *_ in MADE[0].calls] == ["metrics"]
    assert "Stub is left out after: no way to https://anna:***@host/" in caplog.text
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_tracker_that_cannot_start_ends_the_run(tmp_path):
    broken = {**STUB, "init_args": {"breaks": "hparams"}}
    with (
        RunWriter(tmp_path, [broken]) as writer,
        pytest.raises(ConnectionError, match=r"Stub must start, got: no way to .*anna:\*\*\*@"),
    ):
        writer.hparams({"a": 1})


def test_two_trackers_of_one_class_get_the_same(tmp_path):
    with RunWriter(tmp_path, [STUB, STUB]) as writer:
        writer.scalars({"a": 1.0}, 0)
    first, second = MADE
    assert first.calls == second.calls == [("metrics", {"a": 1.0}, 0), ("end", "success")]


def test_what_is_asked_for_counts_before_what_is_usual(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    usual = Known("stub_tracker.Stub", {"stub": logging.ERROR}, lambda *_: {"breaks": "usual"})
    monkeypatch.setitem(KNOWN, "wandb", usual)
    open_trackers(["wandb"], tmp_path)
    open_trackers([{"wandb": {"breaks": "mine"}}], tmp_path)
    open_trackers([{**STUB, "dict_kwargs": {"breaks": "other"}}], tmp_path)
    assert [stub.breaks for stub in MADE] == ["usual", "mine", "other"]
    assert logging.getLogger("stub").level == logging.ERROR


@pytest.mark.parametrize("failed", [False, True])
def test_a_run_of_wandb_is_ended_with_its_status(failed):
    ended = []

    class WandbLogger(Stub):
        experiment = SimpleNamespace(finish=lambda exit_code: ended.append(exit_code))

    Trackers({"wandb": WandbLogger()}).close(failed)
    assert ended == [int(failed)]


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        ("wandbb", ValueError, "must be wandb, mlflow or have a `class_path`, got 'wandbb'"),
        ({"wandb": {}, "mlflow": {}}, ValueError, "must be wandb, mlflow or have"),
        (
            {"class_path": "stub_tracker.Stubb"},
            ValueError,
            "`class_path` must be a class that can be imported, got stub_tracker.Stubb",
        ),
        ({**STUB, "init_args": {"brakes": 1}}, TypeError, "arguments of stub_tracker.Stub must"),
        ({"wandb": {"api_key": "0123"}}, ValueError, "wandb must hold no secret.* `api_key`"),
        (
            {"mlflow": {"tracking_uri": "https://anna:s3cret@host"}},
            ValueError,
            "mlflow must hold no secret, got one in `tracking_uri`",
        ),
        ({"wandb": {"settings": {"x": {"token": "0123"}}}}, ValueError, "one in `token`"),
        ({"mlflow": {"tags": [{"secret": "0123"}]}}, ValueError, "one in `secret`"),
        (
            {"class_path": "lightning.pytorch.loggers.WandbLogger", "dict_kwargs": {"token": "0"}},
            ValueError,
            "arguments of wandb must hold no secret, got one in `token`",
        ),
    ],
)
def test_what_is_wrong_is_told_before_a_run(spec, kind, message):
    pytest.importorskip("lightning")
    with pytest.raises(kind, match=message) as error:
        check_trackers([spec])
    assert "s3cret" not in str(error.value)
    assert "0123" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("wandb", "wandb", "trackers"),
        ("mlflow", "mlflow", "trackers"),
        ("mlflow", "lightning", "train"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(name, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, name, sys)  # so that it is there
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"package {package}: .*'reconic\[{extra}\]'"):
        check_trackers([name])
