"""The stand-alone page, read back without a browser."""

import base64
import gzip
import json
import re

import numpy as np
import pytest

from reconic import view
from reconic.view import page as page_module
from reconic.view.payload import program


def read_page(path):
    """Description of the scene, and its arrays, decoded without the page's own program."""
    text = path.read_text("utf-8")
    scene = json.loads(re.search(r'id="scene">(.*?)</script>', text)[1])
    arrays = [_decoded(text, i, about) for i, about in enumerate(scene["volumes"])]
    return scene, arrays


def _decoded(text, number, about):
    size = int(np.prod(about["shape"]))
    out = np.full((1 + about["complex"], size), np.nan)
    pattern = rf'data-volume="{number}" data-start="(\d+)" data-count="(\d+)" data-low="(.*?)" '
    for match in re.finditer(pattern + r'data-step="(.*?)">(.*?)</script>', text):
        start, count = int(match[1]), int(match[2])
        code = np.frombuffer(gzip.decompress(base64.b64decode(match[5])), np.uint8)
        code = code.reshape(len(out), about["bits"] // 8, count).astype(np.int64)
        code = sum(code[:, k] << (8 * k) for k in range(code.shape[1]))
        low, step = (np.array(json.loads(match[k]))[:, None] for k in (3, 4))
        out[:, start : start + count] = _values(code, low, step, about)
    whole = out[0] + 1j * out[1] if about["complex"] else out[0]
    return whole.reshape(about["shape"])


def _values(code, low, step, about):
    if about["kind"] == "half":
        return code.astype(np.uint16).view(np.float16).astype(float) * step
    values = low + code * step
    if about["kind"] == "linear":
        top = 2 ** about["bits"] - 1
        for place, special in ((top, -np.inf), (top - 1, np.inf), (top - 2, np.nan)):
            values[code == place] = special
    return values


def written(viewer, tmp_path, **options):
    path = tmp_path / "page.html"
    viewer.to_html(path, **options)
    return read_page(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_values_are_kept_to_half_a_step(dtype, rng, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "_BLOCK", 200)  # several blocks, the last one short
    x = rng.standard_normal((5, 3, 10, 9)).astype(dtype)
    if np.iscomplexobj(x):
        x = x * (1 - 2j)
    _, [kept] = written(view.volume(x), tmp_path)
    span = 2 * np.abs(x).max()
    np.testing.assert_allclose(kept.real, x.real, atol=span / 65532 / 2 * 1.01, rtol=0)
    np.testing.assert_allclose(kept.imag, x.imag, atol=span / 65532 / 2 * 1.01, rtol=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, bool])
def test_integers_are_kept_as_they_are(dtype, rng, tmp_path):
    x = rng.integers(0, 2, (3, 8, 9)).astype(dtype)
    if dtype is not bool:
        x[0, 0, :2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    scene, [kept] = written(view.volume(x), tmp_path)
    np.testing.assert_array_equal(kept, x)
    assert scene["volumes"][0]["bits"] == 8 * x.itemsize


def test_nan_and_inf_stay(rng, tmp_path):
    x = rng.standard_normal((4, 6, 5))
    x[1, 2, 3], x[2, 0, 0], x[3, 5, 4] = np.nan, np.inf, -np.inf
    scene, [kept] = written(view.volume(x), tmp_path)
    np.testing.assert_allclose(kept, x, atol=1e-4)  # of 65533 steps over some -3 to 3
    assert any("NaN" in note for note in scene["notes"])


def test_nothing_but_nan_is_written(tmp_path):
    _, [kept] = written(view.volume(np.full((2, 3, 4), np.nan)), tmp_path)
    assert np.isnan(kept).all()


def test_kspace_keeps_its_small_values(rng, tmp_path):
    y = (rng.standard_normal((2, 16, 16)) * 10.0 ** -rng.integers(0, 7, (2, 16, 16))) + 0j
    _, [kept] = written(view.kspace(y), tmp_path)
    np.testing.assert_allclose(kept, y, rtol=2**-10, atol=2e-8)  # half precision: 2**-11, twice


def test_one_array_that_several_layers_show_is_written_once(normal, tmp_path):
    scene, arrays = written(view.complex(normal(6, 7)), tmp_path)
    assert len(scene["layers"]) == 4
    assert len(arrays) == 1


def test_budget_takes_bits_then_voxels_and_says_so(rng, tmp_path):
    x = rng.standard_normal((40, 50, 60))
    scene, [kept] = written(view.volume(x), tmp_path, megabytes=0.2)
    assert "8 bits" in scene["notes"][-1]
    np.testing.assert_allclose(kept, x, atol=np.ptp(x) / 252 / 2 * 1.01)
    scene, [kept] = written(view.volume(x, spacing=2.0), tmp_path, megabytes=0.1)
    assert "1 in 2 along x" in scene["notes"][-1]
    assert scene["spacing"] == [2.0, 2.0, 4.0]
    assert scene["index"] == [20, 25, 15]
    np.testing.assert_allclose(kept, x[..., ::2], atol=np.ptp(x) / 252 / 2 * 1.01)


def test_budget_counts_both_parts_of_complex_values(normal, tmp_path):
    x = normal(20, 50, 60)  # 160 kB of 8 bits in base64, and 320 of 16
    scene, _ = written(view.volume(x), tmp_path, megabytes=0.2)
    assert scene["notes"][-1].endswith(": values in 8 bits.")


def test_budget_takes_no_bits_of_decibels(rng, tmp_path):
    y = rng.standard_normal((40, 50)) + 0j
    scene, [kept] = written(view.kspace(y), tmp_path, megabytes=0.006)
    assert scene["steps"] == [1, 2]
    np.testing.assert_allclose(kept, y[:, ::2], rtol=2**-10, atol=2e-4)  # half precision


def test_values_beyond_single_precision_stay_finite(tmp_path):
    _, [kept] = written(view.volume(np.array([[0.0, 1e300]])), tmp_path)
    assert kept.tolist() == [[0, pytest.approx(3.4e38)]]


class Endless:
    """A volume larger than memory: a value tells its place; counts what is read at once."""

    shape, dtype, most = (20, 3000, 1000, 1000), np.dtype(np.float32), 0

    def __getitem__(self, key):
        starts = [k if isinstance(k, int) else 0 for k in key]
        shape = [
            len(range(*k.indices(n)))
            for k, n in zip(key, self.shape, strict=True)
            if isinstance(k, slice)
        ]
        type(self).most = max(self.most, int(np.prod(shape)))
        return np.full(shape, starts[0] + starts[1], np.float32)


def test_a_volume_larger_than_memory_is_thinned_plane_by_plane(tmp_path):
    path = tmp_path / "page.html"
    view.volume(Endless()).to_html(path, megabytes=0.02)
    assert Endless.most <= 1000 * 1000
    assert path.stat().st_size < 400_000  # the program and the style are most of it
    scene, [kept] = read_page(path)
    assert "thinned" in scene["notes"][-1]
    assert abs(kept[0, 1, 0, 0] - scene["steps"][1]) < 3020 / 252  # a step of 8 bits


def test_titles_cannot_end_the_page(rng, tmp_path):
    title = "</script><b>"
    view.compare({title: rng.random((4, 4))}).to_html(tmp_path / "page.html")
    assert title not in (tmp_path / "page.html").read_text()


def test_a_page_appears_whole_or_not_at_all(rng, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("before")
    monkeypatch.setattr(page_module, "program", lambda entry: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        view.volume(rng.random((3, 4, 5))).to_html(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("megabytes", [0, -1, float("nan")])
def test_budget_must_be_positive(megabytes, rng, tmp_path):
    with pytest.raises(ValueError, match=r"`megabytes` must be positive"):
        view.volume(rng.random((3, 4, 5))).to_html(tmp_path / "page.html", megabytes=megabytes)


@pytest.mark.parametrize("entry", ["page", "widget"])
def test_program_needs_no_other_file(entry):
    text = program(entry)
    assert not re.search(r"^\s*import\b", text, flags=re.M)
    assert "http" not in text
    names = re.findall(r"^(?:async )?(?:function|class|const) (\w+)", text, flags=re.M)
    assert len(names) == len(set(names))
