"""Commands: help, misspelt names, lazy imports, and main.py as a user starts it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reconic.cli.examples import EXAMPLES
from reconic.cli.help import command_help, command_parser
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


def test_recon_does_not_wait_for_lightning():
    code = (
        "import sys, reconic.train as train, reconic.cli.recon, reconic.cli.compare\n"
        "assert callable(train.load_run)\n"
        "assert not {'lightning', 'jax'} & set(sys.modules)\n"
        "assert all(callable(getattr(train, name)) for name in train.__all__)\n"
        "print(hasattr(train, 'Fitt'))"
    )
    status, out, err = python("-c", code)
    assert status == 0, err
    assert out.split() == ["False"]


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


def test_help_fits_a_screen(reconic):
    _, out, _ = reconic("--help")
    lines = out.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80


def test_every_command_has_an_example_of_options_and_files_that_exist():
    assert list(EXAMPLES) == list(COMMANDS)
    for command, example in EXAMPLES.items():
        words = shlex.split(example)
        named = {a.dest for a in command_parser(command)._actions}
        assert f"reconic {command}" in example
        assert {w[2:].replace("-", "_") for w in words if w.startswith("--")} <= named
        assert all((ROOT / w).is_file() for w in words[:-1] if w.startswith("configs/"))
        assert command_help(command).endswith(f"example:\n  {example}")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["trian", "--config", "a b.json"], "reconic train --config 'a b.json'"),
        (["train", "--confg=a.json"], "reconic train --config=a.json"),
        (["nothing-like-it"], "reconic --help"),
        (["info", "nowhere"], "reconic info --help"),
        (["view"], "reconic view --help"),
    ],
)
def test_errors_end_with_the_command_to_try_next(reconic, words, command):
    status, _, err = reconic(*words)
    assert status == 2
    assert err.endswith(f"Try `{command}`.\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (ImportError("no torch."), "reconic doctor"),
        (ZeroDivisionError("zero."), "RECONIC_DEBUG=1 reconic info 'a b'"),
        (ImportError("Run: `pip install x`."), None),
    ],
)
def test_other_errors_too(reconic, monkeypatch, error, command):
    def run(_):
        raise error

    monkeypatch.setattr("reconic.cli.info.run", run)
    status, _, err = reconic("info", "a b")
    assert status == 1
    ending = "" if command is None else f" Try `{command}`."
    assert err == f"reconic info: {error}{ending}\n"


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
