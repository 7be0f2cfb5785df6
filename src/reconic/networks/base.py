"""The base of every network: complex images in, complex images of the same shape out."""

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True)
class Compute:
    """How a network computes. Its weights and their names do not depend on it.

    Attributes:
        bf16: Whether convolutions run in bfloat16, by autocast. The image outside of the network
            keeps its precision, so Fourier transforms and solves are not touched. Takes less
            memory everywhere, and less time where the processor multiplies bfloat16 fast (GPUs,
            CPUs with AMX).
        compile: Whether `torch.compile` makes one kernel of what it can. It needs a C++ compiler
            and compiles, for up to a minute, at the first image of each shape.
        channels_last: Whether the channels of a pixel lie side by side in memory: mostly faster.
    """

    bf16: bool = False
    compile: bool = False
    channels_last: bool = True


class Network(torch.nn.Module, ABC):
    """Map a complex image to a complex image of the same shape through real channels.

    The image is `(batch, *space)`, or `(batch, ..., *space)` where the axes in between (sets of
    maps, frames, echoes ...) hold `channels` images. A subclass writes `features`, which sees the
    real tensor `(batch, 2 * channels, *space)` whose channels are all the real parts, then all the
    imaginary parts. Its memory is laid out channels-last, unless `compute` says otherwise: the
    complex image already is, so for one channel both conversions are free, and convolutions are
    faster that way.

    Args:
        channels: Number of complex images that are seen together.
        n_space: Number of space axes, 2 or 3.
        compute: How to compute: precision, compilation, memory layout; None takes the defaults.

    Raises:
        ValueError: If `channels` is not positive or `n_space` is neither 2 nor 3.
    """

    def __init__(self, channels: int, n_space: int, compute: Compute | None = None) -> None:
        super().__init__()
        check_positive(self, channels=channels)
        if n_space not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: `n_space` must be 2 or 3, got {n_space}. "
                "Reshape other axes into channels or into the batch."
            )
        self.channels = channels
        self.n_space = n_space
        self.compute = compute or Compute()

    @abstractmethod
    def features(self, real: Tensor) -> Tensor:
        """Map real channels `(batch, 2 * channels, *space)` to the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network to a complex image.

        Args:
            x: Complex image `(batch, [channels ...,] *space)`, of the parameters' precision.

        Returns:
            Complex image of the shape and dtype of `x`.

        Raises:
            TypeError: If `x` is real, or of another precision than the parameters.
            ValueError: If the rank of `x` or its number of channels does not fit.
        """
        self._check(x)
        real = _to_channels(x, self.n_space)
        if not self.compute.channels_last:
            real = real.contiguous()
        features = _compiled(type(self)) if self.compute.compile else type(self).features
        with _bf16(x) if self.compute.bf16 else contextlib.nullcontext():
            return _to_complex(features(self, real), x)

    def _check(self, x: Tensor) -> None:
        where = f"{type(self).__name__}(x)"
        if not x.is_complex():
            raise TypeError(
                f"{where}: `x` must be complex, got {x.dtype}. Use torch.complex(real, imag)."
            )
        weights = next(self.parameters(), x.real).dtype
        if x.dtype.to_real() != weights:
            raise TypeError(
                f"{where}: `x` must have the precision of the weights, {weights}, got {x.dtype}. "
                f"Convert one of them, for example network.to({x.dtype.to_real()})."
            )
        if x.ndim <= self.n_space:
            raise ValueError(
                f"{where}: `x` must have a batch axis and {self.n_space} space axes, "
                f"got shape {tuple(x.shape)}. Add the batch axis with x[None]."
            )
        found = prod(x.shape[1 : -self.n_space])
        if found != self.channels:
            raise ValueError(
                f"{where}: `x` must hold {self.channels} channel(s) between its batch and its "
                f"{self.n_space} space axes, got {found} from shape {tuple(x.shape)}. "
                f"Build the network with channels={found}."
            )


@functools.cache
def _compiled(network: type[Network]) -> Callable[[Network, Tensor], Tensor]:
    """Compiled `features` of a class: copies of a network, as cascades have, share the code."""
    return torch.compile(network.features)


def _bf16(x: Tensor) -> torch.autocast:
    return torch.autocast(x.device.type, torch.bfloat16)


def check_positive(owner: torch.nn.Module, **sizes: int) -> None:
    """Raise a ValueError that names the first of `sizes` that is below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(
                f"{type(owner).__name__}: `{name}` must be at least 1, got {size}. "
                f"Set {name}=1 for the smallest network."
            )


def check_kernel(owner: torch.nn.Module, kernel: int) -> None:
    """Raise a ValueError if `kernel` is not a positive odd number."""
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(
            f"{type(owner).__name__}: `kernel` must be odd and positive, got {kernel}. "
            "An even kernel has no centre and would shift the image; use 3, 5 or 7."
        )


def _to_channels(x: Tensor, n_space: int) -> Tensor:
    """View complex (batch, ..., *space) as real (batch, 2 * channels, *space), channels last."""
    space = x.shape[-n_space:]
    pairs = torch.view_as_real(x.resolve_conj().reshape(x.shape[0], -1, *space))
    pairs = pairs.movedim(1, -1)  # (batch, *space, 2, channels)
    return pairs.flatten(-2).movedim(-1, 1)


def _to_complex(real: Tensor, x: Tensor) -> Tensor:
    """Undo `_to_channels` for the shape and precision of `x`."""
    pairs = real.movedim(1, -1).unflatten(-1, (2, -1))  # (batch, *space, 2, channels)
    pairs = pairs.movedim(-1, 1).to(x.dtype.to_real()).contiguous()
    return torch.view_as_complex(pairs).reshape(x.shape)
