"""Every code block of the pages runs, in order, in an empty folder, as a reader would run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("lightning")
jax = pytest.importorskip("jax")

import pages  # noqa: E402

from reconic.cli.main import COMMANDS  # noqa: E402

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
RUN = {"python", "bash", "text"}  # `text` is what the block before printed
SHOWN = {"sh", "yaml", "bibtex"}  # for other machines; parts of files
ids = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """An empty folder, this one, with JAX's own precision and with modules that are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)  # of processes that a page starts
    before, x64 = set(sys.modules), jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield tmp_path
    jax.config.update("jax_enable_x64", x64)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The `srun` command is available")  # of Lightning, on a cluster
@ids
def test_every_block_runs(page, reader):
    if "XLA_FLAGS" in page.read_text():  # JAX must not have started
        read_in_a_process(page)
    else:
        pages.read(page, reader)


def read_in_a_process(page):
    command = [sys.executable, pages.__file__, str(page)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@ids
def test_every_fence_is_a_block_that_runs_or_is_checked(page):
    found = pages.blocks(page)
    assert len(re.findall(r"^\s*```", page.read_text(), re.MULTILINE)) == 2 * len(found)
    assert {b.language for b in found if not b.title} <= RUN | SHOWN
    assert {Path(b.title).suffix for b in found if b.title} <= {".py", ".yaml", ".json"}


@ids
def test_what_is_only_shown_is_right(page):
    for block in pages.blocks(page):
        if block.language == "sh":
            assert subprocess.run(["bash", "-n", "-c", block.code]).returncode == 0
            assert set(re.findall(r"^(?:srun )?reconic ([\w-]+)", block.code, re.M)) <= set(
                COMMANDS
            )
        elif block.language == "yaml":
            yaml.safe_load(block.code)


def test_guides_have_code():
    guides = {"add-a-forward-model", "add-a-recon", "add-a-loss", "first-training", "first-descent"}
    assert guides <= {p.stem for p in PAGES}
    assert all(len(pages.blocks(p)) >= 3 for p in PAGES if p.stem in guides)
