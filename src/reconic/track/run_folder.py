"""One folder per run: `logdir/NAME/version_N`, never used twice, its files whole or absent."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from reconic.io import atomic_path

__all__ = ["environment", "hidden", "new_run", "write_json", "write_text"]

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):\S*@")
_QUERY = re.compile(r"(?i)(?<=password=)[^&\s]+")
_PACKAGES = (
    "reconic", "numpy", "torch", "lightning", "jax", "jaxlib", "optax", "jsonargparse", "h5py",
    "array-api-compat", "nilearn", "scikit-image", "tensorboardX",
)  # fmt: skip


def new_run(logdir: str | Path, name: str) -> Path:
    """Make the next free folder `logdir/name/version_N`, also if others do so at the same time.

    Args:
        logdir: Folder of all runs; made if missing.
        name: Name of the run; may hold "/".

    Returns:
        Path of the new, empty folder.

    Raises:
        ValueError: If `name` is empty, absolute or leads out of `logdir`.
        OSError: If the folder cannot be made.
    """
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(
            f"new_run: `name` must be a relative path below the log folder, got {name!r}."
        )
    home = Path(logdir, name)
    try:
        home.mkdir(parents=True, exist_ok=True)
        return _next_version(home)
    except OSError as error:
        raise OSError(
            error.errno,
            f"new_run: `logdir` must be a folder that can be written to, got {str(logdir)!r} "
            f"({error.strerror}). Choose another one.",
        ) from error


def _next_version(home: Path) -> Path:
    taken = (re.fullmatch(r"version_(\d+)", entry.name) for entry in home.iterdir())
    version = 1 + max((int(match[1]) for match in taken if match), default=-1)
    while True:
        folder = home / f"version_{version}"
        try:
            folder.mkdir()  # fails if it exists, so of two processes only one gets it
        except FileExistsError:
            version += 1
        else:
            return folder


def write_text(path: str | Path, text: str) -> None:
    """Write a text file; it appears whole, by rename. Missing folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file; it appears whole, by rename. Missing folders are made."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def hidden(text: str) -> str:
    """`text` without the passwords of the URLs in it."""
    return _QUERY.sub("***", _PASSWORD.sub(r"\1:***@", text))


def environment() -> dict[str, Any]:
    """Command, Python, machine and the versions of the packages that matter."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": [hidden(word) for word in sys.argv],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": versions,
    }
