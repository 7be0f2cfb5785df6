"""ESPIRiT against analytic coil maps, a brute-force image-space oracle and BART's ecalib."""

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reconic._array import fftc, from_numpy, ifftc, to_numpy
from reconic.calibrate import espirit
from reconic.calibrate import espirit as espirit_function
from reconic.io import read_cfl, write_cfl

BRAIN = Path(__file__).parents[3] / "shared" / "data" / "brain8ch" / "ksp.npy"
needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")
needs_brain = pytest.mark.skipif(not BRAIN.exists(), reason="no real k-space beside the checkout")


def grid(space):
    return np.meshgrid(*[(np.arange(n) - n // 2) / n for n in space], indexing="ij")


def coil_maps(n_coils, space):
    """Smooth maps of coils on a ring about the object, unit sum of squares."""
    x = grid(space)
    maps = []
    for c in range(n_coils):
        angle = 2 * np.pi * c / n_coils
        centre = [0.5 * np.sin(2 * angle), 0.7 * np.sin(angle), 0.7 * np.cos(angle)][-len(space) :]
        near = sum((a - b) ** 2 for a, b in zip(x, centre, strict=True))
        phase = angle + 1.5 * sum(a * b for a, b in zip(x, centre, strict=True))
        maps.append(np.exp(-near / 0.6 + 1j * phase))
    maps = np.stack(maps)
    return maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))


def scan(n_coils, space, seed=0, dtype=np.complex64, radius=0.36):
    """k-space, true maps and support of an ellipsoid with texture and smooth phase."""
    rng = np.random.default_rng(seed)
    x = grid(space)
    inside = sum((a / radius) ** 2 for a in x) < 1
    image = inside * (1 + 0.3 * rng.standard_normal(space)) * np.exp(1j * (2 * x[0] + 3 * x[-1]))
    maps = coil_maps(n_coils, space)
    y = fftc(maps * image, range(-len(space), 0))
    noise = rng.standard_normal((2, *y.shape))
    y = y + 1e-3 * np.abs(y).max() * (noise[0] + 1j * noise[1]) * 0.1
    return y.astype(dtype), maps, inside


def cosine(a, b):
    """|<a, b>| / (|a| |b|) over coils, the first axis."""
    size = np.sqrt(np.sum(np.abs(a) ** 2, axis=0) * np.sum(np.abs(b) ** 2, axis=0))
    return np.abs(np.sum(a.conj() * b, axis=0)) / np.maximum(size, 1e-12)


def ecalib(folder, y, *flags):
    """Maps (set, coil, z, y, x) of BART's ecalib for y (coil, [z,] y, x)."""
    write_cfl(folder / "ksp", y if y.ndim == 4 else y[:, None])
    command = ["bart", "ecalib", *flags, str(folder / "ksp"), str(folder / "maps")]
    subprocess.run(command, check=True, capture_output=True)
    maps = read_cfl(folder / "maps")
    return maps.reshape(maps.shape[-5:])


def as_library(name, a):
    if name == "numpy":
        return a
    if name == "torch":
        return pytest.importorskip("torch").from_numpy(a)
    if name == "jax":
        return pytest.importorskip("jax").numpy.asarray(a)
    return pytest.importorskip("array_api_strict").asarray(a)


@pytest.mark.parametrize(
    ("space", "n_calib", "kernel"),
    [((48, 40), 24, 6), ((47, 41), 24, 6), ((48, 41), 21, 5), ((18, 20, 17), 14, 4)],
)
def test_finds_analytic_maps(space, n_calib, kernel):
    y, maps, inside = scan(6, space)
    found = espirit(y, n_calib=n_calib, kernel=kernel, n_space=len(space))
    assert found.shape == maps.shape
    assert found.dtype == np.complex64
    # smooth maps and noise 40 dB under the signal: the angle to the true map is under 3 degrees
    # in the median pixel, and under 8 anywhere away from the edge of the object
    agreement = cosine(found, maps)[inside]
    assert np.median(agreement) > 0.9985
    assert np.mean(agreement > 0.99) > 0.95


def test_unit_sum_of_squares_or_cropped():
    y, _, inside = scan(5, (40, 44))
    sos = np.sum(np.abs(espirit(y)) ** 2, axis=0)
    kept = sos > 0.5
    np.testing.assert_allclose(sos[kept], 1, atol=1e-5)  # float32 eigenvectors
    assert np.all(sos[~kept] == 0)
    assert kept[inside].mean() > 0.99
    assert kept[~inside].mean() < 0.5


def test_crop_zero_keeps_all_and_higher_keeps_less():
    y, _, _ = scan(5, (40, 44))
    kept = [np.mean(np.abs(espirit(y, crop=c)).sum(axis=0) > 0) for c in (0.0, 0.8, 0.99)]
    assert kept[0] == 1
    assert kept[0] > kept[1] > kept[2] > 0


def test_phase_is_relative_to_the_first_principal_component():
    y, _, inside = scan(5, (40, 44))
    centre = y[:, 20 - 12 : 20 + 12, 22 - 12 : 22 + 12].reshape(5, -1)
    coil = np.linalg.svd(centre, full_matrices=False)[0][:, 0]
    coil = coil * np.exp(-1j * np.angle(coil[np.argmax(np.abs(coil))]))
    virtual = np.sum(coil.conj()[:, None, None] * espirit(y), axis=0)[inside]
    assert np.all(virtual.real >= 0)
    np.testing.assert_allclose(virtual.imag, 0, atol=1e-4)  # eigenvectors of float32 matrices


def gram_oracle(y, kernel, threshold, space):
    """Gram matrices (*space, coil, coil) of the kernels, Fourier transformed one by one."""
    counts = [n - k + 1 for n, k in zip(y.shape[1:], kernel, strict=True)]
    rows = [
        y[(slice(None), *(slice(o, o + k) for o, k in zip(os, kernel, strict=True)))].ravel()
        for os in itertools.product(*map(range, counts))
    ]
    _, s, vh = np.linalg.svd(np.array(rows), full_matrices=False)
    kernels = vh[s > threshold * s[0]].conj().reshape(-1, len(y), *kernel)
    padding = [
        (n // 2 - k // 2, n - n // 2 - (k - k // 2)) for n, k in zip(space, kernel, strict=True)
    ]
    images = ifftc(np.pad(kernels.conj(), [(0, 0), (0, 0), *padding]), range(-len(space), 0))
    images = np.moveaxis(images, (0, 1), (-1, -2))  # (*space, coil, kernel)
    images = images * np.sqrt(np.prod(space) / np.prod(kernel))
    return images @ np.conj(np.swapaxes(images, -1, -2))


@pytest.mark.parametrize("space", [(16, 18), (15, 17), (8, 9, 10)])
def test_eigenspace_equals_brute_force_oracle(space):
    rng = np.random.default_rng(3)
    kernel = (3, 4, 2)[: len(space)]
    y = scan(4, space, dtype=np.complex128)[0]
    y = y + 0.02 * np.abs(y).max() * rng.standard_normal(y.shape)
    found = espirit(
        y, n_calib=min(space), kernel=kernel, threshold=0.1, crop=0.5, n_space=len(space)
    )
    m = min(space)
    centre = y[(slice(None), *(slice(n // 2 - m // 2, n // 2 - m // 2 + m) for n in space))]
    values, vectors = np.linalg.eigh(gram_oracle(centre, kernel, 0.1, space))
    kept = values[..., -1] > 0.5
    assert 0.2 < kept.mean() < 1
    np.testing.assert_array_equal(np.abs(found).sum(axis=0) > 0, kept)
    agreement = cosine(found, np.moveaxis(vectors[..., -1], -1, 0))[kept]
    np.testing.assert_allclose(agreement, 1, atol=1e-8)  # double precision throughout


@pytest.mark.parametrize(
    ("library", "space"),
    [
        ("torch", (30, 27)),
        ("torch", (12, 13, 14)),
        ("strict", (30, 27)),
        ("strict", (12, 13, 14)),
        ("jax", (30, 27)),  # compiling takes seconds, so only once
    ],
)
def test_libraries_agree(library, space):
    y = scan(4, space)[0]
    sizes = {"n_calib": 12, "kernel": 4, "n_space": len(space)}
    expected = espirit(y, **sizes)
    found = espirit(as_library(library, y), **sizes)
    assert type(found) is type(as_library(library, y))
    error = np.abs(to_numpy(found) - expected)  # phase and crop included
    assert np.mean(error < 1e-3) > 0.999  # a pixel at the crop's edge may fall on either side


def test_precision_of_the_input_is_kept():
    y = scan(4, (24, 24), dtype=np.complex128)[0]
    double, single = espirit(y, n_calib=16), espirit(y.astype(np.complex64), n_calib=16)
    assert double.dtype == np.complex128
    assert single.dtype == np.complex64
    assert np.median(np.abs(double - single)) < 1e-4


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("n_maps", [1, 2])
def test_batch_equals_loop(library, n_maps):
    y = np.stack([scan(4, (30, 26), seed=s)[0] * 10.0**s for s in range(6)])
    y = as_library(library, y.reshape(2, 3, 4, 30, 26).astype(np.complex64))
    found = to_numpy(espirit(y, n_calib=16, n_maps=n_maps, kernel=4))
    sets = () if n_maps == 1 else (n_maps,)
    assert found.shape == (2, 3, *sets, 4, 30, 26)
    for i, j in itertools.product(range(2), range(3)):
        alone = to_numpy(espirit(y[i, j], n_calib=16, n_maps=n_maps, kernel=4))
        assert np.mean(np.abs(found[i, j] - alone) < 1e-3) > 0.999


def test_chunks_do_not_change_the_maps(monkeypatch):
    y = scan(4, (25, 26))[0]
    expected = espirit(y, n_calib=16)
    monkeypatch.setitem(espirit_function.__globals__, "_CHUNK", 3 * 26 * 16)
    np.testing.assert_allclose(espirit(y, n_calib=16), expected, atol=1e-5)


def test_maps_do_not_depend_on_the_units():
    y = scan(4, (30, 26))[0]
    expected = espirit(y, n_calib=16)
    for units in (1e-25, 1e25):  # squares of these overflow or vanish in float32
        found = espirit((y * np.float32(units)).astype(np.complex64), n_calib=16)
        assert np.mean(np.abs(found - expected) < 1e-3) > 0.999


def test_two_maps_span_both_layers_of_a_folded_object():
    """A field of view of half the object: each pixel sees two positions with two maps."""
    big, n = (48, 64), 32
    y, maps, inside = scan(8, big, radius=0.45)
    y = y[..., ::2]  # every second column: the object folds on to half the field of view
    found = espirit(y, n_maps=2, n_calib=(24, 24), crop=0.0)
    assert found.shape == (2, 8, 48, n)
    np.testing.assert_allclose(
        np.sum(found[0].conj() * found[1], axis=0), 0, atol=1e-4
    )  # orthogonal, float32
    left, right = (np.roll(maps, shift, axis=-1)[..., 16:48] for shift in (0, n))
    both = inside[:, 16:48] & np.roll(inside, n, axis=-1)[:, 16:48]
    assert both.sum() > 50
    for layer in (left, right):
        explained = np.sum(np.abs(np.sum(found.conj() * layer, axis=1)) ** 2, axis=0)
        assert np.quantile(explained[both], 0.1) > 0.97  # of a unit vector's power
    single = espirit(y, n_maps=1, crop=0.0)
    assert np.median(np.abs(np.sum(single.conj() * left, axis=0))[both] ** 2) < 0.95


def test_n_calib_none_takes_the_largest_sampled_centre():
    y = scan(4, (40, 44))[0]
    mask = np.zeros((40, 44), np.float32)
    mask[::2] = 1
    mask[20 - 9 : 20 + 10, 22 - 9 : 22 + 10] = 1  # 19 x 19 about the centre
    np.testing.assert_array_equal(espirit(y * mask, n_calib=None), espirit(y * mask, n_calib=19))
    np.testing.assert_array_equal(espirit(y, n_calib=None), espirit(y, n_calib=24))
    with pytest.raises(ValueError, match=r"20 x 20 centre of `y` must be fully .* got 19 x 19"):
        espirit(y * mask, n_calib=20)


def test_n_calib_is_cut_to_short_axes():
    y = scan(4, (16, 40))[0]
    np.testing.assert_array_equal(espirit(y, n_calib=24), espirit(y, n_calib=(16, 24)))
    np.testing.assert_array_equal(espirit(y, n_calib=None), espirit(y, n_calib=(16, 24)))


def test_each_axis_may_have_its_own_centre():
    y = scan(4, (40, 44))[0]
    mask = np.zeros((40, 44), np.float32)
    mask[20 - 5 : 20 + 5, 22 - 10 : 22 + 10] = 1
    assert espirit(y * mask, n_calib=(10, 20), kernel=(4, 6)).shape == y.shape
    with pytest.raises(
        ValueError, match="10 x 21 centre of `y` must be fully sampled, got 10 x 10"
    ):
        espirit(y * mask, n_calib=(10, 21))


def test_sampled_means_by_every_coil_that_has_signal():
    y = scan(4, (40, 44))[0]
    y[2] = 0  # a dead coil
    found = espirit(y)
    assert np.abs(found[2]).max() < 1e-5
    y[1, 20, 22] = 0  # a sample that one live coil lacks
    with pytest.raises(ValueError, match="must be fully sampled"):
        espirit(y)


def test_single_coil_map_is_one():
    y = scan(1, (30, 30))[0]
    found = espirit(y, n_calib=16)
    np.testing.assert_allclose(found[np.abs(found) > 0], 1, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_maps": 5}, ValueError, "`n_maps` must be from 1 to the number of coils, 4, got 5"),
        ({"n_maps": 0}, ValueError, "`n_maps` must be from 1"),
        ({"threshold": 1.0}, ValueError, "`threshold` must be at least 0 and below 1, got 1.0"),
        ({"crop": -0.1}, ValueError, "`crop` must be at least 0 and below 1, got -0.1"),
        ({"kernel": (6, 6, 6)}, ValueError, "`kernel` must be a positive integer, or one for each"),
        ({"n_calib": 0}, ValueError, "`n_calib` must be a positive integer"),
        ({"n_calib": 5}, ValueError, "must be at least the kernel, 6 x 6, got 5 x 5"),
        ({"n_space": 3}, ValueError, r"n_space=3 spatial axes, got \(4, 20, 20\)"),
    ],
)
def test_wrong_arguments(change, error, message):
    y = scan(4, (20, 20))[0]
    with pytest.raises(error, match=message):
        espirit(y, **change)


def test_wrong_data():
    y = scan(4, (20, 20))[0]
    with pytest.raises(TypeError, match="`y` must be complex, got float32"):
        espirit(y.real)
    with pytest.raises(ValueError, match="must be fully sampled, got 0 x 0"):
        espirit(np.zeros_like(y))
    with pytest.raises(ValueError, match=r"must have signal .* and be finite"):
        espirit(np.where(np.arange(20) == 10, np.complex64(np.nan), y))


@needs_bart
@pytest.mark.parametrize(
    ("space", "flags", "arguments"),
    [
        ((48, 40), ("-r24",), {}),
        ((47, 41), ("-r20",), {"n_calib": 20}),
        ((47, 40), ("-r24", "-k5", "-c0.9"), {"kernel": 5, "crop": 0.9}),
        ((48, 40), ("-r24", "-t0.01", "-c0.6"), {"threshold": 0.1, "crop": 0.6}),
        ((20, 22, 24), ("-r16", "-k4"), {"n_calib": 16, "kernel": 4}),
    ],
)
def test_agrees_with_bart(tmp_path, space, flags, arguments):
    y, _, inside = scan(6, space)
    threshold = 0.001**0.5  # BART's default -t 0.001 is of squared singular values
    found = espirit(y, **{"threshold": threshold, "n_space": len(space), **arguments})
    theirs = ecalib(tmp_path, y, "-m1", *flags).reshape(found.shape)
    kept, kept_theirs = np.abs(found).sum(axis=0) > 0, np.abs(theirs).sum(axis=0) > 0
    # BART's 30 power iterations are inexact where eigenvalues are close, at the object's edge
    assert np.mean(kept != kept_theirs) < 5e-3
    agreement = cosine(found, theirs)[inside & kept & kept_theirs]
    assert np.quantile(agreement, 0.01) > 0.9999  # BART's 30 power iterations, float32
    assert agreement.min() > 0.99


@needs_bart
def test_two_maps_agree_with_bart(tmp_path):
    y = scan(8, (48, 64), radius=0.45)[0]
    y = np.ascontiguousarray(y[..., ::2])
    found = espirit(y, n_maps=2, threshold=0.001**0.5)
    theirs = ecalib(tmp_path, y, "-m2", "-r24").reshape(found.shape)
    kept = np.abs(found).sum(axis=1) > 0
    kept_theirs = np.abs(theirs).sum(axis=1) > 0
    assert np.mean(kept != kept_theirs) < 5e-3
    both = np.all(kept & kept_theirs, axis=0)
    assert both.sum() > 100
    overlap = np.einsum("acyx,bcyx->yxab", found.conj(), theirs)  # unitary if the spans are equal
    cosines = np.linalg.svd(overlap[both], compute_uv=False)  # of the principal angles
    assert np.quantile(cosines[:, 1], 0.02) > 0.999


@needs_bart
@needs_brain
@pytest.mark.parametrize("n_maps", [1, 2])
def test_agrees_with_bart_on_a_real_head(tmp_path, n_maps):
    y = np.load(BRAIN)
    found = espirit(y, n_maps=n_maps, threshold=0.001**0.5).reshape(n_maps, *y.shape)
    theirs = ecalib(tmp_path, y, f"-m{n_maps}", "-r24").reshape(found.shape)
    kept, kept_theirs = np.abs(found).sum(axis=1) > 0, np.abs(theirs).sum(axis=1) > 0
    assert 0.7 < kept[0].mean() < 0.9
    assert np.mean(kept != kept_theirs) < 1e-3
    agreement = cosine(found[0], theirs[0])[kept[0] & kept_theirs[0]]
    # BART stops power iteration after 30 steps, short where two eigenvalues are close
    assert agreement.min() > 0.9
    assert np.quantile(agreement, 0.01) > 0.999
    assert np.median(agreement) > 0.99999


@needs_brain
def test_largest_centre_of_a_real_scan():
    y = np.load(BRAIN)
    with pytest.raises(ValueError, match="26 x 26 centre of `y` must be fully sampled, got"):
        espirit(y, n_calib=26)
    assert espirit(from_numpy(y, y), n_calib=None).shape == y.shape
