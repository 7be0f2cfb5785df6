"""Calls on a thread: in order, bounded, and their errors are not lost."""

import threading
import time

import pytest

from reconic.track import Background


def test_calls_are_made_in_order_and_waited_for():
    thread, seen = Background(capacity=2), []
    for i in range(9):
        thread.do(lambda i=i: (time.sleep(0.002), seen.append((i, threading.get_ident()))))
    thread.wait()
    assert [i for i, _ in seen] == list(range(9))
    assert {where for _, where in seen} != {threading.get_ident()}
    thread.close()


def test_no_more_calls_wait_than_there_is_room_for():
    thread, go = Background(capacity=2), threading.Event()
    thread.do(go.wait)
    thread.do(go.wait)
    threading.Timer(0.1, go.set).start()
    began = time.monotonic()
    thread.do(go.wait)
    assert time.monotonic() - began > 0.05
    thread.close()


def test_an_error_is_raised_by_what_comes_next():
    def fail():
        raise OSError("the disk is full")

    thread, seen = Background(), []
    thread.do(fail)
    with pytest.raises(OSError, match="the disk is full"):
        thread.wait()
    thread.do(fail)
    thread.do(seen.append, 1)
    with pytest.raises(OSError, match="the disk is full"):
        thread.close()
    assert seen == [1]  # what came after was done
