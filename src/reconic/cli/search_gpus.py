"""The GPUs that the processes of a search take in turn."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence

from reconic.cli.spelling import usage_error

__all__ = ["find_gpus"]


def find_gpus(wanted: Sequence[int] | None) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs to use, by their numbers here; None takes all.

    Raises:
        ArgumentError: If one of them is not there.
    """
    there = _visible()
    for number in wanted or []:
        if not 0 <= number < len(there):
            known = ", ".join(map(str, range(len(there)))) or "none"
            usage_error(f"--gpus: there is no GPU {number}, only {known}.")
    return there if wanted is None else [there[number] for number in wanted]


def _visible() -> list[str]:
    """Names of the GPUs that this process may use."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = _count_gpus()
    if named is None:
        return list(map(str, range(count)))
    return [name.strip() for name in named.split(",") if name.strip()][:count]


def _count_gpus() -> int:
    """Number of GPUs, as torch knows them, or the driver where torch is missing or has no CUDA."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        if count := torch.cuda.device_count():
            return count
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
