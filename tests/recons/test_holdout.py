"""Held-out samples: the split, the error against NumPy, and the search for λ."""

import numpy as np
import pytest
import torch
from tiny import centred_fft, tiny_arrays

from reconic.recons import CGSense, ZeroFilled
from reconic.recons.holdout import (
    hold_out,
    hold_out_spokes,
    holdout_error,
    minimise_over_lam,
)
from reconic.recons.splitting import restrict
from reconic.systems import CartesianMRI


@pytest.fixture
def mask(rng):
    return (rng.random((40, 33)) < 0.5).astype(np.float32)


def test_split_is_exact_and_spares_the_centre(mask):
    kept, held = hold_out(mask, 0.1, n_calib=12)
    np.testing.assert_array_equal(kept + held, mask)
    centre = (slice(14, 26), slice(10, 22))  # 12 samples about 20 and 16
    assert held[centre].sum() == 0
    outside = mask.sum() - mask[centre].sum()
    assert held.sum() == round(0.1 * outside)
    assert kept.dtype == held.dtype == np.float32


def test_split_depends_on_the_seed_alone(mask):
    np.testing.assert_array_equal(hold_out(mask, seed=1)[1], hold_out(mask, seed=1)[1])
    assert not np.array_equal(hold_out(mask, seed=1)[1], hold_out(mask, seed=2)[1])


@pytest.mark.parametrize("fraction", [0, 1, -0.1])
def test_fraction_out_of_range(mask, fraction):
    with pytest.raises(ValueError, match="`fraction` must be between"):
        hold_out(mask, fraction)


def test_nothing_outside_the_centre(mask):
    with pytest.raises(ValueError, match="samples outside the central 64"):
        hold_out(mask, n_calib=64)


@pytest.fixture
def scan():
    arrays = tiny_arrays(1)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(arrays["ksp"].shape) + 1j * rng.standard_normal(arrays["ksp"].shape)
    y = (arrays["ksp"] + 0.1 * noise * arrays["masks"][:, None]).astype(np.complex64)
    kept, held = hold_out(arrays["masks"][0], 0.1, n_calib=8)
    return [torch.from_numpy(a) for a in (y, arrays["maps"], kept, held)]


@pytest.fixture
def parts(scan):
    y, maps, kept, held = scan
    A = CartesianMRI(maps, kept + held)
    return restrict(y, A, kept[None]), restrict(y, A, held[None])


def test_error_of_the_zero_filled_image(scan, parts):
    y, maps, kept, held = (a.numpy() for a in scan)
    conjugate = np.conj(centred_fft(np.conj(kept * y)))  # the inverse transform
    x = np.sum(np.conj(maps) * conjugate, axis=1)
    predicted = held * centred_fft(maps * x[:, None])
    want = np.linalg.norm(predicted - held * y) / np.linalg.norm(held * y)
    assert holdout_error(ZeroFilled(), *parts) == pytest.approx(want, rel=1e-4)  # float32


def test_held_out_samples_are_not_used(scan, parts):
    _, _, kept, held = scan
    seen = []

    class Spy(ZeroFilled):
        def forward(self, y, A):
            seen.append((y, A))
            return super().forward(y, A)

    holdout_error(Spy(), *parts)
    assert torch.all(seen[0][0] * held == 0)
    assert torch.equal(seen[0][1].mask.squeeze(0), kept)


def test_best_lam_is_the_best_of_a_fine_grid(parts):
    def cost(lam):
        return holdout_error(CGSense(lam), *parts)

    lam, error = minimise_over_lam(cost)
    best = min(cost(v) for v in np.logspace(-4, 1, 41))
    assert error <= best * 1.002  # a step of 10^(1/8) about a flat minimum
    assert error == pytest.approx(cost(lam))


def spokes(n, n_readout=16):
    angle, radius = np.arange(n) * np.pi / n, np.linspace(-np.pi, np.pi, n_readout)
    return np.stack([radius * np.sin(angle)[:, None], radius * np.cos(angle)[:, None]], -1)


def test_spokes_are_held_as_a_whole():
    kept, held = hold_out_spokes(spokes(20), (32, 32), 0.1, seed=3)
    np.testing.assert_array_equal(kept + held, np.ones((20, 16)))
    assert np.count_nonzero(held.all(axis=1)) == 2
    assert held.sum() == 2 * 16
    assert kept.dtype == held.dtype == np.float32


def test_spokes_of_all_frames_are_drawn_from():
    traj = np.stack([spokes(5)] * 4)
    assert hold_out_spokes(traj, (32, 32), 0.1)[1].sum() == 2 * 16


@pytest.mark.parametrize("kind", ["few", "lines", "one"])
def test_samples_outside_the_centre_are_held_where_spokes_cannot_be(kind):
    lines = np.stack(np.broadcast_arrays(*np.ogrid[-3:3:20j, -3:3:16j]), -1)
    traj = {"few": spokes(4), "lines": lines, "one": spokes(12).reshape(-1, 2)}[kind]
    _, held = hold_out_spokes(traj, (32, 32), 0.1, n_calib=8)
    outside = np.any(np.abs(traj) >= 8 * np.pi / 32, axis=-1)
    assert held.sum() == round(0.1 * outside.sum())
    assert not held[~outside].any()


@pytest.mark.parametrize("exponent", [-6.3, -2.0, 0.4, 3.0])
def test_search_finds_minima_anywhere(exponent):
    lam, cost = minimise_over_lam(lambda v: (np.log10(v) - exponent) ** 2)
    assert abs(np.log10(lam) - exponent) <= 1 / 16 + 1e-9
    assert cost == pytest.approx((np.log10(lam) - exponent) ** 2)


def test_search_ends_where_there_is_no_minimum():
    calls = []
    lam, _ = minimise_over_lam(lambda v: calls.append(v) or v)
    assert lam == pytest.approx(1e-12, rel=0.5)
    assert len(calls) < 40


def test_search_shuns_values_that_are_not_finite():
    lam, _ = minimise_over_lam(lambda v: float("nan") if v < 1 else np.log10(v) ** 2, start=10.0)
    assert 1 <= lam < 1.4
