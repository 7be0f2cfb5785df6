"""Trained recons back from their run folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from jsonargparse import ArgumentParser

import reconic.networks  # noqa: F401  (makes its classes known by their short names)
from reconic.recons import Recon

__all__ = ["load_run", "load_weights", "make_recon", "read_config"]


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


def load_weights(recon: Recon, checkpoint: Path) -> None:
    """Load the weights that a training run saved into a recon."""
    if not checkpoint.is_file():
        raise FileNotFoundError(
            f"load_run: the run must have a checkpoint {checkpoint.name!r}, got none in "
            f"{str(checkpoint.parent)!r}. Train it to the end of an epoch at least."
        )
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "recon."
    weights = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    try:
        recon.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"load_run: {checkpoint} does not fit {type(recon).__name__}: {error}"
        ) from error


def make_recon(spec: Mapping[str, Any]) -> Recon:
    """Recon from its `class_path` and `init_args`."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--recon", type=Recon, required=True)
    return parser.instantiate(parser.parse_object({"recon": dict(spec)})).recon
