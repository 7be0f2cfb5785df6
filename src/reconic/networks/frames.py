"""Networks that see the frames of a series one by one."""

import torch
from torch import Tensor


class PerFrame(torch.nn.Module):
    """Apply a network to each frame on its own, as if frames were more samples of the batch.

    The number of frames is free, and the network is as small as for one image. (A network with as
    many channels as frames sees them together instead.)

    Args:
        network: Complex in, complex out, same shape (batch, [set,] *space).
        n_frame_axes: Number of frame axes, before space.
        n_space: Number of space axes.
    """

    def __init__(self, network: torch.nn.Module, n_frame_axes: int = 1, n_space: int = 2) -> None:
        super().__init__()
        if n_frame_axes < 1:
            raise ValueError(f"PerFrame: `n_frame_axes` must be at least 1, got {n_frame_axes}.")
        self.network = network
        self.n_frame_axes = n_frame_axes
        self.n_space = n_space

    def forward(self, x: Tensor) -> Tensor:
        """Image of the shape of `x`, (batch, [set,] *frames, *space).

        Raises:
            ValueError: If `x` has too few axes.
        """
        n = self.n_frame_axes
        if x.ndim <= n + self.n_space:
            raise ValueError(
                f"PerFrame(x): `x` must have axes for batch, {n} frames and {self.n_space} space, "
                f"got shape {tuple(x.shape)}. Leave PerFrame out for images without frames."
            )
        axes = list(range(-n - self.n_space, -self.n_space))
        front = list(range(1, n + 1))
        frames = x.movedim(axes, front)  # (batch, *frames, [set,] *space)
        result = self.network(frames.flatten(0, n))
        return result.unflatten(0, frames.shape[: n + 1]).movedim(front, axes)
