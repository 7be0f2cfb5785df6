"""The other processes of a run on this host, where neither torchrun nor SLURM starts them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lightning.pytorch.strategies import DDPStrategy

from reconic.train.interrupt import Interrupted
from reconic.train.watch import GRACE

__all__ = ["others"]


@contextlib.contextmanager
def others(
    strategy: DDPStrategy, address: str, port: int, config: str | None
) -> Iterator[Callable[[], None]]:
    """Start the other ranks of this host if no one else does; yields a check that they live."""
    assert strategy.cluster_environment is not None
    if strategy.cluster_environment.creates_processes_externally:
        yield lambda: None
        return
    n_here = strategy.num_processes
    os.environ |= {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "NODE_RANK": str(strategy.node_rank),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(strategy.num_nodes * n_here),
    }
    with _command(config) as command:
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        started = {
            strategy.global_rank + i: subprocess.Popen(
                command, env={**os.environ, "LOCAL_RANK": str(i), "PYTHONPATH": paths}
            )
            for i in range(1, n_here)
        }

        def check() -> None:
            for rank, process in started.items():
                if process.poll() is not None:
                    raise ConnectionError(
                        f"train: rank {rank} must start, got its end with status "
                        f"{process.returncode}. What it wrote above tells why."
                    )

        try:
            yield check
        except BaseException as error:
            saved = isinstance(error, Interrupted) and error.saved
            _end(started.values(), now=not saved)
            raise
        _end(started.values())


@contextlib.contextmanager
def _command(config: str | None) -> Iterator[list[str]]:
    """Command of another rank."""
    if config is None:
        yield [sys.executable, *sys.orig_argv[1:]]
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(config, encoding="utf-8")
        yield [sys.executable, "-m", "reconic", "train", "--config", str(path)]


def _end(started: Iterable[subprocess.Popen], *, now: bool = False) -> None:
    """Wait for processes to end, and see to it that they do."""
    for process in started:
        if now:
            process.terminate()
    for process in started:
        try:
            process.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
