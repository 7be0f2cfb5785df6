"""Commands: help, misspelt names, lazy imports, and main.py as a user starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconic.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


def python(*argv):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


def test_help_and_version_import_no_engine():
    code = (
        "import sys; from reconic.cli import main; main(['--help']); main(['--version'])\n"
        "print(sorted({'torch', 'jax', 'lightning'} & set(sys.modules)))"
    )
    status, out, err = python("-c", code)
    assert status == 0, err
    assert out.splitlines()[-1] == "[]"
    assert all(f"  {name} " in out for name in COMMANDS)


def test_main_py_trains(home, tmp_path):
    """The one command of the README, as a process of its own, with a worker process."""
    status, out, err = python(
        "main.py", "--config", str(home / "config.json"), "--logdir", str(tmp_path),
        "--data.num_workers", "1", "--trainer.max_epochs", "1",
        "--trainer.enable_progress_bar", "true",
    )  # fmt: skip
    assert status == 0, err
    folder = Path(out.splitlines()[-1])
    assert folder == tmp_path / "tiny" / "version_0"
    results = json.loads((folder / "results.json").read_text())
    lines = out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("method")) + 2 :]
    assert [line.split()[0] for line in table[:3]] == list(results)
    assert f"{results['modl']['psnr']:.2f}" in table[2]
    assert "Epoch 0" in out
    assert "Warning" not in err
    assert (folder / "figures" / "comparison.png").stat().st_size > 0


def test_help_explains_every_key(capsys):
    """No option without words: what comes from a docstring that lacks an argument shows here."""
    import argparse

    from reconic.train.config import train_parser

    for action in train_parser()._actions:
        assert action.help not in (None, argparse.SUPPRESS, ""), action.dest


def test_misspelt_command(reconic):
    status, _, err = reconic("trian")
    assert status == 2
    assert "Did you mean 'train'?" in err


def test_no_command(reconic):
    status, out, _ = reconic()
    assert status == 2
    assert "usage" in out


def test_debug_shows_the_traceback(reconic, monkeypatch):
    monkeypatch.setenv("RECONIC_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        reconic("info", "nowhere")
