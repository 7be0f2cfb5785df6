"""Descent on what a non-Cartesian system holds: maps, trajectory, field map."""

import jax.numpy as jnp
import numpy as np
import pytest

from reconic import descent as rd
from reconic.systems import NonCartesianMRI, OffResonanceMRI

N = 16


@pytest.fixture
def scan():
    """Twenty spokes of a disc with two smooth maps: system, directions of the spokes, image."""
    angle, along = np.pi * np.arange(20)[:, None] / 20, np.pi * (np.arange(2 * N) - N) / N
    towards = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    rows, columns = np.linspace(-1, 1, N)[:, None], np.linspace(-1, 1, N)
    maps = np.exp(1j * columns) * np.stack([1 + rows / 2, 1 - rows / 2])
    traj = along[:, None] * towards
    A = NonCartesianMRI(jnp.asarray(maps), jnp.asarray(traj), n_sample_axes=2)
    return A, towards, jnp.asarray((np.hypot(rows, columns) < 0.8) * (1 + columns / 2) + 0j)


def test_a_system_is_a_variable(scan):
    """Its maps and its trajectory are descended on together."""
    A, towards, x = scan
    y = A.replace(traj=A.traj + 0.05 * towards)(x)
    fit = rd.reconstruct(
        lambda v, batch: v["A"](x)[None],
        {"A": A.replace(maps=0.9 * A.maps)},
        {"y": y[None]},
        rd.l2("y"),
        rd.adam(2e-3),
        epochs=100,
    )
    found = fit.variables["A"]
    assert fit.history["total"][-1] < 0.02 * fit.history["total"][0]
    assert np.abs(found.maps - A.maps)[:, np.abs(x) > 0].mean() < 0.05  # 0.1 at the start
    assert np.abs(found.traj - A.traj - 0.05 * towards).mean() < 0.03  # 0.05 at the start


def test_a_delay_is_found(scan):
    A, towards, x = scan
    y = A.replace(traj=A.traj + 0.05 * towards)(x)
    fit = rd.reconstruct(
        lambda v, batch: A.replace(traj=A.traj + v["delay"] * towards)(x)[None],
        {"delay": jnp.zeros(())},
        {"y": y[None]},
        rd.l2("y"),
        rd.adam(5e-3),
        epochs=80,
    )
    assert float(fit.best["delay"]) == pytest.approx(0.05, rel=0.02)


def test_a_field_map_is_found(scan):
    A, _, x = scan
    times = np.linspace(0, 4e-3, 2 * N)[None]
    rows = np.linspace(-1, 1, N)[:, None]
    b0 = 2 * np.pi * 50 * rows * np.ones(N)
    off = OffResonanceMRI.of(
        A, jnp.asarray(b0), times, frequencies=2 * np.pi * np.linspace(-80, 80, 101)
    )
    fit = rd.reconstruct(
        lambda v, batch: off.replace(b0=v["b0"])(x)[None],
        {"b0": jnp.zeros((N, N))},
        {"y": off(x)[None]},
        rd.l2("y"),
        rd.adam(10.0),
        epochs=100,
    )
    seen = np.abs(x) > 0
    error = np.asarray(fit.best["b0"] - b0)[seen]
    assert np.linalg.norm(error) < 0.1 * np.linalg.norm(b0[seen])
