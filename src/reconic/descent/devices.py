"""Where arrays live: measurements in shares over devices, of one host or several; variables whole.

XLA partitions the same program that runs on one device, so every sum is over all measurements.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from reconic._array import Array, is_array
from reconic.descent.shares import AXIS, Share

__all__ = ["ONE", "Devices", "connect", "is_stored", "make_devices"]


@dataclass(frozen=True)
class Devices:
    """The devices of a run.

    Attributes:
        mesh: Their mesh, of one axis; None for JAX's default device.
    """

    mesh: Mesh | None = None

    @property
    def several_processes(self) -> bool:
        """Whether other processes take part."""
        return self.mesh is not None and self.mesh.is_multi_process

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return not self.several_processes or jax.process_index() == 0

    def share(self, x: Any, rows: np.ndarray | None = None) -> Array | Share:
        """Measurements on the devices; of those on disk a process reads only what its devices need.

        Args:
            x: Measurements along the leading axis, in memory or on disk; a scalar is copied.
            rows: Positions to take, rising where `x` is on disk; None takes all.
        """
        if self.mesh is None:
            part = x if rows is None else x[rows]
            return jnp.asarray(np.asarray(part) if is_stored(x) else part)
        if not np.shape(x):
            return self.copy(x)
        x = x if is_stored(x) else np.asarray(x)
        n = x.shape[0] if rows is None else len(rows)
        size = -(-n // self.mesh.size) * self.mesh.size
        shape, dtype = (size, *x.shape[1:]), jnp.result_type(x.dtype)

        def read(index: Any) -> np.ndarray:
            start, stop, _ = index[0].indices(size)
            here, found = slice(start, min(stop, n)), np.zeros((stop - start, *shape[1:]), dtype)
            if start < n:
                found[: here.stop - start] = x[here if rows is None else rows[here]]
            return found

        sharding = NamedSharding(self.mesh, PartitionSpec(AXIS))
        return Share(jax.make_array_from_callback(shape, sharding, read), n, sharding)

    def copy(self, tree: Any) -> Any:
        """Arrays with a copy on every device."""
        if self.mesh is None:
            return tree
        everywhere = NamedSharding(self.mesh, PartitionSpec())

        def put(x: Any) -> Array:
            x = np.asarray(x, jnp.result_type(x))
            return jax.make_array_from_callback(x.shape, everywhere, lambda index: x[index])

        return jax.tree.map(put, tree)

    def own(self, tree: Any) -> Any:
        """This process's own copy of arrays that every device has."""
        return tree if self.mesh is None else jax.tree.map(lambda a: a.addressable_data(0), tree)

    def gather(self, *values: int) -> np.ndarray:
        """Numbers that each process has (n_processes, n_values)."""
        if not self.several_processes:
            return np.asarray([values])
        return np.asarray(process_allgather(np.asarray(values, np.int32)))

    def check_same(self, settings: Mapping[str, Any]) -> None:
        """Raise if processes were given different settings, which would wait for each other."""
        told = self.gather(zlib.crc32(json.dumps(settings).encode()) >> 1)[:, 0]
        if differing := np.flatnonzero(told != told[0]).tolist():
            raise ValueError(
                "reconstruct: every process must be given the same arguments, and to resume find "
                f"the same checkpoint; those of process {differing[0]} are not those of process 0."
            )

    @contextmanager
    def or_all_fail(self) -> Iterator[None]:
        """What a lost process does to the others, as an error that says so.

        Raises:
            ConnectionError: If a computation over several processes fails.
        """
        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if not self.several_processes:
                raise
            raise ConnectionError(
                f"reconstruct: another of the {jax.process_count()} processes was lost, or failed "
                "first. Start all of them again with `resume` to go on from the newest checkpoint. "
                f"({error})"
            ) from error


ONE = Devices()


def make_devices(
    devices: int | Literal["all"] | Sequence[Any] | None, where: str = "reconstruct"
) -> Devices:
    """Devices of a run.

    Args:
        devices: "all" of every process, a number of them in each process, or JAX devices; None for
            JAX's default device.
        where: Whose argument it is, for errors.

    Raises:
        ValueError: If there are not as many, or processes are left out.
        TypeError: If `devices` is of another kind.
    """
    if devices is None:
        return Devices()
    found = _found(devices, where)
    if not found or not all(isinstance(d, jax.Device) for d in found):
        kinds = ", ".join(sorted({type(d).__name__ for d in found})) or "none"
        raise TypeError(f'{where}: `devices` must be "all", a number or JAX devices, got {kinds}.')
    processes = {d.process_index for d in found}
    if processes not in ({jax.process_index()}, set(range(jax.process_count()))):
        raise ValueError(
            f"{where}: `devices` must be of this process alone or of all {jax.process_count()}, "
            f"got those of {sorted(processes)}. Use jax.local_devices() or jax.devices()."
        )
    return Devices(Mesh(np.asarray(found), (AXIS,)))


def _found(devices: Any, where: str) -> list[Any]:
    if devices == "all":
        return jax.devices()
    if not isinstance(devices, int):
        return list(devices) if isinstance(devices, Sequence) else [devices]
    have = [jax.local_devices(i) for i in range(jax.process_count())]
    fewest = min(len(d) for d in have)
    if not 1 <= devices <= fewest:
        raise ValueError(
            f"{where}: `devices` must be from 1 to {fewest}, the number there are, got "
            f"{devices}. On CPUs, XLA_FLAGS=--xla_force_host_platform_device_count=4 makes 4."
        )
    return [d for local in have for d in local[:devices]]


def is_stored(x: Any) -> bool:
    """Whether `x` is an array on disk: sliced like an array, and not of an array library."""
    return isinstance(x, np.memmap) or (
        not is_array(x) and all(hasattr(x, name) for name in ("shape", "dtype", "__getitem__"))
    )


def connect(coordinator: str, processes: int | None, process: int | None) -> None:
    """Join the processes of a run, before JAX computes anything.

    Args:
        coordinator: Address host:port of process 0; "auto" takes all from SLURM or Open MPI.
        processes: Number of processes.
        process: Number of this one, from 0.

    Raises:
        ValueError: If a number is missing.
    """
    if coordinator == "auto":
        jax.distributed.initialize()
    elif processes is None or process is None:
        raise ValueError(
            f"connect: `processes` and `process` must be given with the coordinator {coordinator}, "
            f'got {processes} and {process}. With SLURM or Open MPI, use "auto".'
        )
    else:
        jax.distributed.initialize(coordinator, processes, process)
