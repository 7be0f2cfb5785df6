"""Every code block of the pages runs, in order, in an empty folder, as a reader would run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return [m.groups() for m in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def shell(code, folder):
    """Output of shell commands that find `reconic` and this folder's modules."""
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    environment.pop("JAX_ENABLE_X64", None)  # set by the other tests
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_block_runs(page, tmp_path):
    script: list[str] = []
    printed, pending = "", False

    def run_script():
        """All Python so far, in one process."""
        (tmp_path / "page.py").write_text("\n".join(script))
        shell("python page.py", tmp_path)

    for language, title, code in blocks(page):
        if title:
            (tmp_path / title).write_text(code)
        elif language == "python":
            script.append(code)
            pending = True
        elif language == "bash":
            if pending:
                run_script()
            printed, pending = shell(code, tmp_path), False
        elif language == "text":
            assert code.strip() in printed
    if pending:
        run_script()
    assert script or printed


def test_there_are_pages_and_the_blocks_are_found():
    assert {"add-a-forward-model", "add-a-recon", "add-a-loss"} <= {p.stem for p in PAGES}
    assert all(len(blocks(p)) >= 3 for p in PAGES)
