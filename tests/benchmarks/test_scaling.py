"""The model of scaling against a ring that is played through, and the page against the model."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def scaling():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import scaling

        yield scaling
    finally:
        sys.path.remove(str(BENCHMARKS))


def ring(size, p, bandwidth, latency):
    """Bytes sent by each rank, and seconds, of a ring all-reduce played message by message."""
    sums = [{chunk: {rank} for chunk in range(p)} for rank in range(p)]  # who is in each sum
    sent, seconds = [0.0] * p, 0.0
    for turn in range(2 * (p - 1)):
        reducing = turn < p - 1
        moved = [(rank, (rank - turn) % p) for rank in range(p)]
        messages = {rank: (chunk, set(sums[rank][chunk])) for rank, chunk in moved}
        for rank, (chunk, who) in messages.items():
            to = (rank + 1) % p
            sums[to][chunk] = sums[to][chunk] | who if reducing else who
            sent[rank] += size / p
        seconds += latency + size / p / bandwidth
    assert all(who == set(range(p)) for own in sums for who in own.values())
    return sent, seconds


@pytest.mark.parametrize("p", [2, 3, 8])
def test_the_ring_sends_what_the_formula_says(scaling, p):
    sent, seconds = ring(1e9, p, 1e9, 1e-3)
    assert sent == pytest.approx([scaling.wire_bytes(1e9, p)] * p)
    assert scaling.all_reduce_seconds(1e9, p, scaling.Link(1e9, 1e-3)) == pytest.approx(seconds)


def test_short_messages_go_by_trees(scaling):
    link = scaling.Link(1e9, 1e-5)
    assert scaling.all_reduce_seconds(8, 512, link) == pytest.approx(2 * 9 * 1e-5, rel=1e-3)


def test_ideal_devices_lose_nothing_and_real_ones_more_with_their_number(scaling):
    perfect = scaling.Link(math.inf, 0.0)
    ideal = scaling.Cluster(perfect, perfect, jitter=0.0)
    assert scaling.efficiencies(0.1, 1e9, ideal) == dict.fromkeys(scaling.COUNTS, 1.0)
    assert list(scaling.descent_efficiencies(0.1, 1e9, 1e9, ideal).values()) == pytest.approx(
        [1.0] * 3
    )
    for found in (
        scaling.efficiencies(0.2, 2e9),
        scaling.descent_efficiencies(0.2, 2e6, 0.0),
        scaling.descent_efficiencies(0.2, 2e6, 1e8),
    ):
        values = list(found.values())
        assert values == sorted(values, reverse=True)
        assert 0 < values[-1] < values[0] < 1
    assert scaling.training_seconds(0.2, 1e9, 1) == 0.2


def test_the_table_of_the_page_is_the_model_s(scaling):
    page = (ROOT / "docs" / "scaling.md").read_text()
    for step, size in ((0.2, 2e6), (0.05, 200e6)):
        training = scaling.efficiencies(step, size)
        descent = scaling.descent_efficiencies(step, size, 0.0)
        for p in scaling.COUNTS:
            row = f"| {1e3 * step:.0f} ms | {size / 1e6:.0f} MB | {p} "
            assert f"{row}| {training[p]:.0%} | {descent[p]:.0%} |" in page


@pytest.mark.slow
def test_a_compiled_descent_step_exchanges_what_the_model_says(tmp_path):
    pytest.importorskip("jax")
    out = tmp_path / "found.json"
    command = [sys.executable, BENCHMARKS / "scaling_worker.py", "descent", "2", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    # beside gradient and batch only the loss, some bytes
    assert found["variables"] + found["batch"] <= found["reduced"]
    assert found["reduced"] <= found["variables"] + found["batch"] + 64
