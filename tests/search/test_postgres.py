"""A study in a real PostgreSQL server, shared by processes."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState
from searching import plan, two_workers_one_killed, value

from reconic.search import run_trials

pytest.importorskip("psycopg")


def program(name):
    """PostgreSQL's program, also where Debian keeps it."""
    homes = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((str(h / name) for h in homes if (h / name).exists()), shutil.which(name))


@pytest.fixture(scope="module")
def server():
    """URL of a server on loopback, with a password; stopped at the end."""
    if program("initdb") is None or program("postgres") is None:
        pytest.skip("PostgreSQL's server is not installed")
    who = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        who = {"user": pwd.getpwnam("nobody").pw_uid}
    folder = tempfile.mkdtemp(prefix="reconic-postgres-")
    if who:
        os.chown(folder, who["user"], -1)
    password = Path(folder, "password")
    password.write_text("s3cret\n")
    password.chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [program("initdb"), "-D", f"{folder}/db", "-U", "anna", "-A", "scram-sha-256",
         f"--pwfile={password}", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    log = Path(folder, "log")
    with log.open("w") as out:
        process = subprocess.Popen(
            [program("postgres"), "-D", f"{folder}/db", "-p", str(port), "-k", folder,
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            cwd=folder, stdout=out, stderr=out, **who,
        )  # fmt: skip
    while "ready to accept connections" not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    yield f"postgresql://anna:s3cret@127.0.0.1:{port}/postgres"
    process.send_signal(signal.SIGINT)  # at once, without waiting for clients
    process.wait(20)
    shutil.rmtree(folder)


def test_trials_are_kept(server, tmp_path, opened):
    settings = plan(n_trials=3)
    study = opened(server, "kept", settings, {"base": 0})
    run_trials(study, settings, {"base": 0}, lambda c, report: (value(c), tmp_path))
    again = opened(server, "kept", settings, {"base": 0})
    assert [t.state for t in again.trials] == [TrialState.COMPLETE] * 3
    assert again.best_value == study.best_value


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_lose_no_trial(server, tmp_path):
    two_workers_one_killed(server, tmp_path)


def test_a_wrong_password_is_told_and_not_shown(server, opened):
    with pytest.raises(ConnectionError, match="password") as error:
        opened(server.replace("s3cret", "wr0ng"), "s", plan(), {})
    assert "wr0ng" not in str(error.value)
