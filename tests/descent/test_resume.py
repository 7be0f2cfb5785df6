"""A run that goes on equals one that was never broken off, byte for byte."""

import json
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from reconic import descent as rd
from reconic.descent import checkpoint


def forward(v, batch, key):
    import jax

    noise = 0.01 * jax.random.normal(key, (2, 3))
    return {"y": (v["x"] + v["z"].real + noise)[: batch["y"].shape[0]]}


def run(epochs, **settings):
    rng = np.random.default_rng(0)
    variables = {"x": np.zeros(3, np.float32), "z": np.zeros(3, np.complex64)}
    opt = {"x": rd.adam(0.05, every=3, clip=1.0), "z": rd.adam(0.1, start=4)}
    data = {"y": rng.standard_normal((8, 3)).astype(np.float32)}
    return rd.reconstruct(
        forward, variables, data, rd.l2("y") + 0.1 * rd.weight_decay("x"), opt, epochs=epochs,
        batch_size=2, holdout=0.2, log_every=2, checkpoint_every=3,
        images=lambda v: {"x": v["x"]}, images_every=2, **settings,
    )  # fmt: skip


def same(a, b):
    for name, value in a.history.items():
        np.testing.assert_array_equal(value, b.history[name])
    for kept in ("variables", "best"):
        for name in ("x", "z"):
            np.testing.assert_array_equal(getattr(a, kept)[name], getattr(b, kept)[name])
    assert [e for e, _ in a.images["x"]] == [e for e, _ in b.images["x"]]


def test_resume_equals_uninterrupted(tmp_path):
    whole = run(11)
    part = run(6, run=tmp_path / "run")
    again = run(11, resume=part.run)
    assert again.run == part.run
    same(again, whole)
    kept = sorted(p.name for p in (part.run / "checkpoints").iterdir())
    assert kept == ["epoch_00000009.npz", "epoch_00000011.npz"]


@pytest.mark.parametrize(("change", "says"), [
    ({"seed": 1}, "was made with seed 0, got 1"),
    ({"batch_size": 3}, "was made with batch_size 2, got 3"),
])  # fmt: skip
def test_what_differs_from_the_run_is_named(tmp_path, change, says):
    folder = run(3, run=tmp_path / "run").run
    saved = checkpoint.latest(folder)
    facts = {**saved.facts, **change}
    with pytest.raises(ValueError, match=says):
        checkpoint.restore(saved, None, facts)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint in"):
        run(3, resume=tmp_path)


def test_other_optimizers_do_not_fit_a_checkpoint(tmp_path):
    def go(opt, **more):
        start, data = {"x": np.zeros(3)}, {"y": np.ones(3)}
        return rd.reconstruct(lambda v, b: v["x"], start, data, rd.l2("y"), opt, epochs=2, **more)

    folder = go(rd.adam(0.1), run=tmp_path / "run").run
    with pytest.raises(ValueError, match=r"this run has no rules/0/rule/0/"):
        go(rd.sgd(0.1), resume=folder)


def test_a_torn_checkpoint_is_passed_over(tmp_path):
    folder = run(6, run=tmp_path / "run").run / "checkpoints"
    newest = sorted(folder.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoint.latest(folder.parent).epoch == 3
    same(run(11, resume=folder.parent), run(11))


def test_bfloat16_is_kept_in_a_checkpoint(tmp_path):
    import jax.numpy as jnp

    fit = rd.reconstruct(
        lambda v, b: v.astype(jnp.float32), jnp.ones(3, jnp.bfloat16), {"y": np.zeros(3)},
        rd.l2("y"), rd.sgd(0.3), epochs=2, run=tmp_path / "run",
    )  # fmt: skip
    back = rd.load(fit.run)
    assert back.variables.dtype == jnp.bfloat16
    np.testing.assert_array_equal(back.variables, np.asarray(fit.variables))


_SCRIPT = """
    import sys
    from pathlib import Path
    import numpy as np
    from reconic import descent as rd

    def forward(v, b):
        return v["x"] + b["y"] * 0

    def go(epochs, **settings):
        y = {"y": np.arange(12, dtype=np.float32).reshape(4, 3)}
        return rd.reconstruct(
            forward, {"x": np.zeros(3, np.float32)}, y, rd.l2("y"), rd.adam(1e-3), epochs=epochs,
            batch_size=3, checkpoint_every=5, keep_checkpoints=2, log_every=5, **settings)

    folder = Path(sys.argv[1])
    if sys.argv[2] == "start":
        go(1_000_000, run=folder / "run")
    more = {"resume": folder / "run/version_0"} if sys.argv[2] == "resume" else {}
    fit = go(int(sys.argv[3]), **more)
    np.savez(folder / sys.argv[2], x=fit.variables["x"], total=fit.history["total"])
"""


@pytest.mark.slow
def test_resume_after_sigkill_equals_uninterrupted(tmp_path):
    script = tmp_path / "go.py"
    script.write_text(textwrap.dedent(_SCRIPT))
    command = [sys.executable, str(script), str(tmp_path)]
    victim = subprocess.Popen([*command, "start", "0"])
    saved = tmp_path / "run" / "version_0" / "checkpoints"
    deadline = time.monotonic() + 240
    while not (saved.is_dir() and len(list(saved.glob("epoch_*.npz"))) >= 2):
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.05)
    victim.kill()
    victim.wait()
    epoch = checkpoint.latest(saved.parent).epoch
    for how in ("resume", "whole"):
        subprocess.run([*command, how, str(epoch + 20)], check=True, timeout=240)
    a, b = (np.load(tmp_path / f"{how}.npz") for how in ("resume", "whole"))
    assert len(a["total"]) == epoch + 20
    np.testing.assert_array_equal(a["x"], b["x"])
    np.testing.assert_array_equal(a["total"], b["total"])


def test_the_log_goes_on_where_it_was(tmp_path):
    folder = run(6, run=tmp_path / "run").run
    run(10, resume=folder)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if "loss/total" in r] == [2, 4, 6, 8, 10]
