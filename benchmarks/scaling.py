"""How training and descent scale: measured with 1 and 2 processes, and a model of many GPUs.

    python benchmarks/scaling.py [--step-ms 200] [--megabytes 2] [--measure]

prints the model's table for a training step of that length and gradients of that size, and with
`--measure` what `benchmarks/run.py --only scaling` measures.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from report import Row

WORKER = Path(__file__).parent / "scaling_worker.py"
COUNTS = (8, 64, 512)


@dataclass(frozen=True)
class Link:
    """What connects GPUs.

    Attributes:
        bandwidth: Bytes that a GPU can send in a second, as all-reduces reach it.
        latency: Seconds until a message's first byte is there.
    """

    bandwidth: float
    latency: float


@dataclass(frozen=True)
class Cluster:
    """Hosts of GPUs.

    Attributes:
        inside: Link between the GPUs of a host; NVLink 4 has 450 GB/s each way, of which 80 % are
            reached.
        between: Link between hosts, for each GPU; 400 Gb/s InfiniBand, of which 80 % are reached.
        per_host: GPUs of a host.
        jitter: Standard deviation of a step's length over the GPUs, as a fraction of it.
        overlap: Part of the backward pass during which gradients can be under way.
        backward: Part of a step that is its backward pass.
    """

    inside: Link = Link(360e9, 3e-6)
    between: Link = Link(40e9, 5e-6)
    per_host: int = 8
    jitter: float = 0.01
    overlap: float = 0.5
    backward: float = 0.6

    def link(self, p: int) -> Link:
        """The slowest link of a ring through p GPUs."""
        return self.inside if p <= self.per_host else self.between


def wire_bytes(size: float, p: int) -> float:
    """Bytes that each of p ranks sends to sum an array of `size` bytes: 2 (p - 1) / p · size.

    References:
        Patarasuk & Yuan, J. Parallel Distrib. Comput. 69:117 (2009): the least there can be, and
        what a ring needs.
    """
    return 2 * (p - 1) / p * size


def all_reduce_seconds(size: float, p: int, link: Link) -> float:
    """Seconds to sum an array over p ranks, by a ring or by trees, whichever is faster.

    A ring takes 2 (p - 1) messages one after the other; two trees 2 log₂ p, and each byte twice.

    References:
        Patarasuk & Yuan, J. Parallel Distrib. Comput. 69:117 (2009), ring; Sanders, Speck & Träff,
        Parallel Comput. 35:581 (2009), two trees.
    """
    if p == 1:
        return 0.0
    ring = wire_bytes(size, p) / link.bandwidth + 2 * (p - 1) * link.latency
    trees = 2 * size / link.bandwidth + 2 * math.log2(p) * link.latency
    return min(ring, trees)


def training_seconds(step: float, size: float, p: int, cluster: Cluster = Cluster()) -> float:
    """Seconds of a training step on p GPUs, each with the batch that one alone takes `step` for.

    The slowest of p GPUs is waited for, σ √(2 ln p) above their mean; gradients of `size` bytes
    are summed, in part while the backward pass goes on; and two sums of a few bytes tell the loss
    and whether to stop.
    """
    if p == 1:
        return step
    link = cluster.link(p)
    slowest = step * (1 + cluster.jitter * math.sqrt(2 * math.log(p)))
    hidden = cluster.overlap * cluster.backward * step
    shown = max(all_reduce_seconds(size, p, link) - hidden, 2 * math.log2(p) * link.latency)
    return slowest + shown + 2 * all_reduce_seconds(64, p, link)


def descent_seconds(
    step: float, variables: float, batch: float, p: int, cluster: Cluster = Cluster()
) -> float:
    """Seconds of a descent step on p GPUs that one alone takes `step` for.

    The same batch is shared out, so each has 1/p of the work. Nothing hides what is exchanged: the
    gradient of the variables, and where measurements are shuffled in memory the batch, both by an
    all-reduce.

    Args:
        step: Seconds of the step on one GPU.
        variables: Bytes of the variables.
        batch: Bytes of the batch, if it is shuffled in memory; else 0.
        p: Number of GPUs.
        cluster: What connects them.
    """
    link = cluster.link(p)
    work = step / p * (1 + cluster.jitter * math.sqrt(2 * math.log(p)))
    return work + sum(all_reduce_seconds(size, p, link) for size in (variables, batch) if size)


def efficiencies(step: float, size: float, cluster: Cluster = Cluster()) -> dict[int, float]:
    """Efficiency of training, from 0 to 1, at each number of GPUs: throughput over p times one."""
    return {p: step / training_seconds(step, size, p, cluster) for p in COUNTS}


def descent_efficiencies(
    step: float, variables: float, batch: float, cluster: Cluster = Cluster()
) -> dict[int, float]:
    """Efficiency of descent, from 0 to 1, at each number of GPUs: speed-up over p."""
    return {p: step / (p * descent_seconds(step, variables, batch, p, cluster)) for p in COUNTS}


def rows(device: str, quick: bool) -> list[Row]:  # noqa: ARG001 (two processes of the CPU)
    """Rows of 1 and 2 processes of one thread each, and of the model."""
    one, two = (measured(n, quick) for n in (1, 2))
    group = f"Training in several processes, MoDL, {one['megabytes']:.2f} MB of gradients"
    faster = two["examples_per_s"] / one["examples_per_s"]
    speeds = f"{two['examples_per_s']:.2f}, {one['examples_per_s']:.2f} examples/s, 1 thread each"
    found = [Row(group, "examples/s, 2 processes / 1", faster, "×", "cpu", "≥1.6", speeds)]
    if "sent_per_step" in two:
        model = 2 * wire_bytes(1e6 * one["megabytes"], 2)
        sent = two["sent_per_step"]
        detail = f"{sent / 1e6:.3f}, {model / 1e6:.3f} MB a step, both ranks"
        name = "bytes on the wire, 2 processes / 2 (p - 1) S"
        found.append(Row(group, name, sent / model, "×", "cpu", "≤1.2", detail))
    moved = _run(WORKER, "descent", "2")
    model = 2 * (wire_bytes(moved["variables"], 2) + wire_bytes(moved["batch"], 2))
    detail = f"{moved['reduced']} bytes in all-reduces of a compiled step, {moved['calls']} of them"
    name = "bytes that a step exchanges, 2 devices / model"
    found.append(
        Row("Descent on several devices", name, 2 * wire_bytes(moved["reduced"], 2) / model, "×",
            "cpu", "≤1.1", detail)
    )  # fmt: skip
    return found + _predicted()


def _predicted() -> list[Row]:
    group = "Predicted efficiency on GPUs, 8 a host (NVLink), 400 Gb/s between hosts"
    found = []
    for step, size in ((0.2, 2e6), (0.2, 200e6)):
        for p, value in efficiencies(step, size).items():
            name = f"training, {size / 1e6:.0f} MB of gradients, step of {1e3 * step:.0f} ms: {p}"
            found.append(Row(group, name, 100 * value, "%", "model"))
    for p, value in descent_efficiencies(0.2, 8e6, 0.0).items():
        name = f"descent, 8 MB of variables, step of 200 ms on one: {p}"
        found.append(Row(group, name, 100 * value, "%", "model"))
    return found


def measured(n: int, quick: bool) -> dict[str, float]:
    """Examples in a second of n training processes, and bytes that they send in a step.

    Bytes are counted in a network namespace of its own, which only root may make.
    """
    return _run(WORKER, "train", str(n), *(["--quick"] if quick else []), alone=n > 1)


def _run(*words: object, alone: bool = False) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        command = [sys.executable, *map(str, words), "--out", str(out)]
        if alone and _can_unshare():
            inside = f"ip link set lo up && exec {' '.join(command)} --counted"
            command = ["unshare", "-n", "sh", "-c", inside]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return json.loads(out.read_text())


def _can_unshare() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return (
        subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
    )


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step-ms", type=float, default=200, help="length of a step on one GPU")
    parser.add_argument("--megabytes", type=float, default=2, help="size of gradients or variables")
    parser.add_argument("--measure", action="store_true", help="measure here, too")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    args = parser.parse_args()
    step, size = args.step_ms / 1e3, args.megabytes * 1e6
    print(f"{'GPUs':>6} {'training':>10} {'descent':>10}   efficiency")
    training, descent = efficiencies(step, size), descent_efficiencies(step, size, 0.0)
    for p in COUNTS:
        print(f"{p:>6} {training[p]:>10.1%} {descent[p]:>10.1%}")
    for row in rows("cpu", args.quick) if args.measure else []:
        print(f"{row.group} | {row.name}: {row.value:.3g} {row.unit} | {row.detail}")


if __name__ == "__main__":
    main()
