import json

import pytest
from tiny import one_thread as one_thread
from tiny import tiny_config, write_splits

from reconic.cli import main


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Folder with tiny data and a configuration, config.json."""
    folder = tmp_path_factory.mktemp("home")
    config = tiny_config(folder, write_splits(folder))
    config["trainer"]["enable_progress_bar"] = False
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def run(home):
    """Folder of a finished run."""
    assert main(["train", "--config", str(home / "config.json")]) == 0
    return home / "logs" / "tiny" / "version_0"


@pytest.fixture
def reconic(capsys):
    """Run a command; gives its status, output and error output."""

    def call(*argv):
        capsys.readouterr()
        status = main([str(word) for word in argv])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, captured.out, captured.err

    return call


@pytest.fixture
def with_config(home, tmp_path):
    """Path of the configuration with some keys changed."""

    def write(changes):
        config = {**json.loads((home / "config.json").read_text()), **changes}
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(config))
        return path

    return write
