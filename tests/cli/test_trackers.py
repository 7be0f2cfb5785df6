"""W&B, offline, and MLflow beside both engines, from the command line."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest
import yaml

pytest.importorskip("lightning")
pytest.importorskip("wandb")
pytest.importorskip("mlflow")

DESCENT = {
    "name": "lens",
    "scene": {
        "class_path": "Deconvolution",
        "init_args": {"side": 32, "margin": 6, "radius": 2.0, "noise": 0.02},
    },
    "loss": {"l2": {"target": "measurement"}},
    "optimizers": {"object": {"method": "adam", "learning_rate": 0.02}},
    "epochs": 10,
}


def tracked(folder, command, config):
    """Run a command with both trackers; the run folder."""
    path = folder / "tracked.json"
    path.write_text(json.dumps({**config, "trackers": ["wandb", {"mlflow": {"tags": {"a": "b"}}}]}))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "MLFLOW"))}
    done = subprocess.run(
        [sys.executable, "-m", "reconic", command, "--config", str(path), "--logdir", "logs"],
        cwd=folder,
        env={**environment, "WANDB_API_KEY": "0" * 36 + "beef"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


def written(run):
    """Last values by tag, from metrics.jsonl."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {k: v for line in lines for k, v in line.items() if "/" in k and v is not None}


def mlflow_run(run):
    """Metrics, parameters, tags and images of the run in MLflow's database and folder."""
    with contextlib.closing(sqlite3.connect(run.parents[1] / "mlflow.db")) as database:
        select = database.execute
        ((name, status),) = select("select name, status from runs")
        ((experiment,),) = select("select name from experiments where name != 'Default'")
        tables = [
            dict(select(f"select key, value from {table}"))
            for table in ("latest_metrics", "params", "tags")
        ]
    assert (name, status, experiment) == (run.name, "FINISHED", run.parent.name)
    found = (run.parents[1] / "mlartifacts").glob("*/artifacts/images/*.png")
    return *tables, {path.name.split("+")[0] for path in found}


def wandb_run(run):
    """Metrics, configuration and images of the run in W&B's own offline file."""
    from wandb.proto import wandb_internal_pb2 as messages

    (path,) = run.glob("wandb/offline-run-*/*.wandb")
    metrics, config = {}, {}
    for record in wandb_records(path.read_bytes()):
        message = messages.Record.FromString(record)
        for item in message.history.item:
            metrics[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        for update in (message.config.update, message.run.config.update):
            config.update(
                {u.key or ".".join(u.nested_key): json.loads(u.value_json) for u in update}
            )
    images = {p.name for p in run.glob("wandb/*/files/media/images/**/*.png")}
    return metrics, config, images


def wandb_records(data):
    """Payloads of a file of LevelDB's log format, in blocks of 32 KiB, after 7 bytes of header."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or last part
            yield parts
            parts = b""


def check(run, config_key, value, image):
    last = written(run)
    logged, params, tags, mlflow_images = mlflow_run(run)
    metrics, config, wandb_images = wandb_run(run)
    assert tags["a"] == "b"
    for tag, number in last.items():
        assert logged[tag] == pytest.approx(number)  # the text of a float, and back
        assert metrics[tag] == pytest.approx(number)
    assert float(params[config_key]) == config[config_key] == value
    assert image.replace("/", "~") in mlflow_images
    assert any(name.startswith(image.rpartition("/")[2]) for name in wandb_images)
    kept = [p for p in run.iterdir() if p.is_file()]
    assert kept
    assert not any(b"beef" in p.read_bytes() for p in kept)  # the key of W&B
    assert yaml.safe_load((run / "config.yaml").read_text())["trackers"][0] == "wandb"


@pytest.mark.slow
def test_a_descent_is_tracked(tmp_path):
    pytest.importorskip("jax")
    run = tracked(tmp_path, "descend", DESCENT)
    check(run, "optimizers.object.learning_rate", 0.02, "object")


@pytest.mark.slow
def test_training_is_tracked(home, tmp_path):
    config = json.loads((home / "config.json").read_text())
    run = tracked(tmp_path, "train", config)
    check(run, "trainer.max_epochs", config["trainer"]["max_epochs"], "example_0/error")


def test_a_token_is_refused_before_the_run(reconic, with_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = with_config({"trackers": [{"wandb": {"api_key": "0123"}}], "logdir": "logs"})
    status, _, err = reconic("train", "--config", path)
    assert status == 2
    assert "must hold no secret" in err
    assert "0123" not in err
    assert not (tmp_path / "logs").exists()
