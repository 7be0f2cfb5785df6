"""One multi-coil problem over several JAX devices and processes, against a dense solve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from coils import finish, free_port, slope, solution, start
from many_coils import LAM, N_COILS, problem, solve, systems

from reconic.descent import spread_coils
from reconic.operator import Identity

KINDS = ("cartesian", "noncartesian")
# CG to a residual of 1e-14 and, without a grid, transforms to 1e-13; the condition is some tens
CLOSE = {"rtol": 0, "atol": 1e-9}


def test_one_device_gives_the_dense_solution():
    arrays, y = problem("cartesian")
    A, shares = spread_coils(systems(arrays), y, devices=1)
    np.testing.assert_allclose(solve(A, shares, LAM), solution(arrays, y), **CLOSE)


def test_coils_that_cannot_be_shared():
    arrays, y = problem("cartesian")
    with pytest.raises(TypeError, match=r"`A` must have coil maps, .* got Identity"):
        spread_coils(Identity((3,)), np.zeros(3), devices=1)
    with pytest.raises(ValueError, match=r"spread_coils: `devices` must be from 1 to .* got 4096"):
        spread_coils(systems(arrays), y, devices=4096)
    with pytest.raises(ValueError, match=r"`y` must have shape \(\*batch, 5, 3, 4, 2\), got"):
        spread_coils(systems(arrays), y[:4], devices=1)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    pytest.importorskip("jax_finufft")
    folder = tmp_path_factory.mktemp("coils")
    finish([start("devices", folder)])
    return folder


def whole(found, field):
    """An array of the padded coils' gradient: parts in the order of the devices."""
    parts = [found[k] for k in sorted(k for k in found.files if k.startswith(f"{field}."))]
    return np.concatenate(parts)[:N_COILS] if field == "maps" else parts[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_four_devices_give_the_dense_solution(four, kind):
    found = np.load(four / f"devices.{kind}.npz")
    np.testing.assert_allclose(found["x"], solution(*problem(kind)), **CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_four_devices_are_those_of_the_dense_solution(four, kind, rng):
    arrays, y = problem(kind)
    found = np.load(four / f"devices.{kind}.npz")
    for field, value in {**arrays, "lam": np.float64(LAM)}.items():
        gradient = found["lam"] if field == "lam" else whole(found, field)
        direction = rng.standard_normal(value.shape)
        if np.iscomplexobj(value):
            direction = direction + 1j * rng.standard_normal(value.shape)
        along = np.sum((gradient * direction).real)  # JAX's gradient is the conjugate one
        assert along == pytest.approx(slope(arrays, y, field, direction), rel=1e-5), field


@pytest.mark.slow
def test_an_application_moves_one_image_and_no_coils(four):
    text = (four / "devices.cartesian.txt").read_text()
    moved = [line for line in text.splitlines() if " all-" in line or " collective-" in line]
    assert len([line for line in moved if "all-reduce" in line]) == 1, moved
    assert not [line for line in moved if "all-gather" in line or "all-to-all" in line]
    assert (four / "devices.cartesian.held").read_text() == "8"  # two each, three are zeros


@pytest.mark.slow
def test_two_processes_give_the_dense_solution(tmp_path):
    port = free_port()
    finish([start("joined", tmp_path, port, i) for i in range(2)])
    for i in range(2):
        found = np.load(tmp_path / f"joined{i}.cartesian.npz")
        np.testing.assert_allclose(found["x"], solution(*problem("cartesian")), **CLOSE)
        assert (tmp_path / f"joined{i}.cartesian.held").read_text() == "4"


def test_only_the_coils_of_a_device_are_read_from_disk(tmp_path):
    arrays, y = problem("cartesian")
    np.save(tmp_path / "maps.npy", arrays["maps"])
    arrays["maps"] = np.load(tmp_path / "maps.npy", mmap_mode="r")
    A, shares = spread_coils(systems(arrays), y, devices=jax.devices()[:1])
    assert jnp.allclose(A.adjoint(shares), systems(problem("cartesian")[0]).adjoint(y))
