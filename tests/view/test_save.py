"""Files against Pillow's and tifffile's readers."""

import io
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence
from view.pictures import blocks, greys

from reconic import view


@pytest.fixture
def x(rng):
    return rng.random((3, 6, 24, 32))


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


def first_picture(pixels, shape=(240, 320)):
    """The first picture of a sheet, below its title of 20 pixels."""
    return pixels[20 : 20 + shape[0], : shape[1]]


def test_png_holds_the_pictures(x, tmp_path):
    view.volume(x[0, 0], window=(0, 1)).save(tmp_path / "x.png")
    pixels = np.asarray(opened(tmp_path / "x.png").convert("RGB"))
    found = blocks(first_picture(pixels), (24, 32))
    assert np.abs(found[..., 0] - greys(x[0, 0], (0, 1))).max() <= 1.1  # 252 of 256 levels


def test_gif_plays_over_time(x, tmp_path):
    view.volume4d(x[:, 0], window=(0, 1)).save(tmp_path / "x.gif", rate=5)
    film = opened(tmp_path / "x.gif")
    assert (film.n_frames, film.info["duration"], film.info["loop"]) == (3, 200, 0)
    for frame, plane in zip(ImageSequence.Iterator(film), x[:, 0], strict=True):
        found = blocks(first_picture(np.asarray(frame.convert("RGB"))), (24, 32))
        assert np.abs(found[..., 0] - greys(plane, (0, 1))).mean() < 3  # 256 colours for the sheet


def test_a_film_may_be_over_any_axis(x, tmp_path):
    viewer = view.volume4d(x)
    for over, n in ((None, 3), ("z", 6)):
        viewer.save(tmp_path / "x.gif", over=over)
        assert opened(tmp_path / "x.gif").n_frames == n
    view.volume(x, axes=("z", "t", "y", "x"), orthogonal=False).save(tmp_path / "x.gif")
    assert opened(tmp_path / "x.gif").n_frames == 6  # time, wherever it stands
    view.volume(x[0]).save(tmp_path / "x.gif")  # no time: over the depth
    assert opened(tmp_path / "x.gif").n_frames == 6


FAKE = """#!/bin/sh
for last; do :; done
echo "$@" > {folder}/arguments
{then}
"""


def fake_ffmpeg(folder, monkeypatch, then):
    program = folder / "ffmpeg"
    program.write_text(FAKE.format(folder=folder, then=then))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_mp4_gives_ffmpeg_every_frame(x, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, monkeypatch, 'cat > "$last"')
    view.volume4d(x[:, 0], window=(0, 1)).save(tmp_path / "x.mp4", rate=7)
    given = (tmp_path / "arguments").read_text().split()
    w, h = map(int, given[given.index("-s") + 1].split("x"))
    assert (w % 2, h % 2, given[given.index("-r") + 1]) == (0, 0, "7")
    frames = np.fromfile(tmp_path / "x.mp4", np.uint8).reshape(3, h, w, 3)
    for frame, plane in zip(frames, x[:, 0], strict=True):
        found = blocks(first_picture(frame), (24, 32))
        assert np.abs(found[..., 0] - greys(plane, (0, 1))).max() <= 1.1


def test_frames_are_of_one_even_size(x, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, monkeypatch, 'cat > "$last"')
    sheets = iter([np.full((21, 33, 3), 9, np.uint8), np.full((20, 40, 3), 9, np.uint8),
                   np.full((30, 31, 3), 9, np.uint8)])  # fmt: skip
    monkeypatch.setattr("reconic.view.save.draw_sheet", lambda *_: next(sheets))
    view.volume4d(x[:, 0]).save(tmp_path / "x.mp4")
    frames = np.fromfile(tmp_path / "x.mp4", np.uint8).reshape(3, 20, 32, 3)
    assert [int((f == 9).all(-1).sum()) for f in frames] == [20 * 32, 20 * 32, 20 * 31]


def test_mp4_plays(x, tmp_path, monkeypatch):
    """Read again by the real program, without a system's one."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("PATH", str(tmp_path))
    view.volume4d(x[:, 0], window=(0, 1)).save(tmp_path / "x.mp4", rate=7)
    raw = ["-f", "image2pipe", "-c:v", "ppm", "-"]
    command = [ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", tmp_path / "x.mp4", *raw]
    stream = io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    played = []
    while stream.tell() < len(stream.getvalue()):
        w, h = map(int, [stream.readline(), stream.readline()][1].split())
        stream.readline()
        played.append(np.frombuffer(stream.read(3 * w * h), np.uint8).reshape(h, w, 3))
    assert len(played) == 3
    for frame, plane in zip(played, x[:, 0], strict=True):
        found = blocks(first_picture(frame), (24, 32))[..., 0]
        assert np.abs(found - greys(plane, (0, 1))).mean() < 12  # the coder loses some


def test_what_ffmpeg_says_is_told(x, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, monkeypatch, "echo no such coder >&2; exit 3")
    with pytest.raises(RuntimeError, match=r"got status 3: no such coder. Save a .gif."):
        view.volume4d(x).save(tmp_path / "x.mp4")
    assert not list(tmp_path.glob("*.mp4"))


def test_without_ffmpeg_it_is_told_what_to_install(x, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match="`pip install imageio-ffmpeg`"):
        view.volume4d(x).save(tmp_path / "x.mp4")


def test_tiff_holds_all_values_with_axes_and_sizes(normal, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    x = normal(2, 3, 5, 6).astype(np.complex64)
    view.compare({"A": x, "B": 2 * x}, axes=("t", "z", "y", "x"), spacing=(3, 1, 2)).save(
        tmp_path / "x.tiff"
    )
    with tifffile.TiffFile(tmp_path / "x.tiff") as file:
        assert file.series[0].axes == "TCZYX"
        found = file.asarray()
        told = file.ome_metadata
    assert np.array_equal(found, np.abs(np.stack([x, 2 * x], 1)))
    assert 'PhysicalSizeZ="3.0"' in told
    assert 'PhysicalSizeXUnit="mm"' in told
    assert 'Name="B"' in told


def test_tiff_of_axes_in_any_order(rng, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    x = rng.random((5, 6, 3, 2)).astype(np.float32)
    view.volume(x, axes=("x", "y", "z", "t")).save(tmp_path / "x.tif")
    found = tifffile.imread(tmp_path / "x.tif").reshape(2, 3, 6, 5)
    assert np.array_equal(found, x.T)


def test_tiff_of_several_axes_beside_space_has_the_last_fastest(rng, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    x = rng.random((2, 3, 4, 5, 6)).astype(np.float32)
    view.volume(x).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "x.tif"), x.reshape(6, 4, 5, 6))


def test_tiff_tells_no_sizes_in_units_that_ome_does_not_know(normal, tmp_path, monkeypatch):
    tifffile = pytest.importorskip("tifffile")
    monkeypatch.setattr("reconic.view.tiff._CLASSIC", 16 * 4 * 8 * 9 // 16 - 1)
    view.kspace(normal(8, 9)).save(tmp_path / "x.tif")
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert "PhysicalSize" not in file.ome_metadata
        assert file.is_bigtiff  # beyond what a classic one holds


def test_tiff_needs_one_shape_and_tifffile(rng, tmp_path, monkeypatch):
    pytest.importorskip("tifffile")
    a, b = rng.random((4, 5)), rng.random((5, 5))
    with pytest.raises(ValueError, match="all layers must have one shape"):
        view.compare([a, b]).save(tmp_path / "x.tiff")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImportError, match=r'`pip install "reconic\[io\]"`'):
        view.volume(a).save(tmp_path / "x.tiff")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.gif", "x.tiff"])
def test_a_file_appears_whole_or_not_at_all(tmp_path, name):
    if name == "x.tiff":
        pytest.importorskip("tifffile")

    class Broken:
        shape, dtype, cut = (4, 8, 8), np.dtype(float), False

        def __getitem__(self, key):
            if self.cut and key[0] == 3:
                raise OSError("cut off")
            return np.zeros([8 for k in key if isinstance(k, slice)])

    viewer = view.volume4d(Broken(), axes=("t", "y", "x"))
    (tmp_path / name).write_bytes(b"before")
    Broken.cut = True
    with pytest.raises(OSError, match="cut off"):
        viewer.save(tmp_path / name)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(name, b"before")]


@pytest.mark.parametrize(
    ("name", "options", "error", "told"),
    [
        ("x.bmp", {}, ValueError, "`path` must end in one of .png, .tif, .tiff, .gif, .mp4"),
        ("no/x.png", {}, FileNotFoundError, "the folder of `path` must exist"),
        ("x.gif", {"over": "q"}, ValueError, "`over` must be one of the axes y, x, got 'q'"),
        ("x.gif", {}, ValueError, "a film must have an axis to play over"),
        ("x.png", {"rate": 0}, ValueError, "`rate` must be positive, got 0"),
    ],
)
def test_arguments_are_checked(name, options, error, told, tmp_path):
    with pytest.raises(error, match=told):
        view.volume(np.eye(4)).save(tmp_path / name, **options)
