"""Methods by name: those that need no training, trained runs, and configurations of a recon."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reconic.networks import Hourglass, ResNet
from reconic.priors import CycleSpin, Wavelet
from reconic.recons import CGSense, CompressedSensing, MoDL, Recon, ZeroFilled
from reconic.recons.deep_image_prior import DeepImagePrior
from reconic.recons.zero_shot import ZeroShot
from reconic.train.load import load_run, make_recon, read_config

__all__ = ["NAMES", "Method", "find_method"]


@dataclass(frozen=True)
class Method:
    """A way to reconstruct scans.

    Attributes:
        title: Name, as figures and tables call it.
        make: Makes the recon from λ, which methods without one pass over.
        tunes: Whether λ is to be chosen for the scan.
    """

    title: str
    make: Callable[[float], Recon]
    tunes: bool = False


NAMES = ("zerofilled", "cgsense", "wavelet", "zeroshot", "dip")


def find_method(
    name: str, n_space: int = 2, channels: int = 1, adjoint_title: str = "Zero-filled"
) -> Method:
    """Method by its name, by the folder of a training run, or by a file with a configuration.

    Networks start at random numbers of torch's global generator.

    Args:
        name: One of `NAMES`; the folder of a run; or a JSON or YAML file, of a training run or of
            a recon alone, whose recon needs no training.
        n_space: Number of spatial axes of the images.
        channels: Number of images that networks treat together, such as frames.
        adjoint_title: What figures call Aᴴy.

    Raises:
        ValueError: If there is no such method, or its recon needs training.
    """
    path = Path(name)
    if path.suffix in (".json", ".yaml", ".yml") and path.is_file():
        recon = _checked(make_recon(_recon_of(path)), path)
        return Method(type(recon).__name__, lambda _: recon)
    if (path / "config.yaml").is_file():
        _check_system(path)
        recon = load_run(path)
        return Method(type(recon).__name__, lambda _: recon)
    known = {
        "zerofilled": Method(adjoint_title, lambda _: ZeroFilled()),
        "cgsense": Method("CG-SENSE", CGSense, tunes=True),
        "wavelet": Method("Wavelet", lambda lam: _wavelet(lam, n_space), tunes=True),
        "zeroshot": Method("Zero-shot", lambda _: _zero_shot(n_space, channels)),
        "dip": Method("Deep image prior", lambda _: _deep_image_prior(n_space, channels)),
    }
    if name not in known:
        near = difflib.get_close_matches(name, NAMES, n=1)
        raise ValueError(
            f"recon: `method` must be among {', '.join(NAMES)}, a run folder or a file with a "
            f"recon, got {name!r}.{f' Did you mean {near[0]!r}?' if near else ''} A run folder is "
            "one that `reconic train` made, such as logs/NAME/version_0."
        )
    return known[name]


def _check_system(run: Path) -> None:
    """Check that a run is of a system that k-space is of, and not of a user's own."""
    name = str((read_config(run).get("system") or {}).get("class_path", ""))
    if "." in name and not name.startswith("reconic."):
        raise ValueError(
            f"recon: `method` must be of an MRI system of Reconic, got {run}, a run of {name}. "
            f"Write `reconic test {run} --data.test FILE.h5`, or take load_run of reconic.train."
        )


def _wavelet(lam: float, n_space: int) -> Recon:
    prior = CycleSpin(Wavelet(n_space=n_space), n_space=n_space)
    return CompressedSensing(prior, lam)


def _zero_shot(n_space: int, channels: int) -> Recon:
    network = ResNet(channels, width=24, n_blocks=3, n_space=n_space)
    recon = MoDL(network, n_unrolls=3, cg_iter=4, cg_tol=1e-3, start="cgsense")
    return ZeroShot(recon, n_steps=150, lr=3e-3, n_space=n_space)


def _deep_image_prior(n_space: int, channels: int) -> Recon:
    return DeepImagePrior(Hourglass(channels, n_space=n_space), n_space=n_space)


def _recon_of(path: Path) -> dict[str, Any]:
    """Specification of the recon in a file."""
    text = path.read_text(encoding="utf-8")
    try:
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"recon: {path} must be readable, got {error}.") from None
    spec = found.get("recon", found) if isinstance(found, dict) else None
    if not isinstance(spec, dict) or "class_path" not in spec:
        raise ValueError(
            f"recon: {path} must hold a `recon` with its `class_path`, got none. Give the "
            "configuration of a training run."
        )
    return spec


def _checked(recon: Recon, path: Path) -> Recon:
    """The recon, if it is of use without training: what it could learn are only numbers like λ."""
    if recon.fits_each_scan or all(p.numel() == 1 for p in recon.parameters()):
        return recon
    n = sum(p.numel() for p in recon.parameters())
    raise ValueError(
        f"recon: the recon in {path} must need no training, got {type(recon).__name__} with {n} "
        f"weights. Run `reconic train --config {path}` and give the run folder."
    )
