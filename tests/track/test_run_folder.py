"""Run folders: never used twice, files whole."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconic.track import environment, hidden, new_run, write_json, write_text


def test_versions_count_up(tmp_path):
    assert new_run(tmp_path, "a") == tmp_path / "a" / "version_0"
    assert new_run(tmp_path, "a").name == "version_1"
    (tmp_path / "a" / "version_7").mkdir()
    (tmp_path / "a" / "version_old").mkdir()
    assert new_run(tmp_path, "a").name == "version_8"
    assert new_run(tmp_path, "b/c") == tmp_path / "b" / "c" / "version_0"


def test_runs_that_start_together_get_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_run(tmp_path, "a"), range(32)))
    assert len(set(folders)) == 32


@pytest.mark.parametrize("name", ["", "/tmp/x", "../x", "a/../../b"])
def test_names_stay_below_the_log_folder(tmp_path, name):
    with pytest.raises(ValueError, match="relative path below"):
        new_run(tmp_path, name)


def test_text_is_whole_or_absent(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "λ = 1")
    assert path.read_text(encoding="utf-8") == "λ = 1"
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800 and half")
    assert path.read_text(encoding="utf-8") == "λ = 1"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, 2.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, 2.5]}


def test_environment_names_what_matters():
    found = environment()
    assert {"numpy", "torch", "h5py"} <= set(found["packages"])
    assert found["cpus"] >= 1
    assert found["command"]
    json.dumps(found)


def test_a_log_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"`logdir` must be a folder .* got .*file'.*Choose another"):
        new_run(tmp_path / "file", "a")


def test_passwords_of_urls_are_not_written_down(monkeypatch):
    url = "postgresql://anna:s3cret@host:5432/db"
    monkeypatch.setattr("sys.argv", ["reconic", "search", f"--storage={url}", "http://x/a:b"])
    command = environment()["command"]
    assert command[2:] == ["--storage=postgresql://anna:***@host:5432/db", "http://x/a:b"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:s3cret@host/db",
        "to postgresql+psycopg://anna:s3cret@host:1/db, please",
        "postgresql://host/db?user=anna&password=s3cret&sslmode=require",
        "host=h PASSWORD=s3cret",
        "--storage=postgresql://anna:s3cret@host/db",
    ],
)
def test_passwords_are_hidden_and_the_rest_is_not(url):
    assert hidden(url) == url.replace("s3cret", "***")
    assert hidden(hidden(url)) == hidden(url)


def test_a_password_with_an_at_sign_is_hidden_whole():
    assert hidden("to postgresql://u:p@s3@host/db, a@b") == "to postgresql://u:***@host/db, a@b"
