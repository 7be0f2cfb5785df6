"""ESPIRiT on torch against `bart ecalib`, a whole process with its start-up and files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from measure import interleave, milliseconds, ratio
from problem import make_problem
from report import Row

from reconic.calibrate import espirit
from reconic.io.cfl import write_cfl


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of the calibration on `device`; none where BART is not installed."""
    if not shutil.which("bart"):
        return []
    problem = make_problem(n=48, n_coils=4) if quick else make_problem()
    n_coils, n = problem.maps.shape[:2]
    side = 12 if quick else 24
    place = torch.device(device)
    y = torch.from_numpy(np.ascontiguousarray(problem.y)).to(place)
    with tempfile.TemporaryDirectory() as folder:
        write_cfl(Path(folder) / "y", problem.y[:, None])
        command = ["bart", "ecalib", "-m1", f"-r{side}", "-k6", "-c0.8", "y", "maps"]
        candidates = {
            "reconic": lambda: espirit(y, side, kernel=6, crop=0.8).cpu(),
            "bart": lambda: subprocess.run(command, cwd=folder, check=True, capture_output=True),
        }
        times = interleave(candidates, rounds=2 if quick else 7, warm_up=1)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    detail = f"{milliseconds(times, 'bart'):.0f} ms, {milliseconds(times, 'reconic'):.0f} ms"
    group = f"ESPIRiT, {n_coils} coils, {n}², {side} × {side} calibration samples"
    return [
        Row(group, "bart ecalib / torch", ratio(times, "bart", "reconic"), "×", where, "", detail)
    ]
