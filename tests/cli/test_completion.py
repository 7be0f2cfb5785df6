"""Completion scripts, tried in the shells themselves."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

pytest.importorskip("shtab")

from reconic.cli.completion import completion_script
from reconic.cli.main import COMMANDS

LINES = {
    "reconic des": "reconic descend",
    "reconic train --trainer.max_ep": "reconic train --trainer.max_epochs",
    "reconic descend --batch_size 2 --ep": "reconic descend --batch_size 2 --epochs",
    "reconic completion z": "reconic completion zsh",
    "reconic descend --keep_best lo": "reconic descend --keep_best loss",
    "reconic view arr": "reconic view array.npy",
    "reconic train --config arr": "reconic train --config array.npy",
}


@pytest.fixture
def needs(tmp_path):
    """Function that skips a test where a shell is missing; a file is there to be named."""
    (tmp_path / "array.npy").touch()

    def shell(name):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")

    return shell


def bash_offers(*words):
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


def test_bash_completes_commands_options_and_choices(needs):
    needs("bash")
    assert set(bash_offers("reconic", "")) >= set(COMMANDS)
    assert bash_offers("reconic", "des") == ["descend"]
    assert bash_offers("reconic", "train", "--trainer.max_ep") == ["--trainer.max_epochs"]
    assert bash_offers("reconic", "completion", "z") == ["zsh"]


def test_fish_completes_commands_options_choices_and_files(needs, tmp_path):
    needs("fish")
    (tmp_path / "reconic.fish").write_text(completion_script("fish"))
    asked = "; echo; ".join(f"complete -C '{line}'" for line in ("reconic ", *LINES))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source reconic.fish; {asked}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert not done.stderr
    first, *others = (
        [line.partition("\t")[0] for line in part.splitlines()]
        for part in done.stdout.split("\n\n")
    )
    assert set(first) >= set(COMMANDS)
    assert others == [[line.split()[-1]] for line in LINES.values()]


class Terminal:
    """An interactive zsh, which shows its line when ^X is typed."""

    def __init__(self, folder):
        (folder / ".zshrc").write_text(
            "fpath=($PWD $fpath); autoload -Uz compinit; compinit -D -u\n"
            'tell() { print -r -- "<<$BUFFER>>"; BUFFER= }; zle -N tell; bindkey "^X" tell\n'
            'PS1="ready "\n'
        )
        self._own, theirs = pty.openpty()
        self._shell = subprocess.Popen(
            ["zsh", "-d", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
            start_new_session=True, env={**os.environ, "ZDOTDIR": str(folder), "TERM": "dumb"},
        )  # fmt: skip
        os.close(theirs)
        self._until("ready ")

    def completed(self, line):
        """The line after the tabulator key."""
        os.write(self._own, f"{line}\t\x18".encode())
        return self._until("<<(.*)>>")[1].strip()

    def _until(self, pattern, seconds=60):
        end, seen = time.monotonic() + seconds, ""
        while not (match := re.search(pattern, seen)):
            assert time.monotonic() < end, seen
            if select.select([self._own], [], [], 0.1)[0]:
                seen += os.read(self._own, 65536).decode(errors="replace")
        return match

    def close(self):
        self._shell.kill()
        self._shell.wait()
        os.close(self._own)


def test_zsh_completes_commands_options_choices_and_files(needs, tmp_path):
    needs("zsh")
    (tmp_path / "_reconic").write_text(completion_script("zsh"))
    terminal = Terminal(tmp_path)
    try:
        assert {line: terminal.completed(line) for line in LINES} == LINES
    finally:
        terminal.close()


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
