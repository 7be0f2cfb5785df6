"""Scans: methods by name, maps, frames and sets."""

import h5py
import numpy as np
import pytest
import torch
import torch.distributed as dist
from tiny import tiny_arrays, write_h5

from reconic.metrics import nrmse
from reconic.recons import CGSense
from reconic.recons.holdout import hold_out_spokes
from reconic.systems import NonCartesianMRI
from reconic.train.apply import apply_method, reconstruct_file
from reconic.train.coil_maps import estimate_maps, estimate_noncartesian_maps
from reconic.train.scan import cartesian_scan, noncartesian_scan


@pytest.fixture
def arrays():
    return tiny_arrays(2, shape=(48, 40), centre=16)


@pytest.fixture
def path(tmp_path, arrays):
    return str(write_h5(tmp_path / "scan.h5", arrays))


@pytest.fixture
def scan(arrays):
    return cartesian_scan(arrays["ksp"][0], arrays["maps"][0], arrays["masks"][0], n_calib=16)


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
    want = CGSense(0.3)(scan.y, scan.A)[0].detach().numpy()
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
    scan = cartesian_scan(frames, maps, masks, n_space=2, n_calib=16)
    x = apply_method(scan, "cgsense", 0.1).x
    assert x.shape == (2, 48, 40)
    np.testing.assert_allclose(x[1], 2 * x[0], rtol=1e-3, atol=1e-3)


def test_sets_of_maps_give_one_image(arrays):
    maps = estimate_maps(arrays["ksp"][0], arrays["masks"][0], n_maps=2)
    assert maps.shape == (2, 4, 48, 40)
    scan = cartesian_scan(arrays["ksp"][0], maps, arrays["masks"][0], n_calib=16)
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


@pytest.fixture
def radial_file(tmp_path, arrays):
    """Two radial scans with trajectory, density weights, maps and images."""
    pytest.importorskip("finufft")
    from reconic.calibrate import ramp
    from reconic.simulate import radial

    traj = np.stack([radial(30, 96, start=s) for s in (0.0, 1.0)]).astype(np.float32)
    A = NonCartesianMRI(arrays["maps"], traj, n_sample_axes=2)
    kept = {"imgs": arrays["imgs"], "maps": arrays["maps"], "traj": traj}
    dcf = ramp(traj, (48, 40)).astype(np.float32)
    return str(write_h5(tmp_path / "radial.h5", {**kept, "ksp": A(arrays["imgs"]), "dcf": dcf}))


def test_a_radial_scan_of_a_file(radial_file, arrays, trained):
    scan, found = reconstruct_file(radial_file, f"cgsense,wavelet,{trained.folder}", index=1)
    assert list(found) == ["Gridding", "CG-SENSE", "Wavelet", "MoDL"]
    errors = {name: float(nrmse(r.x, arrays["imgs"][1])) for name, r in found.items()}
    assert errors["CG-SENSE"] < 0.8 * errors["Gridding"]
    assert errors["MoDL"] < errors["Gridding"]  # of Cartesian scans, hardly trained
    assert found["CG-SENSE"].holdout < 0.5 * found["Gridding"].holdout
    assert scan.traj is not None


def test_a_radial_scan_of_arrays_alone(radial_file, arrays, tmp_path):
    """Maps from its own centre, and Voronoi weights, do nearly as well as those in the file."""
    with h5py.File(radial_file) as file:
        np.save(tmp_path / "ksp.npy", file["ksp"][0])
        np.save(tmp_path / "traj.npy", file["traj"][0] / (2 * np.pi))
    where = {"traj": str(tmp_path / "traj.npy"), "shape": "48,40", "traj_unit": "cycles/voxel"}
    _, alone = reconstruct_file(str(tmp_path / "ksp.npy"), lam=1e-2, **where)
    _, given = reconstruct_file(radial_file, lam=1e-2)
    truth = np.abs(arrays["imgs"][0])
    errors = [float(nrmse(np.abs(f["CG-SENSE"].x), truth)) for f in (alone, given)]
    assert errors[0] < errors[1] + 0.1  # the edge of the object is where the maps end


def test_held_out_spokes_are_as_acquired(radial_file, arrays):
    """Neither weights nor held-out spokes reach the reconstruction, or its judgement."""

    with h5py.File(radial_file) as file:
        ksp, traj, dcf = (file[k][0] for k in ("ksp", "traj", "dcf"))
    scan = noncartesian_scan(ksp, arrays["maps"][0], traj, dcf, holdout=0.1, seed=2)
    _, held = hold_out_spokes(traj, (48, 40), 0.1, 24, 2)
    seen, unseen = ~held.any(1), held.any(1)
    maps = arrays["maps"][0]
    given = (torch.from_numpy(a[None]) for a in (maps, traj[seen], dcf[seen]))
    weighed = torch.from_numpy(ksp[None][:, :, seen] * np.sqrt(dcf[seen]))
    x = CGSense(0.1)(weighed, NonCartesianMRI(*given, n_sample_axes=2))[0].detach().numpy()
    predicted = NonCartesianMRI(maps, traj[unseen], n_sample_axes=2)(x)
    want = np.linalg.norm(predicted - ksp[:, unseen]) / np.linalg.norm(ksp[:, unseen])
    found = apply_method(scan, "cgsense", 0.1).holdout
    assert found == pytest.approx(want, rel=1e-3)  # CG stops at 1e-4


def test_frames_with_their_own_trajectories(radial_file, arrays):
    with h5py.File(radial_file) as file:
        traj, maps = file["traj"][:], arrays["maps"][0][:, None]
    A = NonCartesianMRI(maps, traj, n_frame_axes=1, n_sample_axes=2)
    frames = np.stack([arrays["imgs"][0], 2 * arrays["imgs"][0]])
    ksp = A(frames)
    assert estimate_noncartesian_maps(ksp, traj, (48, 40)).shape == (4, 1, 48, 40)
    x = apply_method(noncartesian_scan(ksp, maps, traj), "cgsense", 0.1).x
    assert x.shape == (2, 48, 40)
    assert nrmse(x[1], 2 * x[0]) < 0.3  # other spokes


def test_stack_of_stars(radial_file, arrays):
    with h5py.File(radial_file) as file:
        traj = file["traj"][0]
    maps = np.repeat(arrays["maps"][0][:, None], 3, axis=1)
    volume = np.stack([arrays["imgs"][0]] * 3)
    ksp = NonCartesianMRI(maps, traj, n_space=3, n_sample_axes=2)(volume)
    scan = noncartesian_scan(ksp, maps, traj, n_space=3)
    x = apply_method(scan, "cgsense", 0.01).x
    assert nrmse(x, volume, n_space=3) < 0.35


def test_sets_of_maps_of_a_radial_scan(radial_file, arrays):
    with h5py.File(radial_file) as file:
        ksp, traj = file["ksp"][0], file["traj"][0]
    maps = estimate_noncartesian_maps(ksp, traj, (48, 40), n_maps=2)
    assert maps.shape == (2, 4, 48, 40)
    assert apply_method(noncartesian_scan(ksp, maps, traj), "cgsense", 0.1).x.shape == (48, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "48"}, "`shape` must have 2 or 3 axes"),
        ({"shape": "48xy40"}, "positive numbers with commas"),
        (
            {"shape": "48,40", "traj_unit": "1/fov"},
            "Or give --traj_unit|must be in rad/voxel|n_calib",
        ),
    ],
)
def test_bad_options_of_a_trajectory(radial_file, options, message):
    with pytest.raises(ValueError, match=message):
        reconstruct_file(radial_file, **options)


def test_options_of_a_trajectory_without_one(path, tmp_path, arrays):
    with pytest.raises(ValueError, match="`traj` must be given with `shape`"):
        reconstruct_file(path, shape="48,40")
    np.save(tmp_path / "ksp.npy", np.ones((4, 5, 16), np.complex64))
    np.save(tmp_path / "traj.npy", np.full((5, 16, 2), 3.0))
    with pytest.raises(ValueError, match="`shape` must be given with this trajectory"):
        reconstruct_file(str(tmp_path / "ksp.npy"), traj=str(tmp_path / "traj.npy"))


@pytest.fixture
def ranks(tmp_path):
    """A group of this process alone."""
    dist.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_processes_that_share_coils_reconstruct_and_judge_as_one(path, request):
    arguments = (path, "cgsense,wavelet", 0.01)
    _, expected = reconstruct_file(*arguments, n_calib=16)
    request.getfixturevalue("ranks")
    _, found = reconstruct_file(*arguments, n_calib=16)
    for name, one in expected.items():
        np.testing.assert_array_equal(found[name].x, one.x)
        assert (found[name].lam, found[name].holdout) == (one.lam, one.holdout)


def test_a_method_that_learns_from_the_scan_needs_all_coils(path, ranks):
    with pytest.raises(ValueError, match=r"must not learn from the scan .* got Deep image prior"):
        reconstruct_file(path, "dip", n_calib=16)
