"""The transforms of torch tensors: derivatives of all orders by both arguments, and batching."""

from __future__ import annotations

from typing import Any

import torch

from reconic._kernels.nufft import cuda, host

__all__ = ["adjoint", "forward"]

Tensor = torch.Tensor
Dims = tuple[int | None, ...]


def forward(x: Tensor, traj: Tensor, tol: float) -> Tensor:
    """`nufft` of torch tensors."""
    return _Forward.apply(x, traj, tol)  # pyright: ignore


def adjoint(y: Tensor, traj: Tensor, shape: tuple[int, ...], tol: float) -> Tensor:
    """`nufft_adjoint` of torch tensors."""
    return _Adjoint.apply(y, traj, shape, tol)  # pyright: ignore


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, traj: Tensor, tol: float) -> Tensor:
        return _run(x, traj, None, tol)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG004
        x, traj, ctx.tol = inputs
        ctx.save_for_backward(x, traj)
        ctx.save_for_forward(x, traj)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:  # pyright: ignore
        x, traj = ctx.saved_tensors
        by_x = by_traj = None
        if ctx.needs_input_grad[0]:
            shape = tuple(x.shape[-traj.shape[-1] :])
            by_x = adjoint(g, traj, shape, ctx.tol)
        if ctx.needs_input_grad[1]:
            by_traj = _trajectory_gradient(x, g, traj, ctx.tol)
        return by_x, by_traj, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dk: Tensor | None, _: None) -> Tensor:  # pyright: ignore
        x, traj = ctx.saved_tensors
        parts = [] if dx is None else [forward(dx, traj, ctx.tol)]
        if dk is not None:
            slopes = _slopes(x, traj, ctx.tol)
            dk = dk.to(x.real.dtype)
            parts += [s * k[..., None, :] for s, k in zip(slopes, dk.unbind(-1), strict=True)]
        return sum(parts)  # pyright: ignore[reportReturnType]

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *args: Any) -> tuple[Tensor, int]:  # noqa: ARG004
        x, traj, tol = args
        return forward(*_batched(x, traj, in_dims, traj.shape[-1] + 1), tol), 0


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(y: Tensor, traj: Tensor, shape: tuple[int, ...], tol: float) -> Tensor:
        return _run(y, traj, shape, tol)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:  # noqa: ARG004
        y, traj, ctx.shape, ctx.tol = inputs
        ctx.save_for_backward(y, traj)
        ctx.save_for_forward(y, traj)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple:  # pyright: ignore
        y, traj = ctx.saved_tensors
        by_y = by_traj = None
        if ctx.needs_input_grad[0]:
            by_y = forward(g, traj, ctx.tol)
        if ctx.needs_input_grad[1]:  # Re⟨g, Fᴴ(k) y⟩ = Re⟨F(k) g, y⟩
            by_traj = _trajectory_gradient(g, y, traj, ctx.tol)
        return by_y, by_traj, None, None

    @staticmethod
    def jvp(ctx: Any, dy: Tensor | None, dk: Tensor | None, *_: None) -> Tensor:  # pyright: ignore
        y, traj = ctx.saved_tensors
        parts = [] if dy is None else [adjoint(dy, traj, ctx.shape, ctx.tol)]
        if dk is not None:
            dk = dk.to(y.real.dtype)
            for r, k in zip(_positions(ctx.shape, dk), dk.unbind(-1), strict=True):
                parts.append(1j * r * adjoint(y * k[..., None, :], traj, ctx.shape, ctx.tol))
        return sum(parts)  # pyright: ignore[reportReturnType]

    @staticmethod
    def vmap(info: Any, in_dims: Dims, *args: Any) -> tuple[Tensor, int]:  # noqa: ARG004
        y, traj, shape, tol = args
        return adjoint(*_batched(y, traj, in_dims, 2), shape, tol), 0


def _trajectory_gradient(image: Tensor, samples: Tensor, traj: Tensor, tol: float) -> Tensor:
    """Gradient of Re⟨F(k) image, samples⟩ by the trajectory; autograd sums over what shares it."""
    slopes = _slopes(image, traj, tol)
    by_axis = [(s.conj() * samples).real.sum(-2) for s in slopes]
    return torch.stack(by_axis, -1)


def _slopes(image: Tensor, traj: Tensor, tol: float) -> tuple[Tensor, ...]:
    """Derivative of the samples (*batch, many, m) by each component of the trajectory."""
    n = traj.shape[-1]
    positions = _positions(tuple(image.shape[-n:]), image.real)
    moments = torch.cat([-1j * r * image for r in positions], -n - 1)  # one transform for all
    return forward(moments, traj, tol).chunk(n, -2)


def _positions(shape: tuple[int, ...], like: Tensor) -> list[Tensor]:
    """Positions index - n // 2 along each axis of space, broadcasting against images."""
    axes = [
        torch.arange(-(n // 2), n - n // 2, dtype=like.dtype, device=like.device) for n in shape
    ]
    return [r.reshape(-1, *(1,) * (len(shape) - 1 - d)) for d, r in enumerate(axes)]


def _batched(data: Tensor, traj: Tensor, dims: Dims, n_own: int) -> tuple[Tensor, Tensor]:
    """Data, of `n_own` axes without its batch, and trajectory with the mapped axis first."""
    n_batch = max(data.ndim - (dims[0] is not None) - n_own, traj.ndim - (dims[1] is not None) - 2)
    moved = []
    for a, dim, n in ((data, dims[0], n_own), (traj, dims[1], 2)):
        a = a.unsqueeze(0) if dim is None else a.movedim(dim, 0)
        moved.append(a[(slice(None), *(None,) * (n_batch - (a.ndim - 1 - n)))])
    return moved[0], moved[1]


@torch.compiler.disable()
def _run(data: Tensor, traj: Tensor, shape: tuple[int, ...] | None, tol: float) -> Tensor:
    data, traj = data.detach().resolve_conj().resolve_neg(), traj.detach().resolve_neg()
    if data.device.type != "cpu":
        return cuda.transform(data, traj, shape, tol)
    found = host.transform(data.numpy(), traj.numpy(), shape, tol, torch.get_num_threads())
    return torch.from_numpy(found)
