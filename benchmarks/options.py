"""What the options of a training step change: precision, compilation, layout, checkpointing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import torch
from measure import interleave, milliseconds, ratio
from modl import make_step, measure_peak
from problem import Problem, make_problem
from report import Row

from reconic.networks import CNN, Compute
from reconic.recons import MoDL

OPTIONS = {
    "default": {},
    "channels first": {"channels_last": False},
    "bfloat16 network": {"bf16": True},
    "compiled network": {"compile": True},
    "checkpointing": {"checkpointing": True},
}
N_UNROLLS = 10


def make(name: str, device: str, quick: bool) -> Callable[[], None]:
    """A training step of MoDL on one slice with an option."""
    options = dict(OPTIONS[name])
    checkpointing = options.pop("checkpointing", False)
    torch.manual_seed(0)
    network = CNN(width=8 if quick else 64, n_layers=5, compute=Compute(**options))
    n_unrolls = 2 if quick else N_UNROLLS
    recon = MoDL(network, n_unrolls, cg_iter=6, cg_tol=0.0, checkpointing=checkpointing)
    return make_step(recon, _problem(quick), device)


def rows(device: str, quick: bool) -> list[Row]:
    """Time and peak memory of a step with each option, relative to the default."""
    names = [n for n in OPTIONS if not (quick and "compiled" in n)]  # it takes a minute to compile
    times = interleave({n: make(n, device, quick) for n in names}, rounds=2 if quick else 7)
    peaks = {n: _peak_in_new_process(n, device, quick) for n in names}
    where = "cpu" if device == "cpu" else torch.cuda.get_device_name(device)
    group = f"Options of a MoDL training step, {N_UNROLLS} unrolls, 8 coils, 128²"
    found = []
    for n in names[1:]:
        ms = f"{milliseconds(times, n):.0f} ms, default {milliseconds(times, 'default'):.0f} ms"
        mb = f"{peaks[n]:.0f} MB above the start, default {peaks['default']:.0f} MB"
        change = peaks[n] / max(peaks["default"], 1.0)
        found += [
            Row(group, f"{n}: time", ratio(times, n, "default"), "×", where, detail=ms),
            Row(group, f"{n}: peak memory", change, "×", where, detail=mb),
        ]
    return found


def _problem(quick: bool) -> Problem:
    return make_problem(n=48 if quick else 128, n_coils=4 if quick else 8)


def _peak_in_new_process(name: str, device: str, quick: bool) -> float:
    command = [sys.executable, __file__, name, device, str(int(quick))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    name_, device_, quick_ = sys.argv[1:]
    torch.set_num_threads(1)  # a pool of memory for each thread would count
    print(json.dumps(measure_peak(make(name_, device_, quick_ == "1"), device_)))
