"""`reconic doctor`: what is installed and seen, what is missing for what, and how to get it."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from reconic.cli.console import format_table, say
from reconic.cli.spelling import make_parser, parse
from reconic.view.save import find_ffmpeg

__all__ = ["PURPOSES", "Need", "needs"]

PURPOSES = {
    "": "everything",
    "train": "train, test, and recon by a trained run",
    "descent": "descend, reconic.descent",
    "nufft": "non-Cartesian systems",
    "search": "search",
    "io": "TIFF and Zarr",
    "data": "simulate with measured anatomy",
    "tensorboard": "tensorboard --logdir logs",
    "notebook": "viewers in notebooks, films",
    "trackers": "wandb and MLflow",
}


@dataclass(frozen=True)
class Need:
    """A package that an extra asks for.

    Attributes:
        extra: Name of the extra, empty for what is always needed.
        requirement: Name and versions that do.
        version: What is installed; None if it is not.
    """

    extra: str
    requirement: Requirement
    version: str | None

    @property
    def state(self) -> str:
        """Whether it is "ok", "missing", or a "wrong version"."""
        if self.version is None:
            return "missing"
        fits = self.requirement.specifier.contains(self.version, prereleases=True)
        return "ok" if fits else f"wrong version, needs {self.requirement.specifier}"


def run(argv: list[str]) -> int:
    """Print what is found; status 1 if what is installed does not work."""
    parse(make_parser("doctor", "Show what is installed, and what is missing.", config=False), argv)
    found = list(needs())
    say(f"Python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores")
    rows = [[PURPOSES[n.extra], n.requirement.name, n.version or "-", n.state] for n in found]
    say(format_table(["for", "package", "version", "state"], rows) + "\n")
    broken = [f"{n.requirement.name}: {n.state}." for n in found if n.state.startswith("wrong")]
    broken += [
        f"{n.requirement.name}: missing." for n in found if n.version is None and not n.extra
    ]
    broken += list(_accelerators())
    _programs()
    _missing(found)
    for line in broken:
        say(f"PROBLEM {line}")
    say("Try `pip install --upgrade 'reconic[all]'`." if broken else "All that is installed works.")
    return 1 if broken else 0


def needs() -> Iterator[Need]:
    """What Reconic and each extra for users asks for, with what is installed."""
    rest = [Requirement(text) for text in importlib.metadata.requires("reconic") or ()]
    for extra in PURPOSES:
        asked = [r for r in rest if r.marker is None or r.marker.evaluate({"extra": extra})]
        rest = [r for r in rest if r not in asked]
        yield from (Need(extra, r, _version(r.name)) for r in asked if r.name != "reconic")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _accelerators() -> Iterator[str]:
    """Say which devices each library sees; gives what is wrong with them."""
    seen = {}
    for library, devices in {"torch": _torch_devices, "jax": _jax_devices}.items():
        if _version(library) is None:
            continue
        try:
            seen[library] = devices()
            say(f"{library} devices: {', '.join(seen[library])}")
        except Exception as error:  # whatever a broken installation raises
            yield f"{library} cannot be used: {type(error).__name__}: {error}"
    if Path("/dev/nvidia0").exists():
        for library, devices in seen.items():
            if all("cpu" in name.lower() for name in devices):
                yield f"{library} sees no GPU, but there is one. It is a build for CPUs."


def _torch_devices() -> list[str]:
    torch = importlib.import_module("torch")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ["cpu", *names, *(["mps"] if torch.backends.mps.is_available() else [])]


def _jax_devices() -> list[str]:
    return [f"{d.device_kind} ({d})" for d in importlib.import_module("jax").devices()]


def _programs() -> None:
    try:
        say(f"ffmpeg: {find_ffmpeg()}")
    except ImportError:
        say("ffmpeg: missing, for films, .mp4")


def _missing(found: list[Need]) -> None:
    """Say which extras are not complete, and the commands that make them so."""
    extras = dict.fromkeys(n.extra for n in found if n.version is None and n.extra)
    for extra in extras:
        names = ", ".join(n.requirement.name for n in found if n.extra == extra and not n.version)
        say(f"{PURPOSES[extra]}: missing {names}. `pip install 'reconic[{extra}]'`")
