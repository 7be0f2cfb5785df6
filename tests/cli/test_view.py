"""`reconic view`: pages, pictures, terminals."""

import numpy as np
import pytest
from view.raw import write_raw

from reconic.cli import view


@pytest.fixture
def opened(monkeypatch):
    """Addresses that a browser was asked for."""
    found = []
    monkeypatch.setattr("webbrowser.open", lambda address: found.append(address) or True)
    return found


@pytest.fixture
def file(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((6, 8, 9)))
    return tmp_path / "a.npy"


def test_a_page_is_opened(reconic, file, opened):
    status, out, err = reconic("view", str(file))
    assert (status, err) == (0, "")
    (address,) = opened
    assert address == f"file://{out.splitlines()[-1]}"


def test_a_page_and_a_picture_are_written_and_nothing_opened(reconic, file, opened, tmp_path):
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    status, out, _ = reconic(
        "view", str(file), "--html", str(page), "--out", str(picture), "--no-open"
    )
    assert (status, opened) == (0, [])
    assert out.split() == [str(picture), str(page)]
    assert "<html" in page.read_text()[:200]
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert reconic("view", str(file), "--out", str(picture))[0] == 0
    assert opened == []  # a picture alone needs no page


def test_a_page_by_out(reconic, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((8, 8)))
    status, out, _ = reconic("view", tmp_path / "x.npy", "--out", tmp_path / "a.html", "--no-open")
    assert status == 0
    assert "a.html" in out
    assert "<html" in (tmp_path / "a.html").read_text()[:200]


def test_a_terminal_that_takes_pictures_gets_one(reconic, file, opened, monkeypatch):
    monkeypatch.setenv("RECONIC_TERMINAL", "kitty")
    monkeypatch.setattr(view.sys.stdout, "isatty", lambda: True, raising=False)
    status, out, _ = reconic("view", str(file))
    assert (status, opened) == (0, [])
    assert "\033_Ga=T,f=100" in out


def test_a_run_and_what_is_wrong_with_it(reconic, opened, tmp_path):
    (tmp_path / "config.yaml").write_text("epochs: 3\n")
    status, out, _ = reconic("view", str(tmp_path))
    assert (status, len(opened)) == (0, 1)
    assert "note: No metrics.jsonl: nothing has been logged yet." in out


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.inf, np.inf], [3, 3], [True, False]])
def test_odd_values_are_shown_with_a_line(reconic, opened, tmp_path, values):
    np.save(tmp_path / "a.npy", np.array(values))
    status, out, _ = reconic("view", str(tmp_path / "a.npy"))
    assert status == 0
    assert "note: 1-D data of shape (2,)" in out
    assert out.count("note: ") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.npy"], "must be a file, got 'nowhere.npy'. Try `reconic view --help`."),
        (["EMPTY"], "must have values, got shape (0, 3)"),
        (["FOLDER"], "must be a run folder"),
    ],
)
def test_bad_input(reconic, opened, tmp_path, words, message):
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    names = {"EMPTY": tmp_path / "empty.npy", "FOLDER": tmp_path}
    status, _, err = reconic("view", *[str(names.get(word, word)) for word in words])
    assert status == 2
    assert message in err
    assert opened == []


@pytest.mark.parametrize(
    ("name", "shape", "options", "seen"),
    [
        ("ksp", (3, 8, 9), (), ("coil", "ky", "kx")),
        ("data/maps", (2, 3, 8, 9), (), ("Coil 0", "Coil 2")),
        ("other", (8, 9), ("--kind", "complex"), ("Magnitude", "Imaginary")),
    ],
)
def test_the_name_or_the_option_says_what_it_is(reconic, tmp_path, name, shape, options, seen):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[name] = np.ones(shape, np.complex64)
    path, page = str(tmp_path / "a.h5"), tmp_path / "a.html"
    assert reconic("view", path, "--key", name, *options, "--html", page, "--no-open")[0] == 0
    text = page.read_text()
    assert all(f'"{word}"' in text for word in seen)


def test_a_trajectory_is_seen_in_kspace(reconic, tmp_path):
    np.save(tmp_path / "traj.npy", np.linspace(-3, 3, 20).reshape(5, 2, 2))
    page = tmp_path / "a.html"
    assert reconic("view", tmp_path / "traj.npy", "--html", page, "--no-open")[0] == 0
    assert "Order of acquisition" in page.read_text()


def test_raw_data(reconic, tmp_path, normal):
    y, page = normal(3, 8, 10), tmp_path / "a.html"
    lines = [{"data": y[:, k], "kspace_encode_step_1": k} for k in range(8)]
    write_raw(tmp_path / "a.h5", [{"data": y[:, 0], "flags": [19]}, *lines])
    status, out, _ = reconic("view", tmp_path / "a.h5", "--html", page, "--no-open")
    assert (status, "note: 1 of 9 readouts" in out) == (0, True)
    assert all(f'"{name}"' in page.read_text() for name in ("coil", "ky", "kx"))
    along = [{"data": d, "traj": np.linspace(-3, 3, 20).reshape(10, 2)} for d in y.swapaxes(0, 1)]
    write_raw(tmp_path / "b.h5", along)
    assert reconic("view", tmp_path / "b.h5", "--html", page, "--no-open")[0] == 0
    assert all(text in page.read_text() for text in ("Order of acquisition", "Data in dB"))
