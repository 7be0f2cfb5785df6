"""`reconic info`: versions and devices, or what a run, a data file or a folder of them holds."""

from __future__ import annotations

import importlib.util
from glob import has_magic
from pathlib import Path

from reconic.cli.console import format_table, say
from reconic.cli.data_files import describe_files
from reconic.cli.scores import format_scores
from reconic.cli.spelling import make_parser, parse
from reconic.io import example_files
from reconic.track import environment, read_slices

_PATH = """Run folder; data file; or folder or pattern of HDF5 files, such as data/**/*.h5. Without
one: versions."""


def run(argv: list[str]) -> None:
    """Print versions and devices, a run's configuration and results, or a file's arrays."""
    parser = make_parser("info", "Show versions, a run or data files.", config=False)
    parser.add_argument("path", nargs="?", help=_PATH)
    path = parse(parser, argv).path
    if path is None:
        _show_environment()
    elif (Path(path) / "config.yaml").is_file():
        _show_run(Path(path))
    elif Path(path).is_file():
        say(format_table(["key", "shape", "kind"], _arrays(Path(path))))
    elif Path(path).is_dir() or has_magic(path):
        say(describe_files(example_files(path)))
    else:
        raise FileNotFoundError(f"`path` must be a run folder or data, got {path!r}.")


def _show_environment() -> None:
    found = environment()
    say(f"Python {found['python']} on {found['platform']}, {found['cpus']} cores")
    say(format_table(["package", "version"], list(found["packages"].items())))
    if importlib.util.find_spec("torch"):
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        say(f"torch devices: {', '.join(['cpu', *gpus])}")
    if importlib.util.find_spec("jax"):
        import jax

        say(f"jax devices: {', '.join(map(str, jax.devices()))}")


def _show_run(folder: Path) -> None:
    say((folder / "config.yaml").read_text(encoding="utf-8"))
    checkpoints = sorted(p.name for p in folder.glob("checkpoints/*.ckpt"))
    say(f"checkpoints: {', '.join(checkpoints) or 'none'}")
    if (slices := folder / "slices.csv").is_file():
        say(format_scores(read_slices(slices)))
    elif (results := folder / "results.json").is_file():
        say(results.read_text(encoding="utf-8"))


def _arrays(path: Path) -> list[list[str]]:
    """Rows of key, shape and kind."""
    if path.suffix in (".h5", ".hdf5"):
        import h5py

        from reconic.io.hdf5 import intact

        found = []
        with intact("data", str(path)), h5py.File(path) as file:
            file.visititems(lambda k, v: found.append((k, v)) if hasattr(v, "shape") else None)
            return [[k, str(v.shape), str(v.dtype)] for k, v in found]
    if path.suffix == ".npy":
        import numpy as np

        a = np.load(path, mmap_mode="r")
        return [["-", str(a.shape), str(a.dtype)]]
    if path.suffix in (".cfl", ".hdr"):
        from reconic.io import read_cfl

        return [["-", str(read_cfl(path).shape), "complex64"]]
    raise ValueError(f"`path` must end in .h5, .npy or .cfl, got {path.name!r}.")
