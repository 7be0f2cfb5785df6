"""Scans: methods by name, maps, frames and sets."""

import numpy as np
import pytest
import torch
from tiny import tiny_arrays, write_h5

from reconic.metrics import nrmse
from reconic.recons import CGSense
from reconic.systems import CartesianMRI
from reconic.train.apply import Scan, apply_method, estimate_maps, reconstruct_file


@pytest.fixture
def arrays():
    return tiny_arrays(2, shape=(48, 40), centre=16)


@pytest.fixture
def path(tmp_path, arrays):
    return str(write_h5(tmp_path / "scan.h5", arrays))


@pytest.fixture
def scan(arrays):
    return Scan(arrays["ksp"][0], arrays["maps"][0], arrays["masks"][0], n_calib=16)


def test_methods_of_a_file(path, arrays, trained):
    read, found = reconstruct_file(
        path, f"cgsense,{trained.folder},zerofilled,cgsense", index=1, n_calib=16
    )
    assert list(found) == ["Zero-filled", "CG-SENSE", "MoDL", "CG-SENSE 2"]
    np.testing.assert_array_equal(read.reference, arrays["imgs"][1])
    errors = {name: float(nrmse(r.x, read.reference)) for name, r in found.items()}
    assert errors["CG-SENSE"] < 0.5 * errors["Zero-filled"]
    assert found["CG-SENSE"].holdout < found["Zero-filled"].holdout < 1
    assert found["Zero-filled"].lam is None
    assert found["MoDL"].lam == pytest.approx(0.05, rel=0.2)  # hardly trained


def test_lam_as_a_number(scan):
    one = apply_method(scan, "cgsense", lam=0.3)
    assert one.lam == pytest.approx(0.3)
    A = CartesianMRI(scan.maps, scan.mask)
    want = CGSense(0.3)(scan.y, A)[0].detach().numpy()
    np.testing.assert_allclose(one.x, want, rtol=1e-5)


def test_best_lam_has_the_lowest_error(scan):
    best = apply_method(scan, "cgsense")
    for lam in (best.lam / 10, best.lam * 10):
        assert best.holdout <= apply_method(scan, "cgsense", lam).holdout


def test_without_held_out_samples(path, arrays):
    _, found = reconstruct_file(path, "cgsense", lam=0.1, holdout=0)
    assert np.isnan(found["CG-SENSE"].holdout)
    with pytest.raises(ValueError, match="`holdout` must be positive"):
        reconstruct_file(path, "cgsense", holdout=0)


def test_estimated_maps_serve_as_well_as_the_true_ones(path, arrays):
    _, true = reconstruct_file(path, "cgsense", n_calib=16, lam=1e-3)
    _, found = reconstruct_file(path, "cgsense", n_calib=16, lam=1e-3, maps="espirit")
    truth = np.abs(arrays["imgs"][0])
    errors = [
        float(nrmse(np.abs(f["CG-SENSE"].x), truth))
        for f in (true, found)  # up to the phase of the maps
    ]
    assert errors[1] < errors[0] + 0.05


def test_maps_from_files(path, arrays, tmp_path):
    from reconic.io import write_cfl

    np.save(tmp_path / "maps.npy", arrays["maps"][0])
    write_cfl(tmp_path / "maps.cfl", arrays["maps"][0][:, None])
    images = [
        reconstruct_file(path, "cgsense", n_calib=16, lam=0.1, maps=maps)[1]["CG-SENSE"].x
        for maps in (None, str(tmp_path / "maps.npy"), str(tmp_path / "maps.cfl"))
    ]
    np.testing.assert_allclose(images[1], images[0], rtol=1e-5)
    np.testing.assert_allclose(images[2], images[0], rtol=1e-5)
    np.save(tmp_path / "wrong.npy", arrays["maps"][0][..., 1:])
    with pytest.raises(ValueError, match=r"`maps` must have shape .*got \(4, 48, 39\)"):
        reconstruct_file(path, maps=str(tmp_path / "wrong.npy"))
    with pytest.raises(FileNotFoundError, match="`maps` must be a file"):
        reconstruct_file(path, maps="nowhere.npy")


def test_frames_share_maps_that_are_estimated_from_their_mean(arrays):
    frames = arrays["ksp"][0][:, None] * np.array([1, 2])[:, None, None].astype(np.complex64)
    masks = np.stack([arrays["masks"][0]] * 2)
    maps = estimate_maps(frames, masks)
    assert maps.shape == (4, 1, 48, 40)
    np.testing.assert_allclose(
        maps[:, 0], estimate_maps(arrays["ksp"][0], arrays["masks"][0]), atol=1e-3
    )
    scan = Scan(frames, maps, masks, n_space=2, n_calib=16)
    x = apply_method(scan, "cgsense", 0.1).x
    assert x.shape == (2, 48, 40)
    np.testing.assert_allclose(x[1], 2 * x[0], rtol=1e-3, atol=1e-3)


def test_sets_of_maps_give_one_image(arrays):
    maps = estimate_maps(arrays["ksp"][0], arrays["masks"][0], n_maps=2)
    assert maps.shape == (2, 4, 48, 40)
    scan = Scan(arrays["ksp"][0], maps, arrays["masks"][0], n_calib=16)
    found = apply_method(scan, "cgsense", 0.1)
    sets = CGSense(0.1)(scan.y, scan.A)[0].detach()
    np.testing.assert_allclose(np.abs(found.x), torch.linalg.vector_norm(sets, dim=0), rtol=1e-4)


def test_unknown_method(path):
    with pytest.raises(ValueError, match="got 'modl'"):
        reconstruct_file(path, "cgsense,modl")


def test_a_centre_too_small_for_maps(arrays):
    small = tiny_arrays(1, centre=8)
    with pytest.raises(ValueError, match="ESPIRiT must find maps"):
        estimate_maps(small["ksp"][0], small["masks"][0])
