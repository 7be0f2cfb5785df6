import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(tmp_path, *args):
    script = ROOT / "benchmarks" / "run.py"
    command = [sys.executable, str(script), "--quick", "--out", str(tmp_path), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "RESULTS.json").read_text())


@pytest.mark.slow
def test_results_of_separate_commands_are_merged(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    first = run(tmp_path, "--only", "jax")
    both = run(tmp_path, "--only", "torch")
    assert both[: len(first)] == first
    assert len(both) > len(first)
    again = run(tmp_path, "--only", "torch")
    assert len(again) == len(both)
    table = (tmp_path / "RESULTS.md").read_text()
    assert all(r["name"] in table for r in again)
    assert all(r["value"] > 0 for r in again)


@pytest.mark.slow
def test_rows_of_non_cartesian_sampling(tmp_path):
    pytest.importorskip("jax_finufft")
    pytest.importorskip("torch")
    found = {r["name"]: r for r in run(tmp_path, "--only", "noncartesian")}
    for library in ("torch", "JAX (jit)"):
        assert f"{library}: AᴴA / batched pair of 2×-oversampled FFTs" in found
        assert f"{library}: forward / plan's execute" in found


@pytest.mark.slow
def test_rows_of_the_viewer(tmp_path):
    found = {r["name"]: r for r in run(tmp_path, "--only", "viewer")}
    assert {"grey", "three planes, linked", "hue and brightness"} <= found.keys()
    assert all(r["value"] < 30 for r in found.values())
