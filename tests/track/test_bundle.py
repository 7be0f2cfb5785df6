"""Bundles of run folders, made by hand: what is in them, and what is refused."""

import io
import json
import zipfile

import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reconic.track import read_bundle, write_bundle, write_json, write_text

CONFIG = {
    "ksp": "ksp.npy",
    "maps": "/data/of/somebody/maps.npy",
    "method": "cgsense, /old/logs/modl/version_0",
    "lam": 0.1,
    "notes": "from /home/somebody",
    "name": "scan",
    "logdir": "/scratch/logs",
    "out": "/scratch/out.png",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ksp.npy").write_bytes(b"samples")
    folder = tmp_path / "logs" / "scan" / "version_0"
    write_text(folder / "config.yaml", yaml.safe_dump(CONFIG))
    write_json(folder / "results.json", {"CG-SENSE": {"lam": 0.1, "holdout": None}})
    lines = [{"step": 0, "time": 0.1, "loss/total": 2.0}, {"step": 9, "time": 1, "loss/total": 1.0}]
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write_json(folder / "environment.json", {"python": "3.0", "packages": {"numpy": "1.0"}})
    write_text(folder / "events.out.tfevents.1.host", "host")
    (folder / "figures").mkdir()
    info = PngInfo()
    info.add_text("Software", "of somebody")
    Image.new("L", (2, 2)).save(folder / "figures" / "a.png", pnginfo=info)
    return folder


def test_a_bundle_holds_what_was_asked_for_and_no_more(run, tmp_path):
    results = {"/scratch/modl": {"nrmse": 0.5}}
    write_json(run / "results.json", results)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 10, "note": "in /home/somebody"}\n')
    write_bundle(run, tmp_path / "a.zip", {"weights/best.ckpt": b"w"})
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert set(archive.namelist()) == {
            "bundle.json", "config.yaml", "metrics.jsonl", "results.json", "figures/a.png",
            "weights/best.ckpt",
        }  # fmt: skip
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(entry.extra or entry.comment for entry in archive.infolist())
        everything = b"".join(map(archive.read, archive.namelist()))
    for trace in (b"somebody", b"/old", b"scratch"):
        assert trace not in everything


def test_what_was_written_is_read(run, tmp_path):
    made = write_bundle(run, tmp_path / "a.zip", {})
    found = read_bundle(tmp_path / "a.zip")
    assert found == made
    assert found.figures == {"CG-SENSE/lam": 0.1, "CG-SENSE/holdout": None, "loss/total": 1.0}
    assert found.versions == {"python": "3.0", "numpy": "1.0"}
    assert [(i.key, i.hint, i.data is None) for i in found.inputs] == [
        ("ksp", "ksp.npy", False), ("maps", None, True), ("method", None, True),
    ]  # fmt: skip
    filled = found.filled([tmp_path / name for name in "xyz"])
    assert filled["ksp"] == str(tmp_path / "x")
    assert filled["method"] == f"cgsense,{tmp_path / 'z'}"
    assert not {"name", "logdir", "out"} & set(filled)


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    for name in ("a.zip", "b.zip"):
        write_bundle(run, tmp_path / name, {})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    ("config", "kept", "known"),
    [
        ({"devices": 2, "resume": "/old/run"}, {}, []),  # how it was started is no part of the run
        ({"data": {"val": "gone/*/x-[ab]?.h5"}}, {"data": {"val": "{input:1}"}},
         [("data.val", "gone/*/x-[ab]?.h5")]),
        ({"data": {"val": "wilma*/*.h5"}}, {"data": {"val": "{input:1}"}}, [("data.val", None)]),
        ({"traj": "gone/traj.npy"}, {"traj": "{input:1}"}, [("traj", "gone/traj.npy")]),
        ({"data": {"train": "gone/a.h5"}}, {"data": {"train": "{input:1}"}},
         [("data.train", "gone/a.h5")]),
        ({"data": {"train": ["a.h5", "../b.h5"]}}, {"data": {"train": ["{input:1}", "{input:2}"]}},
         [("data.train", "a.h5"), ("data.train", None)]),  # the latter leads out
        ({"maps": "wilma/maps.npy"}, {"maps": "{input:1}"}, [("maps", None)]),  # a user's name
        ({"other": "/old/thing"}, {"other": "{input:1}"}, [("other", None)]),
        ({"name_of_loss": "torch.nn.L1Loss"}, {"name_of_loss": "torch.nn.L1Loss"}, []),
    ],
)  # fmt: skip
def test_what_is_an_input_and_what_is_told_of_it(run, tmp_path, config, kept, known, monkeypatch):
    monkeypatch.setenv("LOGNAME", "wilma")
    text = yaml.safe_dump({"ksp": "ksp.npy", **config}, sort_keys=False)
    write_text(run / "config.yaml", text)
    found = write_bundle(run, tmp_path / "a.zip", {})
    assert found.config == {"ksp": "{input:0}", **kept}
    assert [(i.key, i.hint) for i in found.inputs[1:]] == known


def test_the_devices_of_a_training_and_what_it_went_on_from_are_left_out(run, tmp_path):
    devices = {"accelerator": "cpu", "devices": 8, "num_nodes": 4, "strategy": "ddp"}
    config = {"trainer": {**devices, "max_epochs": 3}, "resume": "logs/scan/version_0"}
    write_text(run / "config.yaml", yaml.safe_dump(config))
    found = write_bundle(run, tmp_path / "a.zip", {})
    assert (found.config, found.inputs) == ({"trainer": {"max_epochs": 3}}, [])


def test_a_descent_that_came_to_its_end_has_the_last_scores_of_its_validation(run, tmp_path):
    write_text(run / "config.yaml", yaml.safe_dump({"scene": {}, "epochs": 9}))
    write_json(run / "results.json", {"a": {"b": {"c": 1}, "text": "x"}})
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "val/psnr": 30.0, "train/psnr": 31.0}\n')
    found = write_bundle(run, tmp_path / "a.zip", {})
    assert found.command == "descend"
    assert found.figures == {"a/b/c": 1, "loss/total": 1.0, "val/psnr": 30.0}


def test_a_search_is_told_to_give_one_of_its_trials(tmp_path):
    (tmp_path / "study.db").touch()
    with pytest.raises(FileNotFoundError, match="Give one of the trials of the search"):
        write_bundle(tmp_path, tmp_path / "a.zip", {})


def test_a_run_that_did_not_end_is_refused(run, tmp_path):
    (run / "results.json").unlink()
    with pytest.raises(ValueError, match=r"still being written or was cut off, last written to \d"):
        write_bundle(run, tmp_path / "a.zip", {})
    assert not (tmp_path / "a.zip").exists()


def test_a_descent_that_was_stopped_is_refused(run, tmp_path):
    write_text(run / "config.yaml", yaml.safe_dump({"scene": {}, "epochs": 10}))
    with pytest.raises(ValueError, match=r"cut off.*or go on by `reconic descend --resume "):
        write_bundle(run, tmp_path / "a.zip", {})


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda run: (run / "config.yaml").unlink(), FileNotFoundError, "must be a run folder"),
        (lambda run: (run / "metrics.jsonl").unlink(), ValueError, "not a test of it"),
        (
            lambda run: write_text(run / "config.yaml", "forward: f\n"),
            ValueError,
            "Was it made from Python",
        ),
    ],
)
def test_what_is_no_run_is_refused(run, tmp_path, change, kind, message):
    change(run)
    with pytest.raises(kind, match=message):
        write_bundle(run, tmp_path / "a.zip", {})


def changed(path, name, content):
    """Replace a member, or add one."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for n, data in {**members, name: content}.items():
            archive.writestr(n, data)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", r"..\evil", "C:evil"])
def test_members_that_lead_out_are_refused(run, tmp_path, name):
    write_bundle(run, tmp_path / "a.zip", {})
    changed(tmp_path / "a.zip", name, b"x")
    with pytest.raises(ValueError, match="must have members below its own folder"):
        read_bundle(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "ksp: /etc/passwd\n", "must name no absolute path, got /etc/passwd"),
        ("config.yaml", "trainer: {}\n", "no absolute path, got another command"),
        ("config.yaml", "!!python/object/apply:os.system [echo]", "cannot be read"),
        ("bundle.json", '{"format": 2}', "must be of format 1, got 2"),
        ("bundle.json", "{}", "cannot be read"),
        ("bundle.json", "[", "cannot be read"),
        ("bundle.json", b"\xff", "cannot be read"),
    ],
)
def test_strange_bundles_are_refused(run, tmp_path, name, content, message):
    write_bundle(run, tmp_path / "a.zip", {})
    changed(tmp_path / "a.zip", name, content)
    with pytest.raises(ValueError, match=message):
        read_bundle(tmp_path / "a.zip")


def test_a_hint_that_leads_elsewhere_is_refused(run, tmp_path):
    write_bundle(run, tmp_path / "a.zip", {})
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        about = json.loads(archive.read("bundle.json"))
    about["inputs"][0]["hint"] = "/etc/passwd"
    changed(tmp_path / "a.zip", "bundle.json", json.dumps(about))
    with pytest.raises(ValueError, match="must name no absolute path, got /etc/passwd"):
        read_bundle(tmp_path / "a.zip")


def test_half_a_bundle_and_a_bomb_are_refused(run, tmp_path):
    path = tmp_path / "a.zip"
    write_bundle(run, path, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="must be a whole bundle"):
        read_bundle(path)
    path.write_bytes(whole)
    made = io.BytesIO(b" " * (2**26 + 1))
    changed(path, "config.yaml", made.getvalue())
    with pytest.raises(ValueError, match="must be at most 67108864 bytes"):
        read_bundle(path)
