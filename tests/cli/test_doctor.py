"""`reconic doctor`: what is there, what is missing, and what is wrong."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from reconic.cli import doctor

INSTALLED = {"numpy": "2.1.0", "torch": "2.6.0", "optuna": "5.1"}
REQUIRES = ["numpy>=2.0", "torch>=2.6; extra == 'train'", "lightning>=2.6; extra == 'train'",
            "optuna>=5.0; extra == 'search'", "reconic[train]; extra == 'all'",
            "pytest; extra == 'dev'"]  # fmt: skip


@pytest.fixture
def machine(monkeypatch):
    """An environment to change: what is installed, and the devices that torch sees."""
    installed, devices = dict(INSTALLED), {"torch": ["cpu"]}

    def version(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr("importlib.metadata.requires", lambda _: REQUIRES)
    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.setattr(doctor, "_torch_devices", lambda: devices["torch"])
    return installed, devices


def test_what_is_missing_is_named_with_its_command_and_is_no_failure(reconic, machine):
    status, out, _ = reconic("doctor")
    assert status == 0
    assert "missing lightning. `pip install 'reconic[train]'`" in out
    assert "'reconic[search]'" not in out
    assert "pytest" not in out
    assert "torch devices: cpu" in out
    assert out.rstrip().endswith("All that is installed works.")


@pytest.mark.parametrize(
    ("package", "version", "message"),
    [("numpy", None, "numpy: missing"), ("optuna", "4.0", "optuna: wrong version, needs >=5.0")],
)
def test_what_is_needed_and_what_is_too_old_are_failures(
    reconic, machine, package, version, message
):
    installed, _ = machine
    installed[package] = version
    if version is None:
        del installed[package]
    status, out, _ = reconic("doctor")
    assert status == 1
    assert f"PROBLEM {message}" in out


def test_a_gpu_that_a_library_does_not_see_and_a_broken_library(reconic, machine, monkeypatch):
    _, devices = machine
    monkeypatch.setattr(doctor.Path, "exists", lambda path: str(path) == "/dev/nvidia0")
    status, out, _ = reconic("doctor")
    assert (status, "torch sees no GPU" in out) == (1, True)
    devices["torch"] = ["cpu", "H200"]
    assert reconic("doctor")[0] == 0

    def broken():
        raise OSError("libcudart.so: cannot open")

    monkeypatch.setattr(doctor, "_torch_devices", broken)
    status, out, _ = reconic("doctor")
    assert status == 1
    assert "PROBLEM torch cannot be used: OSError: libcudart.so" in out


def test_every_extra_for_users_is_known():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    assert set(doctor.PURPOSES) == {"", *extras} - {"all", "dev", "docs", "peers"}
    assert all(re.fullmatch(r"[a-z]+", name) for name in extras)


def test_the_ffmpeg_that_films_use_is_told_or_missed(reconic, machine, monkeypatch):
    monkeypatch.setattr(doctor, "find_ffmpeg", lambda: "/opt/ffmpeg")
    assert "ffmpeg: /opt/ffmpeg" in reconic("doctor")[1]

    def none():
        raise ImportError

    monkeypatch.setattr(doctor, "find_ffmpeg", none)
    assert "ffmpeg: missing, for films, .mp4" in reconic("doctor")[1]
