"""Every example runs from an empty folder, on a small problem; each asserts its own error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    environment = {**os.environ, "RECONIC_FAST": "1", "OMP_NUM_THREADS": "1"}
    del environment["JAX_ENABLE_X64"]  # set by the other tests
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "figure: " in done.stdout
    assert list(tmp_path.glob("logs/*/version_0/figures/*.png"))
    assert list(tmp_path.glob("logs/*/version_0/events.out.tfevents.*"))


def test_examples_are_short():
    assert EXAMPLES
    assert all(len(p.read_text().splitlines()) < 120 for p in EXAMPLES)
