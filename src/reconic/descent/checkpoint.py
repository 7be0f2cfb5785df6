"""Checkpoints: the whole state of a run in one file that appears whole, without pickle."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic.descent.state import State
from reconic.descent.trees import names_of
from reconic.io import atomic_path

__all__ = ["Saved", "latest", "read", "restore", "write"]

_FORMAT = 1
_NAME = re.compile(r"epoch_(\d+)\.npz")


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes:
        path: File.
        epoch: Epochs done.
        arrays: Arrays of the state by path, and `history` and `held_out`.
        facts: What a run that goes on must agree with, by name.
    """

    path: Path
    epoch: int
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


def write(
    folder: Path,
    epoch: int,
    state: State,
    logs: Mapping[str, np.ndarray],
    facts: Mapping[str, Any],
    keep: int,
) -> None:
    """Save a state and delete all but the newest `keep` checkpoints.

    Args:
        folder: Folder of the checkpoints; made if missing.
        epoch: Epochs done.
        state: State.
        logs: Arrays of the history.
        facts: What a run that goes on must agree with.
        keep: Number of checkpoints to keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {**{f"state/{k}": v for k, v in _named(state).items()}, **logs}
    stored = {k: np.asarray(v) for k, v in arrays.items()}
    meta = {
        "format": _FORMAT,
        "epoch": epoch,
        "facts": facts,
        "dtypes": {k: v.dtype.name for k, v in stored.items()},
    }
    plain: dict[str, Any] = {
        k: v.view(np.uint8) if v.dtype.kind == "V" else v for k, v in stored.items()
    }
    with atomic_path(folder / f"epoch_{epoch:08d}.npz") as part:
        np.savez(part, __meta__=np.asarray(json.dumps(meta)), **plain)
    for _, path in _found(folder)[:-keep]:
        path.unlink(missing_ok=True)


def latest(run: Path) -> Saved:
    """Newest checkpoint of a run folder that can be read; or that of a file itself.

    Raises:
        FileNotFoundError: If there is none.
    """
    if run.is_file():
        return read(run)
    for _, path in reversed(_found(run / "checkpoints")):
        try:
            return read(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue
    raise FileNotFoundError(f"there is no checkpoint in {str(run / 'checkpoints')!r}.")


def read(path: Path) -> Saved:
    """What a checkpoint holds.

    Raises:
        ValueError: If it is of another format.
    """
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        if "__meta__" not in file:
            raise ValueError(f"{path} is no checkpoint of a descent.")
        meta = json.loads(str(file["__meta__"]))
        if meta["format"] != _FORMAT:
            raise ValueError(
                f"{path} must be a checkpoint of format {_FORMAT}, got {meta['format']}. Read it "
                "with the version of Reconic that wrote it."
            )
        dtypes = {k: jnp.dtype(v) for k, v in meta["dtypes"].items()}
        arrays = {k: _typed(file[k], dtype) for k, dtype in dtypes.items()}
    return Saved(path, meta["epoch"], arrays, meta["facts"])


def restore(saved: Saved, like: State, facts: Mapping[str, Any]) -> State:
    """State of a checkpoint, in the structure of `like`.

    Raises:
        ValueError: If the run that goes on is set up otherwise; names what differs.
    """
    where = f"resume: {saved.path}"
    for name, value in facts.items():
        if saved.facts.get(name) != value:
            raise ValueError(
                f"{where} was made with {name} {saved.facts.get(name)!r}, got {value!r}. Go on "
                "with the same, or start a new run."
            )
    have = {k.removeprefix("state/"): v for k, v in saved.arrays.items() if k.startswith("state/")}
    want = _named(like)
    for name in sorted(want.keys() ^ have.keys()):
        place = "the checkpoint lacks" if name in want else "this run has no"
        raise ValueError(f"{where}: {place} {name}. Use the same variables and optimizers.")
    for name, value in want.items():
        if (have[name].shape, have[name].dtype) != (value.shape, value.dtype):
            raise ValueError(
                f"{where}: {name} must be {value.dtype} {value.shape}, got {have[name].dtype} "
                f"{have[name].shape}."
            )
    leaves = [jnp.asarray(have[name]) for name in want]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named(state: State) -> dict[str, Any]:
    found = jax.tree_util.tree_flatten_with_path(state)[0]
    return {"/".join(names_of(path)): leaf for path, leaf in found}


def _found(folder: Path) -> list[tuple[int, Path]]:
    entries = folder.iterdir() if folder.is_dir() else ()
    matches = ((m, p) for p in entries if (m := _NAME.fullmatch(p.name)))
    return sorted((int(m[1]), p) for m, p in matches)


def _typed(a: np.ndarray, dtype: Any) -> np.ndarray:
    """Array of a dtype that NumPy's files do not know, such as bfloat16, from its bytes."""
    return a if a.dtype == dtype else a.view(dtype)
