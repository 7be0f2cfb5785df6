"""What `live=True` costs a descent: timed inside the kernel of a notebook, where it draws."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

_SECONDS = 3.0  # of a run
_KERNEL = """
import sys
sys.path.insert(0, {folder!r})
import live_cost
live_cost.tell({n}, {seconds}, {rounds})
"""


def live_ratio(quick: bool) -> tuple[float, float]:
    """Least CPU time of a run with `live=True` over that of one without, and that in seconds.

    All threads count, so that drawing beside the steps is not free.
    """
    from jupyter_client.manager import start_new_kernel

    size = {"n": 64, "seconds": 1.0, "rounds": 1} if quick else {"n": 256, "seconds": _SECONDS,
                                                                 "rounds": 6}  # fmt: skip
    manager, client = start_new_kernel(kernel_name="python3")
    told: list[str] = []
    try:
        code = _KERNEL.format(folder=str(Path(__file__).parent), **size)
        client.execute_interactive(
            code, output_hook=lambda message: told.append(message["content"].get("text", ""))
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    found = json.loads("".join(told).splitlines()[-1])
    return found["ratio"], found["seconds"]


def tell(n: int, seconds: float, rounds: int) -> None:
    """Print both as JSON, from runs in turn; called in the kernel."""
    from descent import deconvolution, ours

    A, y = deconvolution(n)
    ours(A, y, 500)()  # compiles
    start = time.perf_counter()
    ours(A, y, 500)()
    n_steps = math.ceil(500 * seconds / (time.perf_counter() - start))
    runs = {"live": ours(A, y, n_steps, live=True), "still": ours(A, y, n_steps)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):  # the first is to warm up
        for name, run in runs.items():
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    live, still = (min(times[name][1:]) for name in ("live", "still"))
    print(json.dumps({"ratio": live / still, "seconds": still}))
