import importlib
import json
import math
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


def test_results_of_separate_commands_are_merged(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report = importlib.import_module("report")

    def saved(*values):
        rows = [report.Row("g", name, value, "ms", "cpu") for name, value in values]
        report.save(rows, tmp_path)
        found = json.loads((tmp_path / "RESULTS.json").read_text())
        return [(r["name"], r["value"]) for r in found]

    assert saved(("a", 1.0), ("b", 2.0)) == [("a", 1.0), ("b", 2.0)]
    assert saved(("c", 3.0)) == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert saved(("b", 4.0)) == [("a", 1.0), ("c", 3.0), ("b", 4.0)]


@pytest.mark.slow
def test_rows_of_all_kinds_of_sampling(tmp_path):
    pytest.importorskip("jax_finufft")
    pytest.importorskip("torch")
    rows = run(tmp_path, "--only", "jax", "torch", "noncartesian")
    table = (tmp_path / "RESULTS.md").read_text()
    assert all(r["name"] in table for r in rows)
    assert all(r["value"] > 0 for r in rows)
    assert {"cpu"} == {r["device"] for r in rows}
    assert {r["group"].partition(",")[0] for r in rows} > {"Non-Cartesian MRI"}
    found = {r["name"]: r for r in rows}
    assert "torch: AᴴA off resonance / (forward + adjoint)" in found
    for library in ("torch", "JAX (jit)"):
        assert f"{library}: AᴴA / batched pair of 2×-oversampled FFTs" in found
        assert f"{library}: forward / plan's execute" in found


@pytest.mark.slow
def test_rows_of_the_viewer(tmp_path):
    found = {r["name"]: r for r in run(tmp_path, "--only", "viewer")}
    frames = {"grey", "three planes, linked", "hue and brightness", "five images"}
    assert frames | {"cost of live=True"} <= found.keys()
    assert all(math.isfinite(r["value"]) for r in found.values())
    assert all(found[name]["value"] > 0 for name in frames)
