"""One multi-coil problem over several processes in torch, against a dense solve."""

import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from coils import finish, matrix, slope, solution, start
from many_coils import LAM, N_COILS, problem, solve, systems
from tiny import tiny_arrays, write_h5

from reconic.operator import Identity
from reconic.train import coil_share, spread_coils
from reconic.train.apply import reconstruct_file

CLOSE = {"rtol": 0, "atol": 1e-9}  # as in tests/descent/test_coils.py


@pytest.fixture
def alone(tmp_path):
    """A group of this process."""
    dist.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_one_process_gives_the_dense_solution(alone):
    arrays, y = problem("cartesian")
    A, own = spread_coils(systems({k: torch.from_numpy(v) for k, v in arrays.items()}),
                          torch.from_numpy(y))  # fmt: skip
    np.testing.assert_allclose(solve(A, own, LAM), solution(arrays, y), **CLOSE)


def test_a_process_reads_its_own_coils_alone(alone, monkeypatch, tmp_path):
    arrays = tiny_arrays(1, n_coils=5)
    few = {k: v[:, 1:3] if k in ("ksp", "maps") else v for k, v in arrays.items()}
    paths = [str(write_h5(tmp_path / f"{i}.h5", a)) for i, a in enumerate((arrays, few))]
    _, expected = reconstruct_file(paths[1], lam=1e-3)
    monkeypatch.setattr("reconic.train.apply.coil_share", lambda n: slice(1, 3))
    scan, found = reconstruct_file(paths[0], lam=1e-3)
    assert scan.ksp.shape[0] == 2
    for name, one in expected.items():
        np.testing.assert_array_equal(found[name].x, one.x)
        assert found[name].holdout == one.holdout


def test_processes_share_coils_evenly(monkeypatch):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda group: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(dist, "get_rank", lambda group, rank=rank: rank)
        shares.append(range(8)[coil_share(8)])
    assert [len(s) for s in shares] == [3, 3, 2]
    assert [c for s in shares for c in s] == list(range(8))
    with pytest.raises(ValueError, match="a coil for each process, got 2 for 3"):
        coil_share(2)


def test_without_a_group(alone):
    with pytest.raises(TypeError, match="`A` must have coil maps, got Identity"):
        spread_coils(Identity((3,)), torch.zeros(3))


def test_without_other_processes():
    with pytest.raises(RuntimeError, match=r"torch\.distributed must be initialised"):
        coil_share(4)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    pytest.importorskip("finufft")
    folder = tmp_path_factory.mktemp("ranks")
    finish([start("ranks", folder, i) for i in range(2)])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cartesian", "noncartesian"])
def test_two_processes_give_the_dense_solution_and_its_gradients(pair, kind, rng):
    arrays, y = problem(kind)
    found = [np.load(pair / f"ranks{i}.{kind}.npz") for i in range(2)]
    np.testing.assert_array_equal(found[0]["x"], found[1]["x"])
    np.testing.assert_allclose(found[0]["x"], solution(arrays, y), **CLOSE)
    assert [list(f["own"]) for f in found] == [[0, 1, 2], [3, 4]]
    for field, value in {**arrays, "lam": np.float64(LAM)}.items():
        gradient = found[0][field]
        if field == "maps":
            gradient = np.concatenate([f["maps"] for f in found])
        else:  # up to the order of sums, which the backward solve takes on from
            np.testing.assert_allclose(found[1][field], gradient, rtol=1e-10, atol=1e-12)
        direction = rng.standard_normal(value.shape)
        if np.iscomplexobj(value):
            direction = direction + 1j * rng.standard_normal(value.shape)
        along = np.sum((gradient.conj() * direction).real)
        assert along == pytest.approx(slope(arrays, y, field, direction), rel=1e-5), field


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cartesian", "noncartesian"])
def test_two_processes_give_the_gradients_of_losses_of_the_image(pair, kind):
    """Of ‖Ax - y‖² + ‖AᴴAx‖², at a constant image: 2 Aᴴ(Ax - y) + 2 (AᴴA)² x."""
    arrays, y = problem(kind)
    M, y = matrix(arrays), y.ravel()
    x = np.full(M.shape[1], 1 + 2j)
    normal = M.conj().T @ M
    expected = 2 * (normal @ x - M.conj().T @ y + normal @ normal @ x)
    for i in range(2):
        found = np.load(pair / f"ranks{i}.{kind}.npz")
        np.testing.assert_allclose(found["image"].ravel(), expected, rtol=1e-9)
        assert found["energy"] == pytest.approx(np.linalg.norm(y) ** 2, rel=1e-12)
        for image, factor in zip(found["batch"], (1, 2), strict=True):
            np.testing.assert_allclose(image.ravel(), factor * M.conj().T @ y, **CLOSE)


@pytest.mark.slow
def test_processes_with_other_images_are_told(pair):
    told = {(pair / f"differ{i}.txt").read_text() for i in range(2)}
    assert len(told) == 1
    assert "must give the same system, got the image shapes" in told.pop()


def test_the_oracle_is_that_of_the_systems(rng):
    arrays, y = problem("noncartesian")
    A = systems(arrays)
    x = rng.standard_normal(A.in_shape) + 0j
    np.testing.assert_allclose(A(x).ravel(), matrix(arrays) @ x.ravel(), rtol=0, atol=1e-10)
    assert math.prod(A.out_shape) == N_COILS * 30 == y.size
