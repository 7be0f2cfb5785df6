"""Signals: at once, or held until a run is saved."""

import os
import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reconic.train import interrupt
from reconic.train.interrupt import Interrupted, Signals


def send(signum):
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_at_once(signum, status):
    before = signal.getsignal(signum)
    with pytest.raises(Interrupted, match=f"stopped by {signum.name}") as stop, Signals().handled():
        send(signum)
    assert stop.value.status == status
    assert signal.getsignal(signum) is before


def test_held_until_saved():
    with Signals().handled() as signals:
        signals.hold()
        assert signals.received is None
        send(signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        with pytest.raises(Interrupted, match=r"after step 7, saved as a/run/c/last\.ckpt\. To go "
                           r"on: reconic train --resume a/run$"):  # fmt: skip
            signals.stop(Path("a/run/c/last.ckpt"), 7)


def test_the_second_signal_ends_at_once():
    with Signals().handled() as signals:
        signals.hold()
        send(signal.SIGTERM)
        with pytest.raises(Interrupted, match="stopped by SIGINT"):
            send(signal.SIGINT)


def test_released_with_advice():
    with Signals().handled() as signals:
        signals.hold()
        signals.release("Test it")
        with pytest.raises(Interrupted, match=r"SIGTERM\. Test it"):
            send(signal.SIGTERM)
    with Signals().handled() as signals:
        signals.hold()
        send(signal.SIGTERM)
        with pytest.raises(Interrupted, match=r"SIGTERM\. Test it"):
            signals.release("Test it")


def test_other_threads_are_left_alone():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def use():
        with Signals().handled() as signals:
            signals.hold()
            found.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_system_without_a_signal_does_without(monkeypatch):
    monkeypatch.delattr(signal, "SIGUSR1")  # as on Windows
    made = runpy.run_path(interrupt.__file__)
    with pytest.raises(made["Interrupted"], match="SIGTERM"), made["Signals"]().handled():
        send(signal.SIGTERM)


def test_workers_do_not_mind():
    code = (
        "import os; from reconic.train.interrupt import ignore_signals; ignore_signals(0)\n"
        f"[os.kill(os.getpid(), s) for s in ({signal.SIGTERM:d}, {signal.SIGINT:d})]"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
