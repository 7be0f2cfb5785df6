"""Coil sensitivities that a network estimates from the centre of k-space."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reconic._array import ifftc
from reconic.operator import LinearSystem
from reconic.recons.base import typical_magnitude
from reconic.systems import CartesianMRI, NonCartesianMRI

__all__ = ["SensitivityNetwork"]


class SensitivityNetwork(nn.Module):
    """S_c = N(L_c) / √Σ_c |N(L_c)|² with L_c the low-resolution image of coil c.

    The maps have unit sum of squares at every pixel and carry the phase of the image, so an image
    that is reconstructed with them is right in magnitude alone. Frames share their maps.

    Args:
        network: Complex in, complex out, of one channel; sees one coil at a time.
        n_calib: Side of the centre of k-space that makes the low-resolution images, in samples; its
            edges are tapered. Best at most what is fully sampled. Where samples lie on no grid it
            is the diameter, and the images are gridded: data should have density weights.

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

    def forward(self, y: Tensor, A: LinearSystem) -> CartesianMRI | NonCartesianMRI:
        """`A` with estimated maps in place of its own, of which only the shape counts.

        Args:
            y: k-space (batch, *A.out_shape).
            A: Its system, with one set of maps.

        Raises:
            TypeError: If `A` is neither a CartesianMRI nor a NonCartesianMRI.
            ValueError: If `A` has sets of maps.
        """
        if not isinstance(A, CartesianMRI | NonCartesianMRI):
            raise TypeError(
                "SensitivityNetwork: `A` must be CartesianMRI or NonCartesianMRI, got "
                f"{type(A).__name__}. Other systems have no maps to estimate; leave the "
                "sensitivity network out."
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
        return estimated if same else A.replace(maps=maps.expand(*y.shape[:2], *A.in_shape))

    def _low_resolution(self, y: Tensor, A: CartesianMRI | NonCartesianMRI) -> Tensor:
        """Images (batch, coil, 1, …, *space) of unit scale, from the mean over frames."""
        frames = tuple(range(-A.n_space - A.n_frame_axes, -A.n_space))
        if isinstance(A, NonCartesianMRI):
            low = _gridded(y, A, frames, self.n_calib)
        else:
            low = _fourier(y, A, frames, self.n_calib)
        scale = typical_magnitude(low, low.ndim - 1)
        return low / scale.reshape(-1, *(1,) * (low.ndim - 1))


def _fourier(y: Tensor, A: CartesianMRI, frames: tuple[int, ...], n_calib: int) -> Tensor:
    """Images of the coils from the centre of their Cartesian k-space."""
    axes = tuple(range(-A.n_space, 0))
    if frames:
        n_sampled = (y != 0).sum(frames, keepdim=True)
        y = y.sum(frames, keepdim=True) / n_sampled.clamp_min(1)
    for axis in axes:
        n = y.shape[axis]
        window = _taper(torch.arange(n, device=y.device) - n // 2, n_calib)
        y = y * window.to(y.real.dtype).reshape(-1, *(1,) * (-axis - 1))
    return ifftc(y, axes)


def _gridded(y: Tensor, A: NonCartesianMRI, frames: tuple[int, ...], n_calib: int) -> Tensor:
    """Images of the coils from the samples around the centre, by the adjoint without maps."""
    space = A.in_shape[len(A.in_shape) - A.n_space :]
    plain = A.replace(maps=A.maps.new_ones(1, *(1 for _ in frames), *space))
    y = y * _taper(A.radius(y), n_calib)
    low = torch.stack([plain.adjoint(coil) for coil in y.split(1, dim=1)], dim=1)
    return low.mean(frames, keepdim=True) if frames else low


def _taper(distance: Tensor, n_calib: int) -> Tensor:
    """cos² window over the central `n_calib` samples, of their distance from the centre."""
    t = distance / (n_calib + 1)
    return torch.where(t.abs() < 0.5, torch.cos(torch.pi * t).square(), 0.0)
