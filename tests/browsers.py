"""A headless browser, and TensorBoard servers to look at with it: fixtures of all tests.

`browser` is Playwright's; open pages by `browser.new_page()`. `tensorboard(logdir)` starts a server
on a log folder, once for each, and gives its address.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Address of a Chromium that all tests share, for its debugging protocol."""
    pytest.importorskip("playwright")
    program = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    profile = tmp_path_factory.mktemp("chromium")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--remote-debugging-port=0", f"--user-data-dir={profile}"]  # fmt: skip
    with _running([program, *options], profile / "log") as (process, log):
        yield _awaited(r"DevTools listening on (ws://\S+)", process, log)


@pytest.fixture(scope="module")
def browser(chromium):
    """The shared Chromium; connected for a module, as Playwright keeps an event loop running."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        connected = playwright.chromium.connect_over_cdp(chromium)
        yield connected
        for context in connected.contexts:
            for page in context.pages:
                page.close()


@pytest.fixture(scope="session")
def tensorboard(tmp_path_factory):
    """Function that serves a log folder, and gives the address."""
    pytest.importorskip("tensorboard")
    logs, found = tmp_path_factory.mktemp("tensorboard"), {}
    with contextlib.ExitStack() as stack:

        def serve(logdir):
            folder = str(Path(logdir).resolve())
            if folder not in found:
                words = ["--logdir", folder, "--port", "0", "--reload_interval", "1",
                         "--load_fast", "false"]  # fmt: skip
                command = [sys.executable, "-m", "tensorboard.main", *words]
                process, log = stack.enter_context(_running(command, logs / str(len(found))))
                found[folder] = _awaited(r"(http://\S+)", process, log)
            return found[folder]

        yield serve


@contextlib.contextmanager
def _running(command, log):
    """Process that writes into a file, ended after the `with` block."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        yield process, log
    finally:
        process.terminate()
        process.wait(60)


def _awaited(pattern, process, log, seconds=120):
    """What a process tells of itself in its log."""
    end = time.monotonic() + seconds
    while not (match := re.search(pattern, log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return match[1]
