"""The configuration of a training run: what keys there are, their types, help and defaults."""

from __future__ import annotations

from typing import Any

import lightning
from jsonargparse import ArgumentParser, Namespace

import reconic.networks  # (these make their classes known by their short names)
import reconic.train.denoising
import reconic.train.self_supervised  # noqa: F401
from reconic.train.data import ReconData
from reconic.train.engine import fit
from reconic.train.system import SystemFactory

__all__ = ["prepare", "train_parser"]

_DEFAULTS: dict[str, Any] = {
    "recon": {
        "class_path": "reconic.recons.MoDL",
        "init_args": {
            "network": {"class_path": "reconic.networks.ResNet", "init_args": {"width": 32}},
            "n_unrolls": 4,
        },
    },
    "loss": {"class_path": "reconic.train.losses.ComplexL2"},
    "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}},
    "lr_scheduler": {"class_path": "reconic.train.schedule.WarmCosine"},
    "trainer.max_epochs": 20,
    "trainer.devices": 1,
    "trainer.log_every_n_steps": 10,
    "trainer.num_sanity_val_steps": 1,
    "trainer.enable_model_summary": False,
    "trainer.inference_mode": False,  # recons may need gradients inside
    "trainer.gradient_clip_val": 1.0,
}


def train_parser(prog: str = "reconic train") -> ArgumentParser:
    """Parser of a training run's configuration, from files and from the command line."""
    parser = ArgumentParser(
        prog=prog,
        description="Train a recon, validate it, and test it beside the baselines.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="JSON or YAML file with any of the keys.")
    parser.add_argument(
        "--notes",
        type=str,
        default="",
        help="What the configuration is for and the figures to expect; kept with the run.",
    )
    parser.add_function_arguments(fit, skip={"data", "system", "trainer", "config"})
    parser.add_argument(
        "--system.class_path",
        type=str,
        default="CartesianMRI",
        help="Forward model, by name or import path; the data give its arrays.",
    )
    parser.add_argument(
        "--system.init_args",
        type=dict[str, Any],
        default={},
        help="Values of the forward model's settings, such as n_space.",
    )
    parser.add_class_arguments(ReconData, "data")
    parser.add_class_arguments(
        lightning.Trainer,
        "trainer",
        instantiate=False,
        skip={"logger", "default_root_dir", "enable_checkpointing"},
    )
    parser.set_defaults(_DEFAULTS)
    return parser


def prepare(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    """Seed everything and make the arguments of `fit` from a parsed configuration."""
    system = SystemFactory(config.system.class_path, dict(config.system.init_args))
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    made = vars(parser.instantiate(config))
    for name in ("config", "notes"):
        made.pop(name, None)
    text = parser.dump(config, skip_unset=False)
    if made["data"].seed is None:
        made["data"].seed = config.seed
    return {**made, "system": system, "trainer": dict(vars(made["trainer"])), "config": text}
