"""What scaling.py measures, in processes of its own.

scaling_worker.py train N --out FILE [--counted] [--quick]   training in N processes
scaling_worker.py descent N --out FILE                       a descent step on N devices
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import time
from pathlib import Path

N_EXAMPLES, BATCH, SKIPPED = 8, 4, 2
_ITEM = {"f32": 4, "c64": 8, "s32": 4, "u32": 4, "pred": 1, "f64": 8}


def sent() -> int:
    """Bytes that this network namespace has sent."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return sum(int(line.split(":")[1].split()[8]) for line in lines)


def train(n: int, quick: bool, counted: bool) -> dict[str, float]:
    """Train MoDL in n processes of one thread each, with one batch for all."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import h5py
    import numpy as np
    from lightning.pytorch.callbacks import Callback
    from problem import make_problem

    from reconic.train import fit
    from reconic.train.config import prepare, train_parser

    class Meter(Callback):
        """Notes time and bytes at each step."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.bytes: list[int] = []

        def on_train_batch_end(self, *_) -> None:
            self.seconds.append(time.perf_counter())
            self.bytes.append(sent() if counted else 0)

    problem = make_problem(n=48, n_coils=4) if quick else make_problem(n=128)
    arrays = {"imgs": problem.truth, "maps": problem.maps, "masks": problem.mask, "ksp": problem.y}
    with h5py.File("data.h5", "w") as file:
        for key, value in arrays.items():
            file[key] = np.broadcast_to(value, (N_EXAMPLES, *value.shape))
    network = {"class_path": "CNN", "init_args": {"width": 16 if quick else 64, "n_layers": 5}}
    recon = {"network": network, "n_unrolls": 2 if quick else 3}
    config = {
        "data": {**dict.fromkeys(("train", "val", "test"), "data.h5"), "batch_size": BATCH,
                 "num_workers": 0, "limit_val": 1, "limit_test": 1},
        "recon": {"class_path": "MoDL", "init_args": recon},
        "images": {"n": 0},
        "baselines": [],
        "trainer": {"max_epochs": 5, "accelerator": "cpu", "devices": n, "limit_val_batches": 0,
                    "enable_progress_bar": False, "log_every_n_steps": 100},
    }  # fmt: skip
    Path("config.json").write_text(json.dumps(config))
    parser = train_parser()
    arguments = prepare(parser, parser.parse_args(["--config", "config.json"]))
    meter = Meter()
    arguments["trainer"]["callbacks"] = [meter]
    fit(**arguments)
    weights = sum(p.numel() * p.element_size() for p in arguments["recon"].parameters())
    found = {
        "examples_per_s": BATCH / float(np.min(np.diff(meter.seconds[SKIPPED:]))),
        "megabytes": weights / 1e6,
    }
    if counted:  # the median step, without what an epoch's end adds
        found["sent_per_step"] = float(np.median(np.diff(meter.bytes[SKIPPED:])))
    return found


def descent(n: int) -> dict[str, float]:
    """Bytes of the arrays that a compiled step of shuffled batches sums over n devices."""
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={n}"
    import jax.numpy as jnp
    import numpy as np

    from reconic import descent as rd
    from reconic.descent import feed, loop

    side, rows, size = 64, 16, 4
    programs: list[str] = []

    def advance(program, batches, *rest):
        programs.append(loop.advance.lower(program, batches, *rest).compile().as_text())
        return loop.advance(program, batches, *rest)

    feed.advance = advance
    pupils = np.random.default_rng(0).random((rows, side, side)).astype(np.float32)
    rd.reconstruct(
        lambda v, b: jnp.abs(jnp.fft.ifft2(b["pupil"] * jnp.fft.fft2(v["x"]))) ** 2,
        {"x": np.ones((side, side), np.complex64)},
        {"y": pupils, "pupil": pupils},
        rd.l2("y"),
        rd.adam(1e-2),
        epochs=1,
        batch_size=size,
        devices="all",
        progress=False,
    )
    moved = [_bytes(line) for line in programs[0].splitlines() if " all-reduce(" in line]
    return {
        "reduced": sum(moved),
        "calls": len(moved),
        "variables": 8 * side**2,
        "batch": 2 * 4 * size * side**2,
    }


def _bytes(line: str) -> int:
    """Bytes of what an instruction of XLA's gives, one array or several."""
    given = line.split(" all-reduce(")[0].split("=", 1)[1]
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", given)
    return sum(
        _ITEM.get(kind, 4) * math.prod(int(n) for n in shape.split(",") if n)
        for kind, shape in arrays
    )


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "descent"])
    parser.add_argument("n", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--counted", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    given = train(args.n, args.quick, args.counted) if args.what == "train" else descent(args.n)
    args.out.write_text(json.dumps(given))


if __name__ == "__main__":
    main()
