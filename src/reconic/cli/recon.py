"""`reconic recon`: reconstruct measured k-space by several methods, and compare them."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from reconic.cli.console import format_table, say
from reconic.cli.ranks import DEVICES, joined, launch, to_launch
from reconic.cli.spelling import make_parser, parse
from reconic.io import WRITERS, Measurement, write_image
from reconic.track import RunWriter, environment, new_run, write_json, write_text
from reconic.train.apply import reconstruct_file
from reconic.train.scan import Reconstruction
from reconic.view import comparison, grey_scale, to_grey

_OUT = """Where to write: .png is the comparison figure; .nii, .nii.gz, .h5, .npy and .cfl are the
last method's image, and the figure goes beside it."""
_FIGURES = (".png", ".pdf", ".svg", ".jpg")


def run(argv: list[str]) -> int | None:
    """Reconstruct; write image, figure and run folder; print the table."""
    parser = recon_parser()
    parser.add_argument("--devices", type=int | None, default=None, help=DEVICES)
    config = parse(parser, argv)
    devices = config.pop("devices")  # how it was started is no part of the run
    out = _checked(Path(config.out))
    if to_launch(devices):
        return launch("recon", argv, devices)
    with joined(devices) as chief:
        if not chief:
            _computed(config)
            return None
        folder, found = reconstruct(config, out)
    rows = [[r.name, _number(r.lam, ".3g"), _number(r.holdout, ".4f")] for r in found.values()]
    say(format_table(["method", "λ", "held-out error"], rows))
    say(config.out)
    if (figure := _figure(out)) != out:
        say(f"figure: {figure}")
    say(str(folder))
    return None


def recon_parser() -> ArgumentParser:
    """Parser of a reconstruction's arguments."""
    parser = make_parser("recon", "Reconstruct measured k-space by several methods.")
    parser.add_function_arguments(reconstruct_file, as_positional=True)
    parser.add_argument("--out", default="recon.png", help=_OUT)
    parser.add_argument("--logdir", default="logs", help="The run goes to logdir/name/version_N.")
    parser.add_argument("--name", default="recon", help="Name of the run.")
    return parser


def reconstruct(
    config: Namespace, out: Path | None = None
) -> tuple[Path, dict[str, Reconstruction]]:
    """Reconstruct as parsed arguments say; the run folder, and what each method made.

    Args:
        config: Parsed arguments.
        out: File to write beside the run folder, if any.
    """
    scan, found = _computed(config)
    folder = new_run(config.logdir, config.name)
    write_text(folder / "config.yaml", recon_parser().dump(config, skip_unset=False))
    write_json(folder / "environment.json", environment())
    _write(folder, out, scan, found)
    return folder, found


def _computed(config: Namespace) -> tuple[Measurement, dict[str, Reconstruction]]:
    names = inspect.signature(reconstruct_file).parameters
    return reconstruct_file(**{name: config[name] for name in names})


def _checked(out: Path) -> Path:
    """`out`, checked before the long work: its folder exists and its ending is known."""
    if not out.name.lower().endswith((*_FIGURES, *WRITERS)):
        known = ", ".join((*_FIGURES, *WRITERS))
        raise ValueError(
            f"`out` must end in one of {known}, got {out.name!r}. Use .png for the figure."
        )
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"the folder of `out` must exist, got {str(out)!r}. Make it first.")
    return out


def _figure(out: Path) -> Path:
    """The figure's file: `out` itself, or beside an image."""
    if out.name.lower().endswith(_FIGURES):
        return out
    ending = max((e for e in WRITERS if out.name.lower().endswith(e)), key=len)
    return out.with_name(out.name[: -len(ending)] + ".png")


def _write(
    folder: Path, out: Path | None, scan: Measurement, found: dict[str, Reconstruction]
) -> None:
    images = {name: r.x for name, r in found.items()}
    notes = {n: f"held-out {r.holdout:.3f}" for n, r in found.items() if math.isfinite(r.holdout)}
    figures = [folder / "figures" / "comparison.png"]
    figures[0].parent.mkdir()
    if out is not None:
        figures.append(_figure(out))
        if figures[1] != out:
            write_image(out, list(images.values())[-1])
    for path in figures:
        comparison(
            images, scan.reference, path, notes=None if scan.reference is not None else notes
        )
    table = {n: {"lam": r.lam, "holdout": r.holdout} for n, r in found.items()}
    write_json(folder / "results.json", table)
    vmax = grey_scale(list(images.values())[1:] or images.values())
    writer = RunWriter(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    writer.hparams(config)
    judged = {f"holdout/{n}": r.holdout for n, r in found.items() if math.isfinite(r.holdout)}
    writer.scalars(judged, 0)
    writer.images({f"recon/{n}": to_grey(x, vmax) for n, x in images.items() if x.ndim == 2}, 0)
    writer.close()


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)
