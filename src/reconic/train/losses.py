"""Training losses: what is minimised over the examples.

Every loss is called as `loss(x_hat, x, y, A)` with the estimate, the true image, the measurements
and the system of a batch, and returns the mean over the batch of one number per example. Each is
relative to the example's own reference, so images of any scale weigh the same and a learning rate
carries over between data sets. An example whose reference is zero is measured absolutely. Gradients
are finite everywhere, also where the error or the image is zero.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from reconic.metrics import ssim
from reconic.operator import LinearSystem, System
from reconic.recons import Recon

__all__ = [
    "ComplexL1",
    "ComplexL2",
    "KSpaceLoss",
    "Loss",
    "MagnitudeL1",
    "MagnitudeL2",
    "SSIMLoss",
    "Step",
    "WeightedSum",
]


class Step(NamedTuple):
    """What a training step computes.

    Attributes:
        x_hat: Estimates (batch, *A.in_shape).
        loss: Real scalar to minimise.
    """

    x_hat: Tensor
    loss: Tensor


class Loss(torch.nn.Module, ABC):
    """Mean over a batch of the distance between estimates and what they should be.

    Training calls `step`. A loss that needs more of a recon than its image of all measurements (a
    part of them, noisier ones) overrides it; see `reconic.train.self_supervised`.

    Attributes:
        report: After a call, the terms that are worth logging by name, as detached scalars; empty
            for a loss of one term.
        needs_truth: Whether true images are needed; without them `x` may be None.
    """

    needs_truth: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.report: dict[str, Tensor] = {}

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        """Reconstruct a batch in the way that this loss learns from, and compare.

        Args:
            recon: Recon in training.
            x: True images, or None where there are none.
            y: Measurements, batch axis first.
            A: Forward model.
        """
        x_hat = recon(y, A)
        return Step(x_hat, self(x_hat, x, y, A))

    @abstractmethod
    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:
        """Compare the estimates of a batch.

        Args:
            x_hat: Estimated images, complex, batch axis first.
            x: True images of the same shape.
            y: Measurements, batch axis first.
            A: System that maps images to measurements.

        Returns:
            Real scalar, the mean over the batch.

        Raises:
            ValueError: If the shapes do not fit.
        """


class ComplexL2(Loss):
    """Squared error of complex images, ‖x̂ − x‖₂² / ‖x‖₂²: the squared NRMSE."""

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _relative_l2(self, x_hat, x)


class ComplexL1(Loss):
    """Absolute error of complex images, ‖x̂ − x‖₁ / ‖x‖₁, with |·| the complex magnitude."""

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _relative_l1(self, x_hat, x)


class MagnitudeL2(Loss):
    """Squared error of magnitude images, ‖|x̂| − |x|‖₂² / ‖x‖₂²; blind to the phase."""

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _relative_l2(self, x_hat.abs(), x.abs())


class MagnitudeL1(Loss):
    """Absolute error of magnitude images, ‖|x̂| − |x|‖₁ / ‖x‖₁; blind to the phase."""

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _relative_l1(self, x_hat.abs(), x.abs())


class SSIMLoss(Loss):
    """Structural dissimilarity of magnitude images, 1 − SSIM; see `reconic.metrics.ssim`.

    Args:
        n_space: Number of trailing axes that make up one image; the mean is over all others.
        window: "gaussian", 11 samples per axis, or "uniform", 7 samples per axis.
    """

    def __init__(
        self, n_space: int = 2, window: Literal["gaussian", "uniform"] = "gaussian"
    ) -> None:
        super().__init__()
        self.n_space = n_space
        self.window: Literal["gaussian", "uniform"] = window

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return 1 - ssim(x_hat, x, n_space=self.n_space, window=self.window).mean()


class KSpaceLoss(Loss):
    """Squared misfit to the measurements, ‖A x̂ − y‖₂² / ‖y‖₂²; needs no true image."""

    needs_truth = False

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _relative_l2(self, A(x_hat), y)


class WeightedSum(Loss):
    """Weighted sum of named losses, each reported under its name and without its weight.

    In a config:

        class_path: reconic.train.losses.WeightedSum
        init_args:
          terms:
            l2: [1.0, {class_path: reconic.train.losses.ComplexL2}]
            ssim: [0.1, {class_path: reconic.train.losses.SSIMLoss}]

    Args:
        terms: For each name, the weight and the loss.

    Raises:
        ValueError: If there is no term.
    """

    def __init__(self, terms: Mapping[str, tuple[float, Loss]]) -> None:
        super().__init__()
        if not terms:
            raise ValueError(
                "WeightedSum: `terms` must hold at least one loss, got none. "
                'Pass, for example, {"l2": (1.0, ComplexL2())}.'
            )
        self.weights = {name: float(weight) for name, (weight, _) in terms.items()}
        self.losses = torch.nn.ModuleDict({name: loss for name, (_, loss) in terms.items()})

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:
        values = {name: loss(x_hat, x, y, A) for name, loss in self.losses.items()}
        self.report = {name: value.detach() for name, value in values.items()}
        return torch.stack([self.weights[name] * value for name, value in values.items()]).sum()


def _relative_l2(loss: Loss, estimate: Tensor, reference: Tensor) -> Tensor:
    _check_shapes(loss, estimate, reference)
    error = abs2(estimate - reference).flatten(1).sum(1)
    return (error / or_one(abs2(reference).flatten(1).sum(1))).mean()


def _relative_l1(loss: Loss, estimate: Tensor, reference: Tensor) -> Tensor:
    _check_shapes(loss, estimate, reference)
    error = (estimate - reference).abs().flatten(1).sum(1)  # torch's d|z|/dz is 0 at z = 0
    return (error / or_one(reference.abs().flatten(1).sum(1))).mean()


def abs2(z: Tensor) -> Tensor:
    """Squared magnitude; unlike abs(z)², without a square root on the way."""
    return torch.view_as_real(z.resolve_conj()).square().sum(-1) if z.is_complex() else z.square()


def or_one(norm: Tensor) -> Tensor:
    """The norm where it is positive, else one: what can be divided by."""
    return torch.where(norm > 0, norm, torch.ones_like(norm))


def _check_shapes(loss: Loss, estimate: Tensor, reference: Tensor) -> None:
    if estimate.shape != reference.shape:
        raise ValueError(
            f"{type(loss).__name__}: `x_hat` must lead to the shape of what it is compared with, "
            f"{tuple(reference.shape)}, got {tuple(estimate.shape)}. "
            "Check that the recon, the system and the data agree on coils, sets and frames."
        )
