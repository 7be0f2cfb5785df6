"""How a run of several processes begins and ends: started here, by torchrun or by SLURM."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch.distributed import (
    PrefixStore,  # pyright: ignore[reportPrivateImportUsage]
    Store,  # pyright: ignore[reportPrivateImportUsage]
    TCPStore,  # pyright: ignore[reportPrivateImportUsage]
)
from torch.distributed.distributed_c10d import (
    _abort_process_group,  # pyright: ignore[reportPrivateUsage]
)

from reconic.train import processes
from reconic.train.interrupt import Interrupted
from reconic.train.meet import make_store, meet
from reconic.train.spawn import others
from reconic.train.watch import Watch

__all__ = ["check_count", "joined"]

_NEWS = 3.0  # seconds in which news of a lost rank follow the error that it causes
_TOLD = (ValueError, TypeError, LookupError, ArithmeticError, OSError, ImportError)
_STARTERS = {  # how each is known, and where it tells the number of processes
    "torchrun": (TorchElasticEnvironment, "TORCHELASTIC_RUN_ID", "WORLD_SIZE"),
    "srun": (SLURMEnvironment, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_TASKS"),
}


def check_count(
    strategy: Strategy, batch_size: int, environment: Mapping[str, str] = os.environ
) -> None:
    """Check that there is something to do for each rank, and that whoever started them meant it.

    Args:
        strategy: Strategy of the Trainer.
        batch_size: Number of examples of a batch.
        environment: Environment variables.

    Raises:
        ValueError: If not; where each process would train alone, this is a warning.
    """
    n_ranks = _count(strategy)
    known = getattr(strategy, "cluster_environment", None)
    for starter, (kind, sign, count) in _STARTERS.items():
        n_started = int(environment.get(count, 1)) if sign in environment else n_ranks
        passed = known is not None and not isinstance(known, kind)  # as in a shell that srun gave
        if passed or n_started == n_ranks:
            continue
        told = (
            f"trainer: `devices` × `num_nodes` must be the number of processes that {starter} "
            f"started, {n_started}, got {n_ranks}. Set `devices` to their number on each host and "
            "`num_nodes` to the number of hosts."
        )
        if n_ranks > 1:
            raise ValueError(told)
        warnings.warn(f"{told} Each trains alone now.", stacklevel=3)  # as workers of a search do
    if batch_size < n_ranks:
        raise ValueError(
            f"data: `batch_size` must be at least {n_ranks}, the number of devices of all hosts, "
            f"as it counts the examples of all together, got {batch_size}. Set it to "
            f"{n_ranks * batch_size} to give each device {batch_size}."
        )


@contextlib.contextmanager
def joined(strategy: Strategy, config: str | None = None) -> Iterator[Watch | None]:
    """Inside a `with` block, be one of the ranks that a strategy asks for, or alone.

    Those that neither torchrun nor SLURM starts are started here, as `reconic train` of the
    configuration, or without one as the command that this process is.

    Args:
        strategy: Strategy of a Trainer like the one to come.
        config: Text of the run's configuration.

    Returns:
        What ends this process when another one is lost; None if it is alone.

    Raises:
        ConnectionError: If another rank is lost or fails; tells which, and how to go on.
        ValueError: If the port to meet at is in use, or the hosts are not told where to meet.
    """
    if not isinstance(strategy, DDPStrategy) or _count(strategy) == 1:
        yield None
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment_kept())
        strategy.set_world_ranks()
        address, store = _store(strategy)
        check = stack.enter_context(others(strategy, address, store.port, config))
        # The store of torchrun outlives processes that fail and are started again.
        attempt = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
        watch = meet(attempt, address, strategy.global_rank, _count(strategy), check)
        stack.callback(_abandon)  # last: others hear of an error first
        stack.enter_context(_ending_together(watch))
        _begin(strategy, PrefixStore("group", attempt))
        yield watch
        processes.gather(None)  # all are done
        processes.end()
        dist.destroy_process_group()


def _count(strategy: Strategy) -> int:
    several = isinstance(strategy, DDPStrategy)
    return strategy.num_nodes * strategy.num_processes if several else 1


def _store(strategy: DDPStrategy) -> tuple[str, TCPStore]:
    """Address of rank 0, and the store there; made here by rank 0 unless torchrun has one."""
    environment = strategy.cluster_environment
    assert environment is not None
    alone = not environment.creates_processes_externally
    if alone and strategy.num_nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT"} <= set(os.environ):
        raise ValueError(
            f"trainer: with `num_nodes` {strategy.num_nodes} each host must be told where to meet, "
            "got no MASTER_ADDR and MASTER_PORT. Start with torchrun or srun, or set these and "
            "NODE_RANK on each host."
        )
    address = environment.main_address
    is_free = alone and "MASTER_PORT" not in os.environ
    serve = strategy.global_rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    return address, make_store(address, 0 if is_free else environment.main_port, serve=serve)


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """Leave the environment variables as they were."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _ending_together(watch: Watch) -> Iterator[None]:
    """Tell the others what ends this rank, and the user what ended another one.

    Where rank 0 can tell the user, the others end without a word.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, Interrupted) and error.saved:
            raise  # and so do all
        if watch.lost or (isinstance(error, RuntimeError) and watch.learn(_NEWS)):
            if watch.speaks:
                raise ConnectionError(watch.message()) from error
            raise SystemExit(1) from error
        watch.tell(f"{type(error).__name__}: {error}")
        if watch.rank and isinstance(error, _TOLD):
            raise SystemExit(1) from error
        raise
    finally:
        watch.close()


def _begin(strategy: DDPStrategy, store: Store) -> None:
    """Process groups: that of the strategy, and one on the CPU if it is on other devices."""
    device = strategy.root_device
    if on_gpu := device.type == "cuda":
        torch.cuda.set_device(device)
    backend = strategy.process_group_backend or ("nccl" if on_gpu else "gloo")
    dist.init_process_group(
        backend,
        store=store,
        rank=strategy.global_rank,
        world_size=_count(strategy),
        device_id=device if on_gpu else None,
    )
    talk = dist.group.WORLD if backend == "gloo" else dist.new_group(backend="gloo")
    assert isinstance(talk, dist.ProcessGroup)
    processes.begin(talk)


def _abandon() -> None:
    """Leave groups that an error left; to destroy them, NCCL may wait for others to take part."""
    if processes.count() > 1:
        processes.end()
        _abort_process_group()
