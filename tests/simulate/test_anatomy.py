"""Random slices: shape, scale, repeatability, and where planes and layers lie."""

import numpy as np
import pytest
from scipy import ndimage

from reconic.simulate import head_slice, load_volume, photograph, plain_slice, sagittal_head
from reconic.simulate.photographs import random_outline, turned_grid
from reconic.simulate.planes import random_plane
from reconic.simulate.scalp import scalp_layers

SHAPE = (48, 40)


def _images(seed):
    rng = np.random.default_rng(seed)
    return {
        "head": head_slice(load_volume("shepp-logan", "train"), SHAPE, rng),
        "sagittal": sagittal_head(SHAPE, rng),
    }


@pytest.mark.parametrize("name", ["head", "sagittal"])
def test_images_are_normalised_repeatable_and_varied(name):
    image = _images(0)[name]
    assert image.shape == SHAPE
    assert image.dtype == np.complex64
    assert np.abs(image).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(image, _images(0)[name])
    assert np.abs(image - _images(1)[name]).max() > 0.1


def test_photographs_are_normalised_repeatable_and_varied():
    pytest.importorskip("skimage", reason="the photographs ship inside scikit-image")
    first, again, other = (photograph(SHAPE, np.random.default_rng(s)) for s in (0, 0, 1))
    assert first.dtype == np.complex64
    assert np.abs(first).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_plain_slices_show_the_volume_as_it_is(save_nifti):
    block = np.zeros((60, 60, 60), np.float32)
    block[6:54, 6:54, 6:54] = 7
    volume = load_volume(save_nifti(block), None)

    def spread(cut):
        image = np.abs(cut(volume, SHAPE, np.random.default_rng(0)))
        assert image.max() == pytest.approx(1, abs=1e-6)
        inside = ndimage.binary_erosion(image > 0.5, iterations=5)  # away from ringing edges
        return np.ptp(image[inside]) / image[inside].mean()

    assert spread(plain_slice) < 0.05  # what is left of the ringing
    assert spread(head_slice) > 0.1  # texture, spots and shading


def test_template_slices_have_a_scalp_where_asked():
    pytest.importorskip("nilearn", reason="the template ships inside nilearn")
    volume = load_volume("mni152", "test")

    def area(p_scalp):
        image = np.abs(head_slice(volume, (96, 80), np.random.default_rng(3), p_scalp=p_scalp))
        return np.mean(ndimage.binary_fill_holes(image > 0.1))

    assert area(1.0) > 1.1 * area(0.0) > 0


@pytest.mark.parametrize("seed", range(8))
def test_planes_through_a_slab_stay_inside_it(seed):
    volume = load_volume("shepp-logan", "val")
    points, _ = random_plane(volume, SHAPE, np.random.default_rng(seed))
    assert np.ptp(points[2]) == pytest.approx(0, abs=1e-9)
    low, high = volume.extent[2]
    assert low - 1e-9 <= points[2, 0, 0] <= high + 1e-9


def test_planes_have_square_pixels_of_the_size_they_say(save_nifti, ellipsoid):
    volume = load_volume(save_nifti(ellipsoid, np.diag([1.0, 2.0, 3.0, 1.0])))
    spacing = np.array(volume.spacing)[:, None, None]
    for seed in range(5):
        points, pixel = random_plane(volume, SHAPE, np.random.default_rng(seed))
        for axis in (1, 2):
            step = np.linalg.norm(np.diff(points * spacing, axis=axis), axis=0)
            # the warp bends lengths by some per cent
            assert np.median(step) == pytest.approx(pixel, rel=0.15)


def test_planes_come_in_all_orientations(save_nifti, ellipsoid):
    volume = load_volume(save_nifti(ellipsoid))
    steepest = set()
    for seed in range(40):
        points, _ = random_plane(volume, SHAPE, np.random.default_rng(seed))
        normal = np.cross(points[:, -1, 0] - points[:, 0, 0], points[:, 0, -1] - points[:, 0, 0])
        steepest.add(int(np.argmax(np.abs(normal))))
    assert steepest == {0, 1, 2}


def test_a_volume_without_an_object_in_reach_is_refused(save_nifti):
    data = np.zeros((60, 60, 60), np.float32)
    data[[0, 59], [0, 59], [0, 59]] = 1.0  # two voxels in opposite corners
    with pytest.raises(ValueError, match="must have an object that its slices meet"):
        random_plane(load_volume(save_nifti(data)), SHAPE, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(6))
def test_layers_lie_in_order_around_the_brain(seed):
    y, x = np.meshgrid(np.arange(192) - 96, np.arange(192) - 96, indexing="ij")
    radius = np.hypot(y, x)
    brain = np.clip(60 - radius + 0.5, 0, 1)
    layers = scalp_layers(brain, 1.0, np.random.default_rng(seed))
    parts = [layers.fluid, layers.bone, layers.marrow, layers.muscle, layers.fat, layers.skin]
    total = brain + sum(parts)
    assert min(part.min() for part in parts) > -1e-6
    assert total.max() < 1 + 1e-6
    assert total[radius < 62].min() > 0.6  # no gap
    inwards = (layers.fluid, layers.bone, layers.fat, layers.skin)
    at = [float((radius * part).sum() / part.sum()) for part in inwards]
    assert at == sorted(at)
    assert at[0] > 59


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_a_border_there_are_no_layers(value):
    layers = scalp_layers(np.full((64, 48), value), 1.0, np.random.default_rng(0))
    for part in (layers.fluid, layers.bone, layers.fat, layers.skin):
        np.testing.assert_allclose(part, 0, atol=1e-9)


def test_outline_is_between_dark_and_bright():
    for seed in range(5):
        outline = random_outline((64, 48), np.random.default_rng(seed))
        assert outline.min() == 0
        assert outline.max() == 1
        assert outline[32, 24] == 1


def test_turned_grid_turns_zooms_and_mirrors():
    points = turned_grid((4, 4), np.array([10.0, 20.0]), np.pi / 2, 2.0, mirror=False)
    np.testing.assert_allclose(points[:, 2, 2], [10, 20])
    np.testing.assert_allclose(points[:, 3, 2], [10, 22], atol=1e-12)  # down becomes right
    mirrored = turned_grid((4, 4), np.array([10.0, 20.0]), 0.0, 2.0, mirror=True)
    np.testing.assert_allclose(mirrored[:, 2, 3], [10, 18])
