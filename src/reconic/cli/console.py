"""What commands print."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

__all__ = ["format_scores", "format_table", "say"]


def say(text: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain table: the first column flush left, the others flush right, a rule under the header."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    return "\n".join([line(cells[0]), "  ".join("-" * w for w in widths), *map(line, cells[1:])])


def format_scores(results: Mapping[str, Mapping[str, float]]) -> str:
    """Table of NRMSE, PSNR and SSIM for each method."""
    rows = [
        [name, f"{r['nrmse']:.4f}", f"{r['psnr']:.2f}", f"{r['ssim']:.4f}"]
        for name, r in results.items()
    ]
    return format_table(["method", "NRMSE", "PSNR [dB]", "SSIM"], rows)
