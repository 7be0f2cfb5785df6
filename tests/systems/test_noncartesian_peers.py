"""Agreement with other packages, with each package's own units and scale.

A trajectory k in rad/voxel is for

- finufft: k, component by component; no scale
- torchkbnufft: k, components first (n, m); no scale
- SigPy: k N / 2π (−N/2 … N/2), components last; orthonormal, as here
- BART: k N / 2π (units of 1/FOV), components first in its order x, y, z; orthonormal, its exact
  sum (-s) without scale
"""

import contextlib
import importlib.util
import shutil
import subprocess
import warnings

import numpy as np
import pytest

from reconic.io.cfl import read_cfl, write_cfl
from reconic.operator import Identity
from reconic.solvers import cg
from reconic.systems import NonCartesianMRI

SHAPE = (32, 24)
needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


@contextlib.contextmanager
def peer(name):
    """A package whose own warnings are no failures of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
        yield importlib.import_module(name)


def bart(folder, *args, **inputs):
    """Output of a BART command of which names in `args` are files; arrays in our order of axes."""
    for name, a in inputs.items():
        write_cfl(folder / name, a.astype(np.complex64))
    command = ["bart", *args, *inputs, "out"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return read_cfl(folder / "out")


def in_bart(traj, shape):
    """(…, n) in rad/voxel as (…, 1, m, 3) for a .cfl file."""
    flat = (traj / (2 * np.pi) * shape).reshape(*traj.shape[:-2], traj.shape[-2], -1)[..., ::-1]
    return np.concatenate([flat, np.zeros((*flat.shape[:-1], 3 - flat.shape[-1]))], axis=-1)


def error(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.fixture
def scan(normal, rng):
    """One coil without a map, so that the system is the transform alone."""
    traj = rng.uniform(-np.pi, np.pi, (300, 2))
    A = NonCartesianMRI(np.ones((1, *SHAPE), complex), traj, tol=1e-9)
    return A, normal(*SHAPE), normal(1, 300)


def test_finufft(scan):
    A, x, y = scan
    root, k = np.sqrt(x.size), A.traj.T.copy()
    with peer("finufft") as finufft:
        forward = finufft.nufft2d2(*k, x, isign=-1, eps=1e-12) / root
        back = finufft.nufft2d1(*k, y[0], SHAPE, isign=1, eps=1e-12) / root
        normal = finufft.nufft2d1(*k, forward, SHAPE, isign=1, eps=1e-12) / root
    assert error(A(x)[0], forward) < 1e-8  # ten times our tolerance
    assert error(A.adjoint(y), back) < 1e-8
    assert error(A.normal(x), normal) < 1e-8


@pytest.mark.slow  # compiles
def test_sigpy(scan):
    """With an oversampling of 2 and a kernel of 6 its error is about 1e-5."""
    A, x, y = scan
    coord, accurate = A.traj / (2 * np.pi) * SHAPE, {"oversamp": 2, "width": 6}
    with peer("sigpy") as sigpy:
        forward = sigpy.nufft(x, coord, **accurate)
        back = sigpy.nufft_adjoint(y[0], coord, SHAPE, **accurate)
        normal = sigpy.nufft_adjoint(forward, coord, SHAPE, **accurate)
    assert error(A(x)[0], forward) < 1e-4
    assert error(A.adjoint(y), back) < 1e-4
    assert error(A.normal(x), normal) < 1e-4


def test_torchkbnufft(scan):
    """With a kernel of 8 its error is about 1e-3 on random images, which reach into the corners."""
    torch = pytest.importorskip("torch")
    A, x, y = scan
    k, image, data = (torch.tensor(a) for a in (A.traj.T.copy(), x[None, None], y[None]))
    with peer("torchkbnufft") as tkbn:
        forward = tkbn.KbNufft(SHAPE, numpoints=8)(image, k)
        back = tkbn.KbNufftAdjoint(SHAPE, numpoints=8)(data, k)
        kernel = tkbn.calc_toeplitz_kernel(k, SHAPE, numpoints=8)
        normal = tkbn.ToepNufft()(image, kernel)
    root = np.sqrt(x.size)
    assert error(A(x), forward.numpy()[0] / root) < 3e-3
    assert error(A.adjoint(y), back.numpy()[0, 0] / root) < 3e-3
    assert error(A.normal(x), normal.numpy()[0, 0] / x.size) < 3e-3


@needs_bart
def test_bart_nufft(scan, tmp_path):
    """By its exact sum to its single precision, by its gridding (periodic: -P) to about 2e-3."""
    A, x, y = scan
    k = in_bart(A.traj, SHAPE)[None]
    exact = bart(tmp_path, "nufft", "-s", k=k, x=x).ravel() / np.sqrt(x.size)
    assert error(A(x)[0], exact) < 1e-5
    assert error(A(x)[0], bart(tmp_path, "nufft", "-P", k=k, x=x).ravel()) < 3e-3
    size = ":".join(map(str, (*SHAPE[::-1], 1)))
    samples = y[0][None, :, None]
    back = bart(tmp_path, "nufft", "-a", "-P", "-d", size, k=k, y=samples).reshape(SHAPE)
    assert error(A.adjoint(y), back) < 3e-3
    forward = A(x)[0][None, :, None]
    normal = bart(tmp_path, "nufft", "-a", "-P", "-d", size, k=k, y=forward).reshape(SHAPE)
    assert error(A.normal(x), normal) < 3e-3


# --- CG-SENSE -------------------------------------------------------------------------------------


@pytest.fixture
def sense():
    """Four coils, 20 golden-angle spokes, λ, and our image."""
    n, n_coils, lam = 32, 4, 0.1
    rows, columns = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    at = 2 * np.pi * np.arange(n_coils)[:, None, None] / n_coils
    away = (rows - 1.2 * np.sin(at)) ** 2 + (columns - 1.2 * np.cos(at)) ** 2
    maps = np.exp(-away / 1.5 + 1j * (columns * np.sin(at) + at))
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    angle = np.pi * (np.sqrt(5) - 1) / 2 * np.arange(20)[:, None]
    along = 0.95 * np.pi * (np.arange(2 * n) - n) / n  # BART's gridding is not periodic by default
    traj = np.stack([along * np.sin(angle), along * np.cos(angle)], axis=-1)
    A = NonCartesianMRI(maps, traj, n_sample_axes=2, tol=1e-9)
    y = A((np.hypot(rows, columns) < 0.8) * (1 + columns + 1j * rows))
    M = A.N + lam * Identity((n, n))
    return A, y, lam, cg(M, A.adjoint(y), max_iter=500, tol=1e-9).x


@needs_bart
def test_cg_sense_of_bart_pics(sense, tmp_path):
    A, y, lam, x_hat = sense
    k = in_bart(A.traj, x_hat.shape)
    options = ("-l2", "-r", str(lam), "-i", "300", "-w", "1", "-t")
    got = bart(tmp_path, "pics", *options, k=k, y=y[..., None], s=A.maps[:, None])
    assert error(got.reshape(x_hat.shape), x_hat) < 1e-3


def test_cg_sense_of_sigpy(sense):
    A, y, lam, x_hat = sense
    coord = (A.traj / (2 * np.pi) * x_hat.shape).reshape(-1, 2)
    with peer("sigpy"), peer("sigpy.mri.app") as app:
        solve = app.SenseRecon(
            y.reshape(len(y), -1), A.maps, lamda=lam, coord=coord, max_iter=200, show_pbar=False
        )
        assert error(solve.run(), x_hat) < 1e-3
