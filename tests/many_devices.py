"""What tests/descent/test_devices.py runs in processes of its own, in double precision.

many_devices.py four FOLDER                        on four CPU devices
many_devices.py two FOLDER PORT PROCESS            one of two processes
many_devices.py lost FOLDER PORT PROCESS           the same; process 1 is lost on the way
"""

import os
import sys
import warnings
from pathlib import Path

if __name__ == "__main__":
    count = "4" if sys.argv[1] == "four" else "2"
    flags = f"--xla_force_host_platform_device_count={count} --xla_backend_optimization_level=0"
    os.environ["XLA_FLAGS"] = flags  # the latter compiles faster
    os.environ["JAX_ENABLE_X64"] = "1"
    warnings.simplefilter("error")

import jax
import jax.numpy as jnp
import numpy as np

from reconic import descent as rd

N, SHAPE = 11, (6, 5)  # measurements: not a multiple of 2, 3 or 4
_rng = np.random.default_rng(0)
PUPILS = _rng.random((N, *SHAPE))
Y = _rng.random((N, *SHAPE))


def field(v, batch):
    """Intensity of a field behind each pupil: one transform of all, and one of each by vmap."""

    def image(pupil):
        return jnp.abs(jnp.fft.ifft2(pupil * jnp.fft.fft2(v["x"]))) ** 2

    return jax.vmap(image)(batch["pupil"]) + v["offset"][: len(batch["y"]), None, None]


def noisy(v, batch, key):
    return field(v, batch) + 0.1 * jax.random.normal(key, batch["y"].shape)


def fit(folder, data=None, *, forward=field, loss=None, opt=None, **settings):
    start = {"x": np.ones(SHAPE, complex), "offset": np.zeros(12)}
    data = {"y": Y, "pupil": PUPILS, "gain": 1.0} if data is None else data
    loss = rd.l2("y") + 1e-3 * rd.tv("x") if loss is None else loss
    given = {"epochs": 5, "seed": 3, "progress": False, **settings}
    return rd.reconstruct(forward, start, data, loss, opt or rd.adam(0.05), **given)


def rows(folder):
    return {"y": Y, "pupil": PUPILS}


def on_disk(folder):
    """The measurements in HDF5 and in a memory-mapped file."""
    import h5py

    file = h5py.File(folder / "y.h5", "r")
    return {"y": file["y"], "pupil": np.load(folder / "pupil.npy", mmap_mode="r")}


def write(folder):
    import h5py

    with h5py.File(folder / "y.h5", "w") as file:
        file["y"] = Y
    np.save(folder / "pupil.npy", PUPILS)


class Seen:
    """An array on disk that counts how often each row is read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.counts = np.zeros(len(array), int)

    def __getitem__(self, rows):
        np.add.at(self.counts, rows, 1)
        return self.array[rows]


def failing(v, batch):
    """The field, of which step 4 is not a number."""
    return field(v, batch) + jnp.where(batch["step"] == 4, jnp.nan, 0)


def settings(folder):
    """Calls by name, each to be made with and without devices."""
    batches = [{k: v[a:b] for k, v in rows(folder).items()} for a, b in ((0, 4), (4, 8), (8, 11))]
    return {
        "values_held_out": {"holdout": 0.3, "keep_best": "holdout"},
        "remainder": {"data": rows(folder), "batch_size": 4},
        "in_order": {"data": rows(folder), "batch_size": 3, "remainder": False, "shuffle": False,
                     "forward": noisy},
        "rows_held_out": {"data": rows(folder), "batch_size": 3, "holdout": 0.3,
                          "keep_best": "holdout", "loss": rd.cross_correlation("y")},
        "on_disk": {"data": on_disk(folder), "batch_size": 4, "holdout": 0.1},
        "iterable": {"data": batches},
        "one_each": {"data": {k: np.resize(v, (12, *SHAPE)) for k, v in rows(folder).items()}},
    }  # fmt: skip


def save(path, made):
    arrays = {f"variables/{k}": v for k, v in made.variables.items()}
    arrays |= {f"best/{k}": v for k, v in made.best.items()}
    arrays |= {f"history/{k}": v for k, v in made.history.items()}
    np.savez(path, **{k: np.asarray(v) for k, v in arrays.items()})


def four(folder):
    """Every call on one device, on all, and a few more things that need several."""
    for name, given in settings(folder).items():
        save(folder / f"{name}.one.npz", fit(folder, **given))
        save(folder / f"{name}.all.npz", fit(folder, **given, devices="all"))
    given = settings(folder)["remainder"]
    save(folder / "remainder.three.npz", fit(folder, **given, devices=3))
    save(folder / "remainder.again.npz", fit(folder, **given, devices=jax.devices()))
    part = fit(folder, **{**given, "epochs": 3}, devices=4, run=folder / "run")
    save(folder / "remainder.resumed.npz", fit(folder, **given, devices=2, resume=part.run))
    for how, devices in (("one", None), ("all", "all")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the step that failed
            made = fit(folder, **{**given, "forward": failing}, devices=devices)
        save(folder / f"failing.{how}.npz", made)
    (folder / "gathered.txt").write_text(gathered(folder))


def gathered(folder):
    """What the compiled loop moves between the devices."""
    from reconic.descent import feed, loop

    found = []

    def look(program, batches, *rest):
        text = loop.advance.lower(program, batches, *rest).compile().as_text()
        found.extend(line for line in text.splitlines() if "all-gather(" in line)
        return loop.advance(program, batches, *rest)

    feed.advance = look
    fit(folder, epochs=1, devices="all")
    return "\n".join(found)


def two(folder, port, process):
    """Some of the calls in one of two processes, each with two devices."""
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, process, heartbeat_timeout_seconds=10)
    for name in ("values_held_out", "remainder", "on_disk", "iterable"):
        given = settings(folder)[name]
        made = fit(folder, **given, devices="all", log_every=2)
        save(folder / f"{name}.two.{process}.npz", made)
    seen = Seen(Y)
    fit(folder, {"y": seen, "pupil": PUPILS}, batch_size=4, epochs=3, devices="all")
    np.save(folder / f"read.{process}.npy", seen.counts)
    given = settings(folder)["remainder"]
    part = fit(folder, **{**given, "epochs": 3}, devices="all", run=folder / "pair")
    assert (part.run is None) == (process == 1)
    run = folder / "pair" / "version_0"
    save(folder / f"remainder.resumed.{process}.npz", fit(folder, **given, devices=2, resume=run))
    try:
        fit(folder, **{**given, "seed": process}, devices="all")
    except ValueError as error:
        (folder / f"differ.{process}.txt").write_text(str(error))
    limit = 0.5 if process == 1 else 1000.0  # one process wants to stop: all do
    made = fit(folder, **{**given, "epochs": 1_000_000}, devices="all", time_limit=limit)
    (folder / f"stopped.{process}.txt").write_text(f"{made.stopped} {len(made.history['total'])}")


def lost(folder, port, process):
    """Process 1 is lost after its third batch."""
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, process, heartbeat_timeout_seconds=10)

    def batches(epoch):
        for i in range(3):
            if process == 1 and epoch == 2:
                os._exit(9)
            yield {k: v[3 * i : 3 * i + 3] for k, v in rows(folder).items()}

    fit(folder, batches, devices="all", epochs=1000, run=folder / "lost", checkpoint_every=1)


if __name__ == "__main__":
    task, folder, *place = sys.argv[1:]
    {"four": four, "two": two, "lost": lost}[task](Path(folder), *map(int, place))
