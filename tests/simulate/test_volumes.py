"""Volumes: orientation, the split by slice, and files that cannot be used."""

import numpy as np
import pytest

from reconic.simulate import load_volume


def test_own_volume_is_turned_to_right_forward_up(save_nifti):
    data = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])  # stored leftwards and backwards
    volume = load_volume(save_nifti(data, affine))
    np.testing.assert_array_equal(volume.intensity, data[::-1, ::-1])
    assert volume.spacing == (2.0, 3.0, 4.0)
    assert not volume.has_tissues


def test_splits_share_no_slice_and_are_apart(save_nifti):
    z = np.arange(100, 200)
    path = save_nifti(np.broadcast_to(z, (8, 8, 100)).astype(np.float32))
    parts = {s: load_volume(path, s).intensity[0, 0].astype(int) for s in ("train", "val", "test")}
    for held_out in ("val", "test"):
        for other in parts.keys() - {held_out}:
            assert np.abs(parts[held_out][:, None] - parts[other][None]).min() > 1
    assert len(parts["train"]) > 60
    assert min(len(parts["val"]), len(parts["test"])) >= 8


def test_held_out_slabs_are_axial_and_training_keeps_the_height(save_nifti, ellipsoid):
    path = save_nifti(ellipsoid)
    train, test = load_volume(path, "train"), load_volume(path, "test")
    assert test.axial_only
    assert not train.axial_only
    assert train.intensity.shape[2] * train.spacing[2] == pytest.approx(60)


def test_template_has_tissues_that_share_its_grid():
    pytest.importorskip("nilearn", reason="the template ships inside nilearn")
    volume = load_volume("mni152")
    assert volume.intensity.shape == volume.grey.shape == volume.white.shape == (197, 233, 189)
    # white matter is brighter than grey in a T1 image
    grey, white = (volume.intensity[p > 200].mean() for p in (volume.grey, volume.white))
    assert white > 1.2 * grey


def test_shepp_logan_has_its_front_forward():
    volume = load_volume("shepp-logan")
    nx, ny, nz = volume.intensity.shape
    # the three small ellipsoids lie at the back, the large one at the front
    middle = volume.intensity[nx // 2, :, nz // 2 - 12]
    assert middle[round(0.675 * ny)] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((4, 4, 4, 2), np.float32), r"must be a 3-D volume, got shape \(4, 4, 4, 2\)"),
        (np.ones((4, 4), np.float32), r"must be a 3-D volume, got shape \(4, 4"),
        (np.full((4, 4, 4), np.nan, np.float32), "must be finite, got 64 NaN or infinite voxels"),
        (np.zeros((4, 4, 4), np.float32), "must not be empty, got only zeros in head.nii.gz"),
    ],
)
def test_unusable_volumes_are_refused(save_nifti, data, message):
    with pytest.raises(ValueError, match=f"load_volume: `source` {message}"):
        load_volume(save_nifti(data))


def test_too_thin_a_volume_cannot_be_split(save_nifti):
    with pytest.raises(ValueError, match="must be thick enough to be split by slice, got 5 slices"):
        load_volume(save_nifti(np.ones((8, 8, 5), np.float32)), "val")


def test_unknown_sources_and_splits_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be mni152, shepp-logan or a NIfTI file"):
        load_volume("mni125")
    with pytest.raises(ValueError, match="`split` must be one of train, val, test, got 'valid'"):
        load_volume("shepp-logan", "valid")
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ValueError, match="which nibabel cannot read"):
        load_volume(str(tmp_path / "notes.txt"))
