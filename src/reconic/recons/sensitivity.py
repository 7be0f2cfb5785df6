"""Coil sensitivities that a network estimates from the centre of k-space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reconic._array import ifftc
from reconic.operator import LinearSystem
from reconic.recons.base import typical_magnitude
from reconic.systems import CartesianMRI

__all__ = ["SensitivityNetwork"]


class SensitivityNetwork(nn.Module):
    """S_c = N(L_c) / √Σ_c |N(L_c)|² with L_c the low-resolution image of coil c.

    The maps have unit sum of squares at every pixel and carry the phase of the image, so an image
    that is reconstructed with them is right in magnitude alone. Frames share their maps.

    Args:
        network: Complex in, complex out, of one channel; sees one coil at a time.
        n_calib: Side of the centre of k-space that makes the low-resolution images, in samples; its
            edges are tapered. Best at most what is fully sampled.

    References:
        Sriram et al., End-to-end variational networks, MICCAI (2020), Sec. 3 (sensitivity map
        estimation module).
    """

    def __init__(self, network: nn.Module, n_calib: int = 24) -> None:
        super().__init__()
        if n_calib < 1:
            raise ValueError(f"SensitivityNetwork: `n_calib` must be at least 1, got {n_calib}.")
        self.network = network
        self.n_calib = n_calib

    def forward(self, y: Tensor, A: LinearSystem) -> CartesianMRI:
        """`A` with estimated maps in place of its own, of which only the shape counts.

        Args:
            y: k-space (batch, coil, *frames, *space).
            A: Its system, with one set of maps.

        Raises:
            TypeError: If `A` is not a CartesianMRI.
            ValueError: If `A` has sets of maps.
        """
        if not isinstance(A, CartesianMRI):
            raise TypeError(
                f"SensitivityNetwork: `A` must be CartesianMRI, got {type(A).__name__}. Other "
                "systems have no maps to estimate; leave the sensitivity network out."
            )
        if A.sets:
            raise ValueError(
                "SensitivityNetwork: `A` must have one set of maps, got sets=True. Leave the "
                "sensitivity network out to use the given sets."
            )
        low = self._low_resolution(y, A)
        coils = self.network(low.reshape(-1, *low.shape[-A.n_space :])).reshape(low.shape)
        coils = coils * (low != 0).flatten(2).any(2).reshape(*low.shape[:2], *(1,) * (low.ndim - 2))
        power = torch.view_as_real(coils).square().sum((1, -1)).unsqueeze(1)
        maps = coils * power.clamp_min(torch.finfo(power.dtype).tiny).rsqrt()
        estimated = A.replace(maps=maps)
        same = estimated.in_shape == A.in_shape
        return estimated if same else A.replace(maps=maps.expand_as(y))

    def _low_resolution(self, y: Tensor, A: CartesianMRI) -> Tensor:
        """Images (batch, coil, 1, …, *space) of unit scale, from the mean over frames."""
        axes = tuple(range(-A.n_space, 0))
        frames = tuple(range(-A.n_space - A.n_frame_axes, -A.n_space))
        if frames:
            n_sampled = (y != 0).sum(frames, keepdim=True)
            y = y.sum(frames, keepdim=True) / n_sampled.clamp_min(1)
        for axis in axes:
            y = y * _taper(y, axis, self.n_calib)
        low = ifftc(y, axes)
        scale = typical_magnitude(low, low.ndim - 1)
        return low / scale.reshape(-1, *(1,) * (low.ndim - 1))


def _taper(y: Tensor, axis: int, n_calib: int) -> Tensor:
    """cos² window over the central `n_calib` samples of an axis."""
    n = y.shape[axis]
    distance = (torch.arange(n, device=y.device) - n // 2) / (n_calib + 1)
    window = torch.where(distance.abs() < 0.5, torch.cos(torch.pi * distance).square(), 0.0)
    return window.to(y.real.dtype).reshape(-1, *(1,) * (-axis - 1))
