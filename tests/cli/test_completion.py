"""Completion scripts, tried in the shell itself."""

import subprocess

import pytest

pytest.importorskip("shtab")

from reconic.cli.completion import completion_script
from reconic.cli.main import COMMANDS


def completed(*words):
    """What bash offers for the last word."""
    code = f"""{completion_script("bash")}
COMP_WORDS=({" ".join(repr(word) for word in words)}) COMP_CWORD={len(words) - 1}
complete_function=$(complete -p reconic | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$complete_function
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.split()


def test_bash_completes_commands_options_and_choices():
    assert set(completed("reconic", "")) >= set(COMMANDS)
    assert completed("reconic", "des") == ["descend"]
    assert completed("reconic", "train", "--trainer.max_ep") == ["--trainer.max_epochs"]
    assert completed("reconic", "completion", "z") == ["zsh"]


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef reconic"), ("fish", "#")])
def test_other_shells(reconic, shell, start):
    status, out, _ = reconic("completion", shell)
    assert status == 0
    assert out.startswith(start)
    assert all(name in out for name in COMMANDS)


def test_unknown_shell(reconic):
    status, _, err = reconic("completion", "tcsh")
    assert status == 2
    assert "zsh" in err
