"""BART's files, against the bart program where it is installed."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from reconic.io import read_cfl, read_kspace, write_cfl, write_image

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not installed")


def bart(*arguments):
    command = ["bart", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def complex_normal(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_first_dimension_is_the_last_axis(tmp_path):
    (tmp_path / "a.hdr").write_text("# Dimensions\n2 3\n# Command\nphantom -x 2\n")
    np.arange(6, dtype=np.complex64).tofile(tmp_path / "a.cfl")
    a = read_cfl(tmp_path / "a.hdr")
    assert a.shape == (*(1,) * 14, 3, 2)
    np.testing.assert_array_equal(a.ravel(), np.arange(6))
    assert a.reshape(3, 2)[0, 1] == 1  # the neighbour in x


@pytest.mark.parametrize("name", ["a", "a.cfl", "a.hdr"])
def test_any_name_of_the_pair(tmp_path, name):
    a = complex_normal((3, 1, 4, 5))
    write_cfl(tmp_path / name, a)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.cfl", "a.hdr"]
    np.testing.assert_array_equal(read_cfl(tmp_path / name).reshape(a.shape), a)


def test_a_dot_in_the_name_is_no_ending(tmp_path):
    write_cfl(tmp_path / "scan.v2", complex_normal((4, 5)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scan.v2.cfl", "scan.v2.hdr"]


def test_arrays_that_are_not_contiguous(tmp_path):
    a = complex_normal((4, 6)).T[::2]
    write_cfl(tmp_path / "a", a)
    np.testing.assert_array_equal(read_cfl(tmp_path / "a").reshape(a.shape), a)


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        ("6 5 1 3", (3, 5, 6)),  # x y z coil
        ("6 5 4 3", (3, 4, 5, 6)),
        ("1 6 5 3", (3, 5, 6)),  # a slice across the read-out
        ("6 1 5 3", (3, 5, 6)),
        ("6 5", (1, 5, 6)),
        ("6 5 1 3 1 1 1 1 1 1 7", (3, 7, 5, 6)),  # frames of a series
        ("6 5 4 3 1 1 1 1 1 1 7", (3, 7, 4, 5, 6)),
        ("6 5 1 3 1 4 1 1 1 1 7", (3, 7, 4, 5, 6)),  # and echoes
    ],
)
def test_conversion_to_coil_frames_space(tmp_path, dims, shape):
    size = np.prod(shape)
    (tmp_path / "a.hdr").write_text(f"# Dimensions\n{dims}\n")
    np.arange(1, size + 1, dtype=np.complex64).tofile(tmp_path / "a.cfl")
    ksp = read_kspace(tmp_path / "a.cfl").ksp
    assert ksp.shape == shape
    stored = [int(d) for d in dims.split()]
    position = {n: i for i, n in enumerate(stored)}  # sizes differ, so they name the axes
    for axis, n in enumerate(shape):
        if n > 1:
            step = np.prod(stored[: position[n]], dtype=int)
            index = tuple(int(a == axis) for a in range(len(shape)))
            assert ksp[index] - ksp[(0,) * len(shape)] == step


@pytest.mark.parametrize("there", ["cfl", "hdr"])
def test_half_a_pair(tmp_path, there):
    write_cfl(tmp_path / "a", complex_normal((3, 4, 5)))
    missing = {"cfl": "hdr", "hdr": "cfl"}[there]
    (tmp_path / f"a.{missing}").unlink()
    with pytest.raises(FileNotFoundError, match=rf"side by side, got no a\.{missing} in"):
        read_kspace(tmp_path / f"a.{there}")


@pytest.mark.parametrize("line", ["", "6 0 3", "6 x 3", "6.5 3", "-1 3", " ".join(["1"] * 17)])
def test_broken_header(tmp_path, line):
    (tmp_path / "a.hdr").write_text(f"# Dimensions\n{line}\n")
    (tmp_path / "a.cfl").touch()
    with pytest.raises(ValueError, match=r"must hold a line of 1 to 16 positive sizes"):
        read_cfl(tmp_path / "a")


def test_size_must_be_the_header_s(tmp_path):
    write_cfl(tmp_path / "a", complex_normal((3, 4)))
    (tmp_path / "a.hdr").write_text("# Dimensions\n4 4\n")
    with pytest.raises(ValueError, match=r"must have 128 bytes for dimensions 4 4, got 96"):
        read_cfl(tmp_path / "a")


def test_maps_are_not_kspace(tmp_path):
    write_cfl(tmp_path / "a", complex_normal((2, 3, 1, 4, 5)))
    with pytest.raises(ValueError, match="Pass k-space rather than sensitivity maps"):
        read_kspace(tmp_path / "a.cfl")


def test_too_many_axes(tmp_path):
    with pytest.raises(ValueError, match="at most 16 axes, got 17"):
        write_cfl(tmp_path / "a", np.zeros((1,) * 17))


@needs_bart
def test_reads_bart_s_phantom(tmp_path):
    bart("phantom", "-x", 32, "-s", 4, "-k", tmp_path / "ksp")
    bart("fft", "-iu", 7, tmp_path / "ksp", tmp_path / "img")
    bart("rss", 8, tmp_path / "img", tmp_path / "rss")
    ksp = read_kspace(tmp_path / "ksp.cfl").ksp
    assert ksp.shape == (4, 32, 32)
    shown = bart("show", tmp_path / "ksp")  # every value as text, x fastest
    values = np.array([complex(v.replace("i", "j")) for v in re.findall(r"\S+i", shown)])
    np.testing.assert_allclose(ksp.ravel(), values, rtol=1e-5)  # seven digits are printed
    axes = (-2, -1)
    images = np.fft.fftshift(
        np.fft.ifftn(np.fft.ifftshift(ksp, axes=axes), axes=axes, norm="ortho"), axes=axes
    )  # the convention is the project's: centred and orthonormal
    rss = np.sqrt(np.sum(np.abs(images) ** 2, axis=0))
    np.testing.assert_allclose(
        np.abs(read_cfl(tmp_path / "rss")).reshape(32, 32), rss, atol=1e-4 * rss.max()
    )


@needs_bart
@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7), (2, 3, 5, 7)])
def test_bart_reads_what_is_written(tmp_path, shape):
    x = complex_normal(shape)
    write_image(tmp_path / "x.cfl", x)
    sizes = dict(zip((10, 2, 1, 0), (1,) * (4 - len(shape)) + shape, strict=True))
    for dim in range(16):
        assert int(bart("show", "-d", dim, tmp_path / "x")) == sizes.get(dim, 1)
    bart("scale", 2, tmp_path / "x", tmp_path / "twice")
    np.testing.assert_array_equal(read_cfl(tmp_path / "twice").reshape(shape), 2 * x)
