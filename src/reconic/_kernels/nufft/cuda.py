"""The transforms of torch tensors on a CUDA device, by cuFINUFFT."""

from __future__ import annotations

import math

import torch

from reconic._kernels.nufft import plans
from reconic._kernels.nufft.plans import Plan, Shape

__all__ = ["transform"]


def transform(
    data: torch.Tensor, traj: torch.Tensor, shape: Shape | None, tol: float
) -> torch.Tensor:
    """Samples of images (`shape` None), or images of that shape of samples, on the current stream.

    Raises:
        ImportError: If cuFINUFFT is not installed.
        TypeError: If the tensors are on a device that is neither a CPU nor CUDA.
    """
    if data.device.type != "cuda":
        raise TypeError(
            f"nufft: `x` must be on a CPU or a CUDA device, got {data.device}. Move it there."
        )
    stream = torch.cuda.current_stream(data.device).cuda_stream
    where = (shape is not None, data.device.index, stream)
    return plans.transform(data, traj, shape, tol, _plan, *where)


def _plan(
    traj: torch.Tensor,
    space: Shape,
    many: int,
    eps: float,
    dtype: torch.dtype,
    adjoint: bool,
    index: int,
    stream: int,
) -> Plan:
    try:
        import cufinufft  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            f"nufft: `cufinufft` must be installed for tensors on a GPU, got cuda:{index} and no "
            "such package. Run: pip install cufinufft; or move the tensors to the CPU."
        ) from error
    kind, sign = (1, 1) if adjoint else (2, -1)
    name = str(dtype).removeprefix("torch.")
    options = {"gpu_device_id": index, "gpu_stream": stream}
    plan = cufinufft.Plan(kind, space, many, eps, sign, name, **options)
    plan.setpts(*traj.T.contiguous())

    def run(source: torch.Tensor, out: torch.Tensor, adjoint: bool) -> None:  # noqa: ARG001
        plan.execute(source, out)

    fine_grid = 2 ** len(space) * math.prod(space)  # a plan on a GPU keeps it
    return Plan(run, traj.clone(), len(traj) + fine_grid)
