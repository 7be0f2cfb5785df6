"""`reconic bundle` and `reconic reproduce`, of real runs."""

import getpass
import io
import json
import shutil
import socket
import zipfile

import numpy as np
import pytest
import torch
import yaml

from reconic.cli.reproduce import _located, compared
from reconic.simulate import random_example
from reconic.track import Input, fingerprint
from reconic.train.load import load_weights, make_recon

NAMES = ("wilhelmine", "hermes-seven", "0123456789abcdef")


@pytest.fixture
def machine(home, tmp_path, monkeypatch):
    """A home of a user with a name, on a machine with a name, with data and a configuration."""
    there = tmp_path / "home" / "wilhelmine"
    there.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(there))
    monkeypatch.setenv("LOGNAME", "wilhelmine")
    monkeypatch.setenv("SOME_TOKEN", NAMES[2])
    monkeypatch.setattr(socket, "gethostname", lambda: NAMES[1])
    monkeypatch.chdir(there)
    assert getpass.getuser() == NAMES[0]
    config = json.loads((home / "config.json").read_text())
    for split in ("train", "val", "test"):
        shutil.copy(home / f"{split}.h5", there / f"{split}.h5")
        config["data"][split] = str(there / f"{split}.h5")
    config |= {"notes": f"of wilhelmine, on hermes-seven, in {there}", "name": "wilhelmine-knee"}
    config |= {"logdir": str(there / "logs")}
    (there / "config.json").write_text(json.dumps(config))
    return there


def contents(data, name=""):
    """Names and bytes of an archive and of the archives in it, uncompressed."""
    yield name.encode()
    yield data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield from contents(archive.read(entry), entry.filename)


def test_nothing_of_the_machine_is_in_a_bundle_that_runs_elsewhere(
    machine, reconic, tmp_path, monkeypatch
):
    status, out, err = reconic("train", "--config", "config.json")
    assert status == 0, err
    run = out.splitlines()[-1]
    assert any("hermes-seven" in path.name for path in machine.glob("logs/*/*/events*"))
    status, out, err = reconic("bundle", run, "--weights", "--out", "a.zip")
    assert status == 0, err
    assert [line.split()[2].rstrip(",") for line in out.splitlines()[:3]] == [
        "data.train", "data.val", "data.test",
    ]  # fmt: skip
    traces = [*(name.encode() for name in NAMES), str(tmp_path).encode(), b"/home/"]
    found = list(contents((machine / "a.zip").read_bytes()))
    assert len(found) > 20  # members, and those of the checkpoint
    for data in found:
        for trace in traces:
            assert trace not in data

    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    shutil.move(machine / "a.zip", "b.zip")
    status, _, err = reconic("reproduce", "b.zip", "--data", "data")
    assert status == 2
    assert "needs data.train of" in err
    for i, split in enumerate(("train", "val", "test")):
        shutil.move(machine / f"{split}.h5", elsewhere / "data" / f"{i}.h5")
    status, out, err = reconic("reproduce", "b.zip", "--data", "data", "--tolerance", "0")
    assert status == 0, out + err
    assert {line.split()[-1] for line in out.splitlines()[2:-1]} == {"same"}
    assert (elsewhere / "logs" / "b" / "version_0" / "results.json").is_file()

    with zipfile.ZipFile("b.zip") as archive:
        archive.extract("weights/best.ckpt")
        config = yaml.safe_load(archive.read("config.yaml"))
    recon = make_recon(config["recon"])
    load_weights(recon, elsewhere / "weights" / "best.ckpt")
    trained = torch.load(f"{run}/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    for name, value in recon.state_dict().items():
        torch.testing.assert_close(value, trained[f"recon.{name}"], rtol=0, atol=0)


def test_other_data_where_the_run_had_its_own_are_told(tmp_path, reconic, monkeypatch):
    run = scan(tmp_path, reconic, monkeypatch)
    assert reconic("bundle", run, "--out", "a.zip")[0] == 0
    np.save("ksp.npy", np.load("ksp.npy") * 2)
    status, _, err = reconic("reproduce", "a.zip")
    assert status == 2
    assert "needs ksp of" in err
    assert "ksp.npy is other data" in err
    assert not (tmp_path / "logs" / "a").exists()


def test_figures_that_differ_end_with_status_1_and_versions_with_a_warning(
    tmp_path, reconic, monkeypatch
):
    run = scan(tmp_path, reconic, monkeypatch)
    assert reconic("bundle", run, "--out", "a.zip")[0] == 0
    with zipfile.ZipFile("a.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members["bundle.json"])
    about["figures"]["CG-SENSE/holdout"] *= 1.01
    about["versions"] |= {"numpy": "0.1", "nosuch": "3"}
    members["bundle.json"] = json.dumps(about)
    with zipfile.ZipFile("b.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    status, out, err = reconic("reproduce", "b.zip")
    assert status == 1, err
    (row,) = [line.split() for line in out.splitlines() if line.startswith("CG-SENSE/holdout")]
    assert row[-2:] == ["9.9e-03", "differs"]
    assert "numpy was 0.1 and is" in err
    assert "nosuch was 3 and is not installed here" in err
    assert reconic("reproduce", "b.zip", "--tolerance", "0.02")[0] == 0


def scan(tmp_path, reconic, monkeypatch):
    """Run folder of a reconstruction of one small scan."""
    monkeypatch.chdir(tmp_path)
    e = random_example(np.random.default_rng(0), (40, 32), 2, source="shepp-logan", photos=0)
    np.save("ksp.npy", e["ksp"])
    np.save("maps.npy", e["maps"])
    status, out, err = reconic("recon", "ksp.npy", "--maps", "maps.npy", "--lam", "0.01")
    assert status == 0, err
    return out.splitlines()[-1]


@pytest.mark.parametrize(
    ("recorded", "now", "verdict"),
    [
        (1.0, 1.0, "same"),
        (1.0, 1.0005, "close"),
        (1.0, 1.002, "differs"),
        (-2.0, 2.0, "differs"),
        (0.0, 1e-9, "differs"),  # nothing is close to zero
        (None, None, "same"),
        (None, 1.0, "differs"),
    ],
)
def test_verdicts(recorded, now, verdict):
    assert compared({"a": recorded}, {"a": now}, 1e-3)[0][-1] == verdict


def test_a_pattern_is_found_below_what_data_names(tmp_path):
    for name in ("x/train-0.h5", "y/train-1.h5", "y/other.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    item = Input("data.train", "*/train-*.h5", fingerprint(tmp_path / "*" / "train-*.h5"))
    assert _located(item, tmp_path) == tmp_path / "*" / "train-*.h5"


def test_a_figure_that_is_gone_is_missing():
    assert compared({"a": 1.0}, {}, 1e-3) == [["a", "1", "-", "-", "missing"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bundle", "nosuch"], "must be a run folder with config.yaml, got 'nosuch'"),
        (["reproduce", "nosuch.zip"], "there is no file 'nosuch.zip'"),
        (["reproduce", __file__], "must be a whole bundle"),
        (["reproduce", "x.zip", "--tolerance", "-1"], "must not be negative, got -1.0"),
    ],
)
def test_wrong_usage_is_told(reconic, words, message):
    status, _, err = reconic(*words)
    assert status == 2
    assert message in err
