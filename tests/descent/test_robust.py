"""Streams, held-out data, reasons to stop, failures."""

import signal
import threading
import time

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from reconic import descent as rd

Y = np.random.default_rng(5).standard_normal((10, 3)).astype(np.float32)
START = {"x": np.zeros(3, np.float32)}


def rows(v, batch):
    return v["x"] + 0 * batch["y"]


def run(data, epochs=6, opt=None, loss=None, forward=rows, **settings):
    return rd.reconstruct(
        forward, START, data, loss or rd.l2("y"), opt or rd.sgd(0.1), epochs=epochs, **settings
    )


@pytest.fixture(scope="module")
def in_memory():
    return run({"y": Y}, batch_size=4, shuffle=False)


def test_a_file_on_disk_gives_the_same_as_memory(tmp_path, in_memory):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = Y
        got = run({"y": file["y"]}, batch_size=4, shuffle=False)
    np.save(tmp_path / "y.npy", Y)
    mapped = run({"y": np.load(tmp_path / "y.npy", mmap_mode="r")}, batch_size=4, shuffle=False)
    for fit in (got, mapped):
        np.testing.assert_allclose(fit.variables["x"], in_memory.variables["x"], atol=1e-6)
        np.testing.assert_allclose(fit.history["l2"], in_memory.history["l2"], rtol=1e-5)


def test_iterables_and_functions_of_the_epoch_give_the_same_as_memory(in_memory):
    batches = [{"y": Y[:4]}, {"y": Y[4:8]}, {"y": Y[8:]}]
    for data in (batches, lambda epoch: iter(batches)):
        fit = run(data)
        np.testing.assert_allclose(fit.variables["x"], in_memory.variables["x"], atol=1e-6)
    with pytest.raises(TypeError, match=r"got a generator\. Pass the function that makes it"):
        run(b for b in batches)
    with pytest.raises(TypeError, match="batches that are dicts of arrays, got ndarray"):
        run([Y])

    def broken(epoch):
        yield batches[0]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        run(broken)


def test_streams_shuffle_by_the_seed_and_resume_exactly(tmp_path):
    with h5py.File(tmp_path / "y.h5", "w") as file:
        data = {"y": file.create_dataset("y", data=Y)}
        whole = run(data, 6, batch_size=4, seed=3)
        part = run(data, 3, batch_size=4, seed=3, run=tmp_path / "run")
        again = run(data, 6, batch_size=4, seed=3, resume=part.run)
        other = run(data, 6, batch_size=4, seed=4)
    np.testing.assert_array_equal(again.variables["x"], whole.variables["x"])
    np.testing.assert_array_equal(again.history["l2"], whole.history["l2"])
    assert not np.array_equal(other.variables["x"], whole.variables["x"])


def test_held_out_values_have_no_part_in_the_fit_and_choose_the_best():
    clean = np.linspace(0, 1, 400).reshape(20, 20)
    noisy = clean + 0.3 * np.random.default_rng(1).standard_normal((20, 20))
    fit = rd.reconstruct(
        lambda v, b: v, np.zeros((20, 20)), {"y": noisy}, rd.l2("y") + 1e-4 * rd.tv(),
        rd.adam(0.05), epochs=200, log_every=5, holdout=0.25, keep_best="holdout",
        stop=rd.HoldoutRises(5),
    )  # fmt: skip
    never_seen = np.abs(np.asarray(fit.variables) - noisy) > 0.3
    assert never_seen.mean() > 0.02  # those fitted are matched by now, but for their noise
    held = fit.history["held_out/total"]
    assert fit.stopped.startswith("the held-out loss has not fallen since epoch")
    best = int(np.argmin(held))
    assert fit.stopped.endswith(str(fit.history["held_out/epoch"][best]))


def test_held_out_measurements_are_whole_ones():
    fit = run({"y": Y}, batch_size=3, holdout=0.4, epochs=3, opt=rd.sgd(1e-20))
    out = 10 * np.mean(Y**2) - 6 * fit.history["l2"][0]
    assert fit.history["held_out/total"][0] == pytest.approx(out / 4, rel=1e-4)
    with pytest.raises(ValueError, match="needs a stock term that compares"):
        run({"y": Y}, holdout=0.1, loss=rd.term(lambda p, v, b: jnp.sum(p), "own"))


def test_a_plateau_ends_the_run_at_the_same_epoch_each_time():
    ends = {len(run({"y": Y}, 5000, stop=rd.Plateau(50, 1e-4)).history["epoch"]) for _ in range(2)}
    assert len(ends) == 1
    assert ends.pop() < 1000


def test_a_time_limit_and_ctrl_c_return_what_there_is():
    fit = run({"y": Y}, 100_000_000, time_limit=0.5, log_every=1000)
    assert fit.stopped == "the time limit is over"
    assert len(fit.history["epoch"]) > 10
    timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    began = time.monotonic()
    fit = run({"y": Y}, 100_000_000, log_every=1000)
    assert fit.stopped == "interrupted"
    assert time.monotonic() - began < 20
    assert len(fit.history["epoch"]) > 10


def test_a_failed_step_is_not_taken_and_the_culprit_named():
    def forward(v, batch):
        bad = jnp.where(batch["step"] >= 3, jnp.nan, 0.0)
        return v["x"] + bad + 0 * batch["y"]

    with pytest.warns(UserWarning, match=r"Step 3 \(epoch 4\): l2 is nan; the gradient by x"):
        fit = run({"y": Y}, forward=forward)
    assert len(fit.history["l2"]) == 3
    assert np.isfinite(fit.variables["x"]).all()
    assert "l2 is nan" in fit.stopped
    with pytest.raises(FloatingPointError, match=r"Step 0 .*Start from other variables"):
        run({"y": Y * np.nan})


def test_a_gradient_that_is_not_finite_is_named_by_its_variable():
    def forward(v, batch):
        return v["x"] + jnp.sqrt(v["z"]) + 0 * batch["y"]

    start = {"x": np.zeros(3), "z": np.zeros(3)}
    with pytest.raises(FloatingPointError, match="the gradient by z is not finite"):
        rd.reconstruct(forward, start, {"y": Y}, rd.l2("y"), rd.sgd(0.1), epochs=3)


def test_steps_that_are_too_long_are_lowered_until_it_converges():
    with pytest.warns(UserWarning, match="Going on from the best with all steps halved"):
        fit = run(
            {"y": Y}, 3000, opt=rd.sgd(40.0), on_failure="lower",
            loss=rd.term(lambda p, v, b: jnp.mean((p - b["y"]) ** 4), "quartic"),
        )  # fmt: skip
    assert fit.stopped is None
    assert np.isfinite(fit.history["total"]).all()
    assert fit.history["total"].min() < fit.history["total"][0]
