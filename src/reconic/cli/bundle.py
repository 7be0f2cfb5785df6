"""`reconic bundle`: pack a run into one archive that tells nothing of the machine."""

from __future__ import annotations

import io
from pathlib import Path

from reconic.cli.console import say
from reconic.cli.spelling import make_parser, parse
from reconic.track import Input, write_bundle

_OUT = "Archive to write; by default NAME-version_N.zip."


def run(argv: list[str]) -> None:
    """Pack a run, and print what must be supplied with it and, last, the archive's path."""
    parser = make_parser(
        "bundle", "Pack a finished run into one archive, to run it again elsewhere.", config=False
    )
    parser.add_argument("run", type=str, help="Run folder, such as logs/NAME/version_0.")
    parser.add_argument("--weights", action="store_true", help="Pack the result's weights, too.")
    parser.add_argument("--out", type=str | None, default=None, help=_OUT)
    options = parse(parser, argv)
    folder = Path(options.run)
    whole = folder.resolve()
    out = Path(options.out or f"{whole.parent.name}-{whole.name}.zip")
    found = write_bundle(folder, out, _weights(folder) if options.weights else {})
    for item in found.inputs:
        say(f"not packed: {_told(item)}")
    say(str(out))


def _told(item: Input) -> str:
    if item.data is None:
        where = item.hint or "an absolute path"
        return f"{item.key}; nothing is at {where}, so that it cannot be checked later"
    return f"{item.key}, {item.data.n_bytes} bytes, SHA-256 {item.data.sha256[:16]}…"


def _weights(run: Path) -> dict[str, bytes]:
    """Weights of a training run without what else a checkpoint holds, or a descent's variables."""
    states = sorted(run.glob("checkpoints/epoch_*.npz"))
    if states:
        return {"weights/variables.npz": states[-1].read_bytes()}
    found = [p for n in ("best", "last") if (p := run / "checkpoints" / f"{n}.ckpt").is_file()]
    if not found:
        raise FileNotFoundError(f"bundle: {run} must have weights to pack, got none.")
    return {f"weights/{found[0].name}": _plain_weights(found[0])}


def _plain_weights(checkpoint: Path) -> bytes:
    import torch

    from reconic.train.load import read_checkpoint, recon_weights

    weights = recon_weights(read_checkpoint(checkpoint), checkpoint)
    made = io.BytesIO()
    torch.save({"state_dict": {f"recon.{k}": v.clone() for k, v in weights.items()}}, made)
    return made.getvalue()
