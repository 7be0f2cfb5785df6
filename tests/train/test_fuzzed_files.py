"""Damaged HDF5 files: each is read or refused with a message, and nothing crashes or hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "fuzz_files.py"
N = int(os.environ.get("RECONIC_FUZZ", 500))  # `make fuzz` tries 10,000
PER_PROCESS = 1000


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, N, PER_PROCESS))
def test_damaged_files_are_read_or_refused(tmp_path, first):
    command = [sys.executable, SCRIPT, str(first), str(min(first + PER_PROCESS, N)), tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]  # negative: the signal of a crash or a hang
    assert not done.stdout
