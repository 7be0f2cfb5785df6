"""Texts and images without what tells of a machine."""

import getpass
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reconic.track.scrub import is_absolute, plain_png, scrubbed


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/wilma smith")
    monkeypatch.setenv("LOGNAME", "wilma")
    monkeypatch.setenv("SOME_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("OTHER_TOKEN", "01234567")  # part of the other, which is replaced first
    monkeypatch.setattr(socket, "gethostname", lambda: "hermes.lab.example")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("See /data/knee/scan.h5, please.", "See PATH, please."),
        ("in /home/wilma smith/x/y", "in PATH"),
        (r"on C:\data\knee or ~wilma/x or ~/x", "on PATH or PATH or PATH"),
        ("ran on hermes by wilma's job", "ran on HOST by USER's job"),
        ("hermes.lab.example:6006", "HOST:6006"),
        ("postgresql://wilma:s3cret@db/x", "postgresql://db/x"),
        ("key=0123456789abcdef.", "key=***."),
        ("0123456789abcdef", "***"),
        ("of 01234567", "of ***"),
        ("see file:///mnt/lab/x.h5 now", "see PATH now"),
        ("file://nas01/export/x or smb://nas01/x", "PATH or PATH"),
        ("data:/mnt/lab/x.h5 there", "PATH there"),
        ("nas01:/export/x, wilma@nas01:/export/x", "PATH, PATH"),
        (r"on \\server\share\x or psn:\\server\share", "on PATH or PATH"),
        (r'"C:\\data\\knee"', '"PATH"'),  # as JSON has it
        ("in /data//knee/x or //server/x", "in PATH or PATH"),
        ("**/mnt/lab/x**", "**PATH"),
        ("and/or, 1/2, val/psnr, https://optuna.org/x", None),  # nothing of it is a path
        ("s3://knees/x.h5 http://optuna.org:8080/x", None),
        ("adam", None),
        ("wilma", None),  # may be the name of a method; no one can tell
        ("wilmas and hermeslike words", None),
    ],
)
def test_paths_names_and_secrets_are_replaced_and_nothing_else(text, want):
    assert scrubbed(text) == (text if want is None else want)


@pytest.mark.parametrize("home", [None, "/"])
def test_a_user_without_a_name_or_a_home_is_no_error(monkeypatch, home):
    """As in a container that runs as a number."""

    def unknown(*_):
        raise KeyError("uid not found: 54321")

    def place(*_):
        if home is None:
            raise RuntimeError("Could not determine home directory.")
        return Path(home)

    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setattr(Path, "home", place)
    assert scrubbed("val/psnr of /data/x on hermes") == "val/psnr of PATH on HOST"


@pytest.mark.parametrize("text", ["/a", "~", "~/a", "~wilma/a", r"C:\a", "C:/a", r"\\server\a"])
def test_absolute_paths_of_any_system_are_known(text):
    assert is_absolute(text) == (text != "~")  # alone it may be anything


@pytest.mark.parametrize("text", ["a/b", "val/psnr", "", "3:4", "a~b/c"])
def test_other_texts_are_not_absolute_paths(text):
    assert not is_absolute(text)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_picture_keeps_its_pixels_and_loses_the_rest(tmp_path, rng, mode):
    shape = {"L": (5, 6), "RGB": (5, 6, 3), "RGBA": (5, 6, 4)}[mode]
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    info = PngInfo()
    info.add_text("Software", "made by wilma on hermes")
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, pnginfo=info, dpi=(100, 100))
    made = plain_png(path)
    assert b"wilma" not in made
    (tmp_path / "b.png").write_bytes(made)
    with Image.open(tmp_path / "b.png") as image:
        assert image.info == {}
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_picture_with_transparency_keeps_it(tmp_path):
    pixels = np.zeros((2, 3, 2), np.uint8)
    pixels[..., 1] = [[0, 128, 255]] * 2
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(plain_png(tmp_path / "a.png"))
    with Image.open(tmp_path / "b.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3], pixels[..., 1])
