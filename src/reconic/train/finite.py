"""NaN and infinity in training: where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

__all__ = ["check_gradient", "check_loss", "gradient_norm"]

_ARRAYS = ("y", "x", "maps", "mask")


def check_loss(
    loss: Tensor, batch: Mapping[str, Tensor], terms: Mapping[str, Tensor], when: str
) -> None:
    """Check that the loss of a batch is finite.

    Args:
        loss: Scalar.
        batch: Batch, with the `index` of each example in its data.
        terms: What the loss is made of, and what the recon reported, by name.
        when: Step and epoch, for the message.

    Raises:
        FloatingPointError: If it is not; names examples, terms, and data that are not finite.
    """
    if torch.isfinite(loss):
        return
    data = [name for name in _ARRAYS if name in batch and not _is_finite(batch[name])]
    broken = [name for name, value in terms.items() if not _is_finite(value)]
    told = [f"loss is {float(loss)}"]
    told += [f"not finite in the data: {', '.join(data)}"] if data else []
    told += [f"not finite: {', '.join(broken)}"] if broken else []
    fix = "Mend the data." if data else "Lower the learning rate."
    raise FloatingPointError(
        f"train: the loss must be finite, got {'; '.join(told)} at {when}, {_examples(batch)}. "
        f"{fix}"
    )


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, a scalar."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)


def check_gradient(
    norm: Tensor,
    parameters: Iterable[tuple[str, Tensor]],
    batch: Mapping[str, Tensor],
    when: str,
) -> None:
    """Check that the gradient of a step is finite.

    Args:
        norm: Its norm.
        parameters: Parameters by name.
        batch: Last batch that it comes from.
        when: Step and epoch, for the message.

    Raises:
        FloatingPointError: If it is not; names parameters and examples.
    """
    if torch.isfinite(norm):
        return
    broken = [name for name, p in parameters if p.grad is not None and not _is_finite(p.grad)]
    raise FloatingPointError(
        f"train: the gradient must be finite, got {norm.item()} at {when}, {_examples(batch)}, "
        f"by {', '.join(broken[:3]) or 'its size'}. Lower the learning rate."
    )


def _is_finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _examples(batch: Mapping[str, Tensor]) -> str:
    if "index" not in batch:
        return "a batch of unnamed examples"
    return f"training examples {', '.join(str(i) for i in batch['index'].tolist())}"
