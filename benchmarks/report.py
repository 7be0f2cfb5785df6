"""RESULTS.json and RESULTS.md: rows of several commands, machines and devices in one table."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGES = (
    "reconic",
    "numpy",
    "torch",
    "jax",
    "jaxlib",
    "finufft",
    "jax-finufft",
    "torchkbnufft",
    "sigpy",
    "mrpro",
)


@dataclass
class Row:
    """One measurement.

    Attributes:
        group: Heading of the table that it belongs to.
        name: What was measured; unique within group and device.
        value: The number.
        unit: "×" for ratios, "ms", "MB", …
        device: "cpu" or the accelerator's name.
        target: Largest (with "≤") or smallest (with "≥") right value, as text; "" if none.
        detail: What stands behind the number.
    """

    group: str
    name: str
    value: float
    unit: str
    device: str
    target: str = ""
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if not self.target:
            return None
        bound = float(self.target[1:])
        return self.value <= bound if self.target[0] == "≤" else self.value >= bound


def save(rows: list[Row], folder: Path = FOLDER) -> None:
    """Merge `rows` into RESULTS.json, replacing those of the same name, and rewrite RESULTS.md."""
    path = folder / "RESULTS.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    fresh = {(r.group, r.name, r.device) for r in rows}
    kept = [r for r in kept if (r["group"], r["name"], r["device"]) not in fresh]
    where = environment()
    kept += [{**asdict(r), "met": r.met, "environment": where} for r in rows]
    _write(path, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    _write(folder / "RESULTS.md", _markdown(kept))


def environment() -> dict[str, str]:
    """Machine, threads, versions and date."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **versions,
    }


def cpu_name() -> str:
    """Name of the processor and its widest vector instructions."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [
        line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")
    ]
    vectors = next((v for v in ("avx512f", "avx2", "asimd") if v in info), "")
    return f"{names[0] if names else platform.processor()} {vectors}".strip()


def _markdown(rows: list[dict]) -> str:
    lines = [
        "# Measured speed",
        "",
        "Written by `make bench` and `make bench-peers`. Ratios are medians over rounds in which",
        "every candidate ran once, in random order.",
    ]
    for group in dict.fromkeys(r["group"] for r in sorted(rows, key=lambda r: r["group"])):
        lines += [
            "",
            f"## {group}",
            "",
            "| | value | target | device | how |",
            "|---|---|---|---|---|",
        ]
        lines += [_line(r) for r in rows if r["group"] == group]
    lines += ["", "## Measured on", ""]
    for where in dict.fromkeys(json.dumps(r["environment"], ensure_ascii=False) for r in rows):
        parts = [f"{k} {v}" for k, v in json.loads(where).items()]
        lines.append("- " + ", ".join(parts))
    return "\n".join(lines) + "\n"


def _line(r: dict) -> str:
    mark = {True: " ✓", False: " ✗", None: ""}[r["met"]]
    value = f"{r['value']:.3g} {r['unit']}"
    return f"| {r['name']} | **{value}** | {r['target']}{mark} | {r['device']} | {r['detail']} |"


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text)
    part.replace(path)
