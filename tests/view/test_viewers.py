"""What each viewer makes of its data."""

import subprocess
import sys

import numpy as np
import pytest
from view.counting import Counting

from reconic import view
from reconic.simulate import koosh_ball, radial
from reconic.view.paths import Paths
from reconic.view.state import State


def test_volume_shows_three_planes_and_images_one():
    assert view.volume(np.ones((3, 4, 5))).scene.layout == "planes"
    assert view.volume(np.ones((4, 5))).scene.layout == "panels"
    assert view.volume(np.ones((3, 4, 5)), orthogonal=False).scene.layout == "panels"


def test_large_volumes_in_files_are_shown_plane_by_plane():
    class Large(Counting):
        def __init__(self):
            super().__init__(np.zeros((1, 1, 1)))
            self.shape = (600, 600, 600)

        def __getitem__(self, key):
            return np.zeros([600 for k in key if isinstance(k, slice)], np.float32)

    assert view.volume(Large()).scene.layout == "panels"
    assert view.volume(Large(), orthogonal=True).scene.layout == "planes"
    assert view.volume(np.broadcast_to(np.float32(1), (600,) * 3)).scene.layout == "planes"


def test_volume4d_is_played_over_time():
    four = view.volume4d(np.ones((2, 3, 4, 5))).scene
    assert (four.axes, four.play, four.layout) == (("t", "z", "y", "x"), 0, "planes")
    three = view.volume4d(np.ones((2, 4, 5))).scene
    assert (three.axes, three.play, three.layout) == (("t", "y", "x"), 0, "panels")
    assert view.volume4d(np.ones((4, 5))).scene.play is None


def test_compare_takes_titles_in_three_ways():
    a = np.ones((4, 5))
    assert [x.title for x in view.compare([a, a]).scene.layers] == ["Image 1", "Truth"]
    assert [x.title for x in view.compare({"A": a, "B": a}).scene.layers] == ["A", "B"]
    scene = view.compare([a, a], titles=["C", "D"], reference=0).scene
    assert ([x.title for x in scene.layers], scene.reference) == (["C", "D"], 0)
    assert view.compare([a], reference=None).scene.reference is None


def test_compare_fits_fewer_axes_to_more(rng):
    series, truth = rng.random((3, 4, 5, 6)), rng.random((4, 5, 6))
    scene = view.compare([series, truth]).scene
    assert scene.shape == (3, 4, 5, 6)
    assert np.array_equal(scene.layers[1].source.plane((2, 3), (2, 1, 0, 0)), truth[1])
    assert scene.notes[0].startswith("Shapes differ: Image 1 (3, 4, 5, 6), Truth (1, 4, 5, 6).")


def test_complex_shows_four_parts_of_one_source():
    scene = view.complex(np.ones((4, 5), np.complex64)).scene
    assert [x.component for x in scene.layers] == ["magnitude", "phase", "real", "imaginary"]
    assert len({id(x.source) for x in scene.layers}) == 1
    assert "Real values: the phase is 0 or π." in view.complex(np.ones((4, 5))).scene.notes


def test_kspace_is_logarithmic_about_its_centre(normal):
    y = normal(3, 8, 9)
    scene = view.kspace(y).scene
    assert (scene.axes, scene.component) == (("coil", "ky", "kx"), "log")
    assert scene.index == (0, 4, 4)  # n // 2
    assert scene.spacing == pytest.approx((1, 2 * np.pi / 8, 2 * np.pi / 9))
    assert scene.units == ("", "rad/voxel", "rad/voxel")
    uncentred = view.kspace(np.fft.ifftshift(y, (1, 2)), centred=False).scene
    assert np.array_equal(uncentred.layers[0].source.plane((1, 2), (2, 0, 0)), y[2])
    assert view.kspace(normal(2, 2, 2, 8, 9)).scene.axes == ("coil", "t", "kz", "ky", "kx")


def test_maps_are_a_grid_of_coils(normal):
    s = normal(5, 6, 7)
    scene = view.maps(np.moveaxis(s, 0, 1), coil=1).scene
    assert len(scene.layers) == 5
    assert np.array_equal(scene.layers[3].source.plane((0, 1), (0, 0)), s[3])
    assert scene.component == "complex"
    assert view.maps(s, coil=-3).scene.shape == (6, 7)
    many = view.maps(normal(70, 2, 3)).scene
    assert "70 coils: the first 64 are shown." in many.notes
    assert len(many.layers) == 64
    with pytest.raises(ValueError, match="`s` must have an axis of coils"):
        view.maps(normal(4, 5))


def test_trajectories():
    two = view.trajectory(radial(21, 32)).scene
    assert (two.axes, two.index, two.play) == (("t", "ky", "kx"), (20, 128, 128), 0)
    assert two.units[1] == "rad/voxel"
    assert two.layers[0].source.plane((1, 2), two.index).max() == 21
    density = Paths.of(radial(21, 32)).density()
    top = np.percentile(density[density > 0], 99)
    assert two.layers[1].window == (0, top)
    three = view.trajectory(koosh_ball(20, 16), n=24).scene
    assert (three.layout, three.projection, three.shape) == ("planes", True, (24, 24, 24))
    assert State.first(three).projection


def test_notes_name_the_layer():
    bad = np.full((4, 4), np.nan)
    assert view.volume(bad).scene.notes[0].startswith("16 of 16")
    assert view.compare({"A": bad, "B": np.eye(4)}).scene.notes[0].startswith("A: 16 of 16")
    (note,) = view.complex(bad + 0j).scene.notes  # four layers show one source
    assert note.startswith("16 of 16")


EMPTY = np.zeros((0, 4, 4))


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (view.volume, EMPTY), (view.volume4d, EMPTY), (view.complex, EMPTY), (view.kspace, EMPTY),
        (view.maps, EMPTY), (view.compare, [EMPTY]), (view.compare, []),
        (view.trajectory, np.zeros((0, 2))),
    ],
)  # fmt: skip
def test_empty_data_are_refused_by_name(function, argument):
    with pytest.raises(ValueError, match=rf"^{function.__name__}: `"):
        function(argument)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"window": (2, 1)}, "`window` must be two finite values"),
        ({"window": (0, np.nan)}, "`window` must be two finite values"),
        ({"percentiles": (50, 20)}, "`percentiles` must be within 0 to 100"),
        ({"percentiles": (0, 101)}, "`percentiles` must be within 0 to 100"),
        ({"percentiles": (-1, 50)}, "`percentiles` must be within 0 to 100"),
        ({"axes": ("x",)}, "`axes` must be 2 different names"),
        ({"spacing": -1}, "`spacing` must be a positive number"),
    ],
)
def test_options_are_checked(options, told):
    with pytest.raises(ValueError, match=told):
        view.volume(np.ones((4, 4)), **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"titles": ["A"]}, "`titles` must be 2 different titles"),
        ({"titles": ["A", "A"]}, "`titles` must be 2 different titles"),
        ({"reference": 2}, "`reference` must be the index of one of 2 images, got 2"),
        ({"error_scale": 0}, "`error_scale` must be positive"),
    ],
)
def test_options_of_compare_are_checked(options, told):
    with pytest.raises(ValueError, match=told):
        view.compare([np.eye(4), np.eye(4)], **options)


def test_an_unknown_colour_map_is_named():
    with pytest.raises(KeyError, match="got 'nope'"):
        view.volume(np.eye(4), colours="nope")


def test_the_import_is_light():
    code = "import sys, reconic.view; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "jax", "ipywidgets", "anywidget", "tifffile"} & set(loaded.stdout.split())


def test_samples_are_seen_at_their_places():
    traj = np.array([[[0, 0], [1.5, -2.5]], [[1.5, -2.5], [np.nan, 0]]])
    scene = view.trajectory(traj, data=[[10, 0.01], [1j, 99]], n=64).scene
    grid = scene.layers[2].source.plane((1, 2), (0, 0, 0))
    assert grid[32, 32] == 80  # dB above -80, of the largest
    assert grid[32 + round(1.5 * 64 / 2 / np.pi), 32 - round(2.5 * 64 / 2 / np.pi)] == 60
    assert np.count_nonzero(grid) == 2
    with pytest.raises(ValueError, match="`data` must be a value for each of 4 samples"):
        view.trajectory(traj, data=np.ones(3))
