"""Trained recons back from their run folders."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor

import reconic.networks  # noqa: F401  (makes its classes known by their short names)
from reconic.recons import Recon

__all__ = [
    "check_weights",
    "find_checkpoint",
    "load_run",
    "load_weights",
    "make_recon",
    "needs_training",
    "read_checkpoint",
    "read_config",
    "recon_weights",
]


def load_run(folder: str | Path, which: Literal["best", "last"] = "best") -> Recon:
    """Rebuild the recon of a run from its `config.yaml` and load its weights, for inference.

    Args:
        folder: Run folder, `logs/NAME/version_N`.
        which: Checkpoint, by name.

    Returns:
        The recon on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: If the folder has no configuration or no such checkpoint.
        ValueError: If the weights do not fit the recon.
    """
    recon = make_recon(read_config(folder)["recon"])
    load_weights(recon, Path(folder) / "checkpoints" / f"{which}.ckpt")
    return recon.eval()


def read_config(folder: str | Path) -> dict[str, Any]:
    """Configuration of a run.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is not one of a training run.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"load_run: `folder` must be a run folder with config.yaml, got {str(folder)!r}. "
            "Give one that `reconic train` made, such as logs/NAME/version_0."
        )
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or "recon" not in config:
        raise ValueError(f"load_run: {path} must be of a training run, got one without `recon`.")
    return config


def needs_training(recon: Recon) -> bool:
    """Whether a recon has weights to learn before it meets the scan that it reconstructs."""
    return not recon.fits_each_scan and any(True for _ in recon.parameters())


def load_weights(recon: Recon, checkpoint: Path) -> None:
    """Load the weights that a training run saved into a recon, if it has such weights."""
    if not needs_training(recon):
        return
    weights = recon_weights(read_checkpoint(checkpoint), checkpoint)
    check_weights(recon, weights, checkpoint)
    recon.load_state_dict(weights)


def find_checkpoint(source: str | Path, which: Sequence[str] = ("best", "last")) -> Path:
    """Path of a checkpoint, given itself or the folder of its run.

    Args:
        source: Checkpoint file or run folder.
        which: Names of a run's checkpoints, the first one that is there is taken.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = Path(source)
    for candidate in (path, *(path / "checkpoints" / f"{name}.ckpt" for name in which)):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"checkpoint: there must be a run folder with checkpoints or a checkpoint file at "
        f"{str(source)!r}, got {'a folder without any' if path.is_dir() else 'nothing'}. Give one "
        "such as logs/NAME/version_0."
    )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, on the CPU; code that a stranger's file may hold is not run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a whole checkpoint, or holds more than numbers and text.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"load_run: the run must have a checkpoint {path.name!r}, got none in "
            f"{str(path.parent)!r}. Train it first."
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of foreign files, which are refused
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"checkpoint: {path} must hold numbers and text only, got what may run code, and is "
            f"not opened ({_line(error)})."
        ) from None
    except (RuntimeError, OSError, EOFError, LookupError, ValueError) as error:
        raise ValueError(
            f"checkpoint: {path} must be a whole checkpoint, got one that cannot be read "
            f"({_line(error)}). Copy it again, or use an earlier one."
        ) from error
    if not isinstance(found, dict) or "state_dict" not in found:
        raise ValueError(f"checkpoint: {path} must have a `state_dict`, got none.")
    return found


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def recon_weights(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """Weights of the recon in a checkpoint, by their names in the recon."""
    prefix = "recon."
    names = [name for name in checkpoint["state_dict"] if name.startswith(prefix)]
    if not names:
        raise ValueError(f"checkpoint: {path} must hold a recon's weights, got none.")
    return {name[len(prefix) :]: checkpoint["state_dict"][name] for name in names}


def check_weights(recon: Recon, weights: Mapping[str, Tensor], path: Path) -> None:
    """Check that weights are those of a recon.

    Raises:
        ValueError: If they are not; tells which are missing, too many or of another shape.
    """
    own = recon.state_dict()
    other = [
        f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    kinds = {
        "missing": [name for name in own if name not in weights],
        "too many": [name for name in weights if name not in own],
        "of another shape": other,
    }
    found = [f"{kind}: {_some(names)}" for kind, names in kinds.items() if names]
    if found:
        raise ValueError(
            f"checkpoint: {path} does not fit {type(recon).__name__}; {'; '.join(found)}. Use the "
            "configuration that it was trained with."
        )


def _some(names: list[str], n: int = 3) -> str:
    rest = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + rest


def make_recon(spec: Mapping[str, Any]) -> Recon:
    """Recon from its `class_path` and `init_args`."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--recon", type=Recon, required=True)
    return parser.instantiate(parser.parse_object({"recon": dict(spec)})).recon
