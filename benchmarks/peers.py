"""Measure Reconic against its peers: `python benchmarks/peers.py [--quick] [--only NAME]`.

`cgsense`: sigpy, mrpro and BART solve the same problem, read from files, with the same λ and number
of iterations, from the measurements to the image. `training`: deepinv's MoDL and fastMRI's
end-to-end VarNet make training steps of the same architecture and size.

The Python peers live in `.venv-peers`, made here when it is not there; BART is a program of the
system. Rounds are interleaved over processes that stay alive, so no start-up is timed; BART starts
anew for each solve, which is reported with and without.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
from measure import Times, interleave, milliseconds, ratio
from problem import Problem, make_problem, nrmse
from report import FOLDER, Row, save

from reconic.io.cfl import read_cfl, write_cfl

ROOT = FOLDER.parent
VENV = ROOT / ".venv-peers"
TORCH = "torch==2.13.0"
PEERS = ("sigpy", "mrpro", "deepinv", "fastmri")
FASTMRI_NEEDS = ("h5py", "pandas", "pyyaml", "requests", "scikit-image")
EXTRA_ITER = 100  # more iterations of BART whose time has no start-up in it


class Worker:
    """A process that solves the problem each time it is asked."""

    def __init__(self, python: Path, name: str, folder: Path) -> None:
        command = [str(python), str(FOLDER / "worker.py"), name, str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.name, self.folder = name, folder
        self.seconds: list[float] = []

    def run(self) -> None:
        """Solve once; the worker times itself, so that the pipe is not counted."""
        self.process.stdin.write("\n")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"peers: `{self.name}` ended early, status {self.process.wait()}.")
        self.seconds.append(float(line))

    def finish(self) -> np.ndarray:
        """Image, after the worker has ended."""
        self.process.stdin.close()
        self.process.wait()
        return np.load(self.folder / f"{self.name}.npy")


def bart(folder: Path, lam: float, n_iter: int) -> None:
    """Solve with `bart pics`, in a process of its own."""
    command = ["bart", "pics", "-l2", "-S", "-r", str(lam), "-i", str(n_iter), "y", "maps", "bart"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def make_peers() -> Path:
    """Python of `.venv-peers`, made if it is not there; torch first, for pip to keep that build."""
    python = VENV / "bin" / "python"
    if not python.exists():
        venv.create(VENV, with_pip=True)
    found = subprocess.run(
        [python, "-m", "pip", "list"], check=True, capture_output=True, text=True
    )
    if not {*PEERS} <= set(found.stdout.split()):
        pip = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, TORCH], check=True)
        subprocess.run([*pip, TORCH, *PEERS[:-1], *FASTMRI_NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", PEERS[-1]], check=True)  # it asks for more than it uses
    return python


def versions(python: Path) -> str:
    """Versions of the peers."""
    code = (
        f"from importlib.metadata import version as v\nfor n in {(*PEERS, 'torch')}: print(n, v(n))"
    )
    listed = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout
    found = listed.strip().replace("\n", ", ")
    if not shutil.which("bart"):
        return found
    shown = subprocess.run(["bart", "version"], check=True, capture_output=True, text=True).stdout
    return f"{found}, BART {shown.strip()}"


def measure(problem: Problem, folder: Path, rounds: int) -> tuple[Times, dict[str, float]]:
    """Seconds of every solver in every round, and the NRMSE of its image."""
    problem.write(folder)
    peers = make_peers()
    homes = {
        "reconic-torch": sys.executable,
        "reconic-jax": sys.executable,
        "sigpy": peers,
        "mrpro": peers,
    }
    workers = {name: Worker(python, name, folder) for name, python in homes.items()}
    candidates = {name: w.run for name, w in workers.items()}
    if shutil.which("bart"):
        write_cfl(folder / "maps", problem.maps[:, None])  # (coil, z, y, x)
        write_cfl(folder / "y", problem.y[:, None])
        lam, n_iter = problem.lam, problem.n_iter
        candidates["bart, longer"] = lambda: bart(folder, lam, n_iter + EXTRA_ITER)
        candidates["bart"] = lambda: bart(folder, lam, n_iter)
    times = interleave(candidates, rounds, warm_up=1)
    for name, w in workers.items():
        times[name] = np.asarray(w.seconds[1:])  # without the warm-up
    errors = {name: nrmse(w.finish(), problem.truth) for name, w in workers.items()}
    if "bart" in times:
        bart(folder, problem.lam, problem.n_iter)
        errors["bart"] = nrmse(read_cfl(folder / "bart").squeeze(), problem.truth)
        longer = times.pop("bart, longer") - times["bart"]
        times["bart, its iterations alone"] = longer * (problem.n_iter / EXTRA_ITER)
        errors["bart, its iterations alone"] = errors["bart"]
    return times, errors


def rows(problem: Problem, times: Times, errors: dict[str, float], peers: str) -> list[Row]:
    """Each peer's time over that of Reconic on torch and on JAX."""
    n_coils, n = problem.maps.shape[:2]
    group = (
        f"CG-SENSE against peers, {n_coils} coils, {n}², {problem.n_iter} iterations, from y to x"
    )
    found = [
        Row(
            group,
            f"{own}: time",
            milliseconds(times, own),
            "ms",
            "cpu",
            "",
            f"NRMSE {errors[own]:.4f}",
        )
        for own in ("reconic-torch", "reconic-jax")
    ]
    for peer in times:
        if peer.startswith("reconic"):
            continue
        detail = f"{milliseconds(times, peer):.1f} ms, NRMSE {errors[peer]:.4f}; {peers}"
        if peer == "bart":
            detail = "a whole process, with start-up and files; " + detail
        for own in ("reconic-torch", "reconic-jax"):
            value = ratio(times, peer, own)
            found.append(Row(group, f"{peer} / {own}", value, "×", "cpu", "≥1", detail))
    return found


def measure_training(quick: bool, rounds: int) -> tuple[Times, dict[str, np.ndarray]]:
    """Seconds of every training step in every round; peak memory in MB and parameters of each."""
    python = {"reconic": Path(sys.executable)}
    times: Times = {}
    sizes: dict[str, np.ndarray] = {}
    for peer, kind, n in (("deepinv", "modl", 256), ("fastmri", "varnet", 128)):
        problem = make_problem(n=48 if quick else n, n_coils=4 if quick else 8, lines=True)
        with tempfile.TemporaryDirectory() as folder:
            problem.write(Path(folder))
            workers = [
                Worker(python.get(who, make_peers()), f"{who}-{kind}", Path(folder))
                for who in ("reconic", peer)
            ]
            interleave({w.name: w.run for w in workers}, rounds, warm_up=1)
            times |= {w.name: np.asarray(w.seconds[1:]) for w in workers}
            sizes |= {w.name: w.finish() for w in workers}
    return times, sizes


def training_rows(times: Times, sizes: dict[str, np.ndarray], peers: str) -> list[Row]:
    """Each peer's time and peak memory over Reconic's."""
    found = []
    for peer, kind, what in (
        ("deepinv", "modl", "MoDL training step, 5 unrolls, 6 CG iterations, 8 coils, 256²"),
        ("fastmri", "varnet", "VarNet training step, 12 cascades, 8 coils, 128²"),
    ):
        a, b = f"{peer}-{kind}", f"reconic-{kind}"
        group = f"{what}, against {peer}"
        counts = f"{sizes[a][1]:.3g} and {sizes[b][1]:.3g} parameters; {peers}"
        ms = f"{milliseconds(times, a):.0f} ms, {milliseconds(times, b):.0f} ms; {counts}"
        mb = f"{sizes[a][0]:.0f} MB, {sizes[b][0]:.0f} MB"
        memory = float(sizes[a][0] / sizes[b][0])
        found += [
            Row(group, f"{a} / {b}: time", ratio(times, a, b), "×", "cpu", "≥1", ms),
            Row(group, f"{a} / {b}: peak memory", memory, "×", "cpu", "≥1", mb),
        ]
    return found


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small problems, to see that all works"
    )
    parser.add_argument("--only", choices=["cgsense", "training"], help="one part alone")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of RESULTS.md and .json")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))  # the same for all
    peers = versions(make_peers())
    found: list[Row] = []
    if args.only != "training":
        problem = make_problem(n=48, n_coils=4) if args.quick else make_problem()
        with tempfile.TemporaryDirectory() as folder:
            times, errors = measure(problem, Path(folder), rounds=3 if args.quick else 20)
        found += rows(problem, times, errors, peers)
    if args.only != "cgsense":
        found += training_rows(*measure_training(args.quick, 2 if args.quick else 7), peers)
    save(found, args.out)
    for r in found:
        print(f"{r.name}: {r.value:.3g} {r.unit} | {r.detail}")


if __name__ == "__main__":
    main()
