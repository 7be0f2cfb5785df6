"""Measure Reconic against its own bounds: `python benchmarks/run.py [--device cuda] [--quick]`."""

from __future__ import annotations

import argparse
from pathlib import Path

import calibration
import cgsense
import descent
import loading
import log_cost
import modl
import noncartesian
import options
import scaling
import spread_coils
import viewer
from report import FOLDER, save

PARTS = {
    "torch": cgsense.torch_rows,
    "jax": cgsense.jax_rows,
    "modl": modl.rows,
    "noncartesian": noncartesian.rows,
    "loading": loading.rows,
    "options": options.rows,
    "coils": spread_coils.rows,
    "espirit": calibration.rows,
    "descent": descent.rows,
    "logging": log_cost.rows,
    "viewer": viewer.rows,
    "scaling": scaling.rows,
}


def main() -> None:
    """Run the chosen parts; each writes its rows as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda, of torch and of JAX")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of RESULTS.md and .json")
    args = parser.parse_args()
    for part in args.only:
        rows = PARTS[part](args.device, args.quick)
        save(rows, args.out)
        for r in rows:
            print(
                f"{r.group} | {r.name}: {r.value:.3g} {r.unit} {r.target} | {r.detail}", flush=True
            )


if __name__ == "__main__":
    main()
