"""DeepInPy's checkpoints, by their state-dict names, as weights of Reconic's recons."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from reconic.networks import Network, ResNet, ResNet5Block
from reconic.recons import DeepBasisPursuit, Recon
from reconic.recons.blocks import Positive

__all__ = ["load_checkpoint", "read_state_dict"]


class _Inert:
    """Stands for what a checkpoint names in NumPy, and does nothing."""

    def __init__(self, *args: Any) -> None:
        """Forget the arguments."""

    def __setstate__(self, state: Any) -> None:
        """Forget what was stored."""


class _InertDict:
    """Makes a dictionary in place of an object of any other class that a checkpoint names."""

    def __new__(cls, *args: Any) -> OrderedDict[str, Any]:  # noqa: ARG004
        return OrderedDict()


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """State dict of a DeepInPy checkpoint; none of the code that the file names is run.

    Beside the weights, such a checkpoint holds objects of DeepInPy's and Lightning's classes. They
    are replaced by inert ones, so neither package is needed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or has no state dict of tensors.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"DeepInPy weights: `checkpoint_init` must be a checkpoint, got {str(path)!r}, which "
            "is no file. Check the path."
        )
    try:
        names = get_unsafe_globals_in_checkpoint(path)
        harmless = [(_Inert if n.startswith("numpy.") else _InertDict, n) for n in names]
        with safe_globals(harmless):  # pyright: ignore[reportArgumentType]
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds, by what is wrong in the file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"DeepInPy weights: {path} must be a whole checkpoint, got one that cannot be read "
            f"({reason})."
        ) from error
    state = found.get("state_dict") if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(
            f"DeepInPy weights: {path} must have the key `state_dict` with tensors, got none. "
            "Give a checkpoint that DeepInPy's trainer saved."
        )
    return state


def load_checkpoint(recon: Recon, path: str | Path) -> None:
    """Load the weights of a DeepInPy checkpoint into the recon of the same name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its weights do not fit the recon.
    """
    state = read_state_dict(path)
    lam = state.pop("l2lam", None)
    if lam is not None:
        _set_lam(recon, float(lam.reshape(-1)[0]), path)
    networks = [m for m in recon.modules() if isinstance(m, Network)]
    weights = {re.sub(r"^(denoiser|network)\.", "", key): value for key, value in state.items()}
    if bool(weights) != bool(networks):
        _fail(path, f"{type(recon).__name__} with{'' if networks else 'out'} a network", state)
    for network in networks:
        try:
            network.load_state_dict(_renamed(network, weights))
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"DeepInPy weights: {path} does not fit: {reason}") from error


def _fail(path: str | Path, wanted: str, state: Mapping[str, Tensor]) -> None:
    raise ValueError(
        f"DeepInPy weights: {path} must hold the weights of a {wanted}, got the names "
        f"{', '.join(sorted(state)[:4]) or '(none)'}. Choose the `recon` that it was trained as."
    )


def _set_lam(recon: Recon, lam: float, path: str | Path) -> None:
    if not lam > 0:
        raise ValueError(
            f"DeepInPy weights: `l2lam` in {path} must be positive, got {lam:g}. Train that recon "
            "anew: with such a weight AᴴA + λI need not be invertible."
        )
    parts = list(recon.modules())
    if any(isinstance(part, DeepBasisPursuit) for part in parts):
        lam = 1 / lam  # DeepInPy's weighs the data, Reconic's the network's image
    for part in parts:
        if isinstance(part, Positive):
            torch.nn.init.constant_(part.theta, math.log(lam / part.start) / 10)


def _renamed(network: Network, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of Reconic's network of the same architecture."""
    if isinstance(network, ResNet):
        plain = {key.replace("ResNetBlocks.", "blocks.").replace(".net.1.", "."): value
                 for key, value in weights.items()}  # fmt: skip
        return _identity_skips(network) | plain
    if isinstance(network, ResNet5Block):
        layers = sorted({int(m[1]) for m in map(_LAYER.match, weights) if m})
        convs = [i for i in layers if f"model.{i}.net.1.weight" in weights]
        names = {i: f"convs.{convs.index(i)}" for i in convs}
        norms = [i for i in layers if i not in convs]
        names |= {i: f"norms.{norms.index(i)}" for i in norms}
        return {_of_layer(key, names): value for key, value in weights.items()}
    return dict(weights)


_LAYER = re.compile(r"model\.(\d+)\.(?:net\.1\.)?")


def _of_layer(key: str, names: Mapping[int, str]) -> str:
    return _LAYER.sub(lambda m: f"{names[int(m[1])]}.", key)


def _identity_skips(network: ResNet) -> dict[str, Tensor]:
    """Identities for skips that change no width, where DeepInPy has no convolution."""
    return {
        f"{key}": torch.eye(len(value)).reshape(value.shape)
        for key, value in network.state_dict().items()
        if key.endswith("conv0.weight") and value.shape[0] == value.shape[1]
    }
