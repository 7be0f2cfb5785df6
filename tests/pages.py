"""Runs the code blocks of a page of the docs, in order, in one folder, as its reader would.

Python blocks share one session, and commands of `reconic` are run in the same process, by the
function that the program calls: that saves importing torch and JAX a hundred times. Other commands
go through bash. A comment `<!-- in tests: ARGUMENTS -->` before a block of one command adds
arguments to it, which make it shorter.

    python tests/pages.py PAGE       runs a page in this folder, in a process of its own
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reconic.cli import main

_BLOCK = re.compile(
    r"^(?:<!-- in tests: (?P<extra>[^\n]*) -->\n)?"
    r"```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is, and what tests add to its command."""

    extra: str | None
    language: str
    title: str | None
    code: str


def blocks(page):
    """All blocks of a page."""
    return [Block(**m.groupdict()) for m in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def read(page, folder):
    """Do what a page says, in an empty folder, which is the present one and on Python's path."""
    session, printed = {"__name__": "__main__"}, ""
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            printed = _captured(lambda b=block: exec(compile(b.code, page.name, "exec"), session))
        elif block.language == "bash":
            printed = _run(block, folder)
        elif block.language == "text":
            assert block.code.strip() in printed, f"{block.code} is not in {printed}"


def _run(block, folder):
    lines = [line for line in block.code.replace("\\\n", " ").splitlines() if line]
    if not all(line.startswith("reconic ") for line in lines):
        return _shell(block.code, folder)
    commands = [shlex.split(line, comments=True)[1:] for line in lines]
    commands[-1] += shlex.split(block.extra or "")
    return "".join(_reconic(words) for words in commands)


def _reconic(words):
    def call():
        try:
            status = main(words)
        except SystemExit as end:  # of --print_config
            status = end.code
        assert not status, f"reconic {shlex.join(words)} ended with {status}"

    return _captured(call)


def _captured(call):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        call()
    return out.getvalue()


def _shell(code, folder):
    """Output of commands that find this Python's programs and the folder's modules."""
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    read(Path(sys.argv[1]), Path.cwd())
