"""Streams, held-out data, reasons to stop, failures."""

import signal
import threading
import time
import warnings

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
    fit = run({"y": Y}, 100_000_000, time_limit=2.0, log_every=1000)
    assert fit.stopped == "the time limit is over"
    assert len(fit.history["epoch"]) > 10
    timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    began = time.monotonic()
    fit = run({"y": Y}, 100_000_000, log_every=1000)
    assert fit.stopped == "interrupted"
    assert time.monotonic() - began < 300  # all epochs take hours
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
    fit, seen = warned(
        lambda: run(
            {"y": Y}, 3000, opt=rd.sgd(40.0, momentum=0.5), on_failure="lower",
            loss=rd.term(lambda p, v, b: jnp.mean((p - b["y"]) ** 4), "quartic"),
        )
    )  # fmt: skip
    assert fit.stopped is None
    assert np.isfinite(fit.history["total"]).all()
    assert fit.history["total"].min() < fit.history["total"][0]
    assert "Going on from step 2 with all steps halved" in seen[0]  # tried before the best
    assert "Going on from the best with all steps halved" in seen[1]
    assert fit.history["epoch"][-1] == 3000


def warned(call):
    """What a call returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = call()
    return found, [str(w.message) for w in seen]


def cliff(v, batch):
    """Where x is too large there is no prediction."""
    return jnp.where(v["x"] > 0.25, jnp.nan, v["x"]) + 0 * batch["y"]


@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_way_back_is_the_last_good_state(batch_size):
    """Oracle: the run that a schedule makes, which halves the steps before the cliff."""
    data = {"y": np.full((8, 3), 0.2, np.float32) + 0.01 * Y[:8]}

    def follow(schedule, **settings):
        opt = rd.optimizer("sgd", schedule, momentum=0.5)  # overshoots to where the cliff is
        return run(data, 12, opt, forward=cliff, batch_size=batch_size, seed=2, **settings)

    fit, seen = warned(lambda: follow(lambda n: 0.825 + 0 * n, on_failure="lower"))
    assert len(seen) == 1
    assert "Step 3 (epoch " in seen[0]
    assert "l2 is nan. Going on from step 2 with all steps halved." in seen[0]
    want = follow(lambda n: jnp.where(n < 2, 0.825, 0.825 / 2))
    for name, values in want.history.items():  # up to the rounding of another program
        np.testing.assert_allclose(fit.history[name], values, rtol=1e-5, err_msg=name)
    for got, x in ((fit.variables, want.variables), (fit.best, want.best)):
        np.testing.assert_allclose(got["x"], x["x"], rtol=1e-5)


def test_a_failure_that_no_shorter_step_avoids_ends_the_run():
    def forward(v, batch):
        return v["x"] + jnp.where(batch["step"] >= 3, jnp.nan, 0.0) + 0 * batch["y"]

    fit, seen = warned(lambda: run({"y": Y}, forward=forward, on_failure="lower", keep_best=None))
    assert len(seen) == 13  # halved twelve times
    assert seen[-1].endswith("Stopped before that step.")
    assert "Step 3 (epoch 4): l2 is nan" in fit.stopped
    assert len(fit.history["l2"]) == 3


def test_a_stream_goes_back_to_where_its_epoch_began():
    batches = [{"y": np.full((4, 3), 0.2, np.float32)} for _ in range(3)]

    def follow(schedule, **settings):
        return run(batches, 8, rd.optimizer("sgd", schedule), forward=cliff, **settings)

    steep = 2.4  # over the cliff with the second step of the second epoch

    def schedule(n):
        return jnp.where(n < 4, 0.1, steep)

    fit, seen = warned(lambda: follow(schedule, on_failure="lower"))
    assert len(seen) == 1
    assert "Step 5 (epoch 2)" in seen[0]
    assert "Going on from step 3 with all steps halved" in seen[0]
    want = follow(lambda n: jnp.where(n < 3, 1, 0.5) * schedule(n))
    np.testing.assert_allclose(fit.history["l2"], want.history["l2"], rtol=1e-5)  # rounding


def interrupted_at(n):
    """Stream of two epochs of 40 batches that asks to stop when it has given batch `n`."""

    def epoch(number):
        rng = np.random.default_rng(number)
        for i in range(40):
            if 40 * number + i == n:
                signal.raise_signal(signal.SIGINT)
            if 40 * number + i > n:
                time.sleep(0.02)  # so that it is seen before the batches that wait are used up
            yield {"y": rng.standard_normal((2, 3))}

    return epoch


def test_ctrl_c_ends_a_stream_within_its_epoch_and_it_goes_on_exactly(tmp_path):
    part = run(interrupted_at(50), 2, run=tmp_path / "run")
    assert part.stopped == "interrupted"
    assert len(part.history["l2"]) == 1
    whole = run(interrupted_at(1000), 2)
    assert not np.array_equal(part.variables["x"], whole.variables["x"])
    again = run(interrupted_at(1000), 2, resume=part.run)
    np.testing.assert_array_equal(again.variables["x"], whole.variables["x"])
    np.testing.assert_array_equal(again.history["l2"], whole.history["l2"])


def test_a_time_limit_ends_a_stream_within_its_epoch():
    def endless(epoch):
        while True:
            yield {"y": Y}

    began = time.monotonic()
    fit = run(endless, 3, time_limit=1.0)
    assert time.monotonic() - began < 60  # compilation included
    assert fit.stopped == "the time limit is over"
    assert np.any(fit.variables["x"])
