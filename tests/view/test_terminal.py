"""Pictures in terminals: what is decoded again is what was shown."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from reconic.view.terminal import picture_codes, terminal_protocol


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def picture():
    """Four colours in blocks; 13 rows are no multiple of a band's six."""
    pixels = np.zeros((13, 10, 3), np.uint8)
    pixels[:5, 4:], pixels[5:, :4], pixels[5:, 4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return pixels


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "TMUX": "1", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "xterm", "RECONIC_TERMINAL": "sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "RECONIC_TERMINAL": "none"}, None),
    ],
)
def test_the_terminal_is_told_by_its_environment(environment, protocol):
    assert terminal_protocol(environment) == protocol


def test_kitty_gets_the_file_in_chunks():
    file = png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    found = re.findall(r"\033_G([^;]*);([^\033]*)\033\\", picture_codes(file, "kitty"))
    assert base64.b64decode("".join(text for _, text in found)) == file
    assert all(len(text) <= 4096 for _, text in found)
    assert [head[-1] for head, _ in found] == ["1"] * (len(found) - 1) + ["0"]
    assert "a=T,f=100" in found[0][0]


def test_iterm_gets_the_file(picture):
    file = png(picture)
    size, text = re.search(r"size=(\d+):([^\a]*)\a", picture_codes(file, "iterm")).groups()
    assert (int(size), base64.b64decode(text)) == (len(file), file)


def test_sixels_say_the_same_pixels(picture):
    codes = picture_codes(png(picture), "sixel")
    assert codes.startswith('\033Pq"1;1;10;13')
    assert codes.rstrip().endswith("\033\\")
    np.testing.assert_array_equal(decoded(codes, picture.shape), picture)


def decoded(codes, shape):
    """Pixels of sixel data, drawn as a terminal does."""
    out, palette = np.zeros((shape[0] + 6, shape[1], 3), np.uint8), {}
    body = re.sub(r'^\033Pq"[\d;]*|\033\\\n$', "", codes)
    x = top = 0
    words = re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|(?:!(\d+))?([?-~])|([$-])", body)
    for new, r, g, b, colour, count, sixel, move in words:
        if new:
            palette[new] = np.round(np.array([int(r), int(g), int(b)]) * 2.55)
        elif colour:
            now = palette[colour]
        elif sixel:
            rows = [i for i in range(6) if (ord(sixel) - 63) >> i & 1]
            n = int(count or 1)
            for i in rows:
                out[top + i, x : x + n] = now
            x += n
        else:
            x, top = 0, top + 6 * (move == "-")
    return out[: shape[0]]
