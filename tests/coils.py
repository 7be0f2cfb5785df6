"""Oracles of coils that are spread: the solution by a dense matrix, and starting the processes."""

import socket
import subprocess
import sys
from pathlib import Path

import many_coils
import numpy as np
from many_coils import LAM, N_COILS, SHAPE


def matrix(arrays):
    """A (coils · samples, voxels), entry by entry from the definition."""
    r = np.stack(np.meshgrid(*[np.arange(n) - n // 2 for n in SHAPE], indexing="ij"), -1)
    r = r.reshape(-1, 3)
    if "mask" in arrays:
        traj, weights = 2 * np.pi * r / SHAPE, arrays["mask"].ravel()
    else:
        traj, weights = arrays["traj"], np.sqrt(arrays["dcf"])
    transform = weights[:, None] * np.exp(-1j * traj @ r.T) / np.sqrt(len(r))
    return np.concatenate([transform * s for s in arrays["maps"].reshape(N_COILS, -1)])


def solution(arrays, y, lam=LAM):
    """x = (AᴴA + λI)⁻¹ Aᴴy; y as acquired with weights, as the system predicts it."""
    A = matrix(arrays)
    normal = A.conj().T @ A + lam * np.eye(A.shape[1])
    return np.linalg.solve(normal, A.conj().T @ y.ravel()).reshape(SHAPE)


def slope(arrays, y, field, direction, step=1e-6):
    """Derivative of Σ|x|⁴ along a direction of a field, or of λ, by central differences."""

    def loss(sign):
        moved, lam = dict(arrays), LAM
        if field == "lam":
            lam = LAM + sign * step * direction
        else:
            moved[field] = arrays[field] + sign * step * direction
        return np.sum(np.abs(solution(moved, y, lam)) ** 4)

    return (loss(1) - loss(-1)) / (2 * step)


def start(*words):
    return subprocess.Popen(
        [sys.executable, str(Path(many_coils.__file__)), *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(processes):
    told = [process.communicate(timeout=300)[0] for process in processes]
    assert not any(process.returncode for process in processes), "\n".join(told)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
