"""Calls side by side."""

import threading

import pytest

from reconic.view.threads import together


def test_results_are_in_order_and_no_thread_stays():
    before = threading.active_count()
    assert together([lambda i=i: i * i for i in range(20)]) == [i * i for i in range(20)]
    assert together([]) == []
    assert threading.active_count() == before


def test_calls_run_at_the_same_time(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=120)  # breaks if one waits for the other
    assert sorted(together([both.wait, both.wait])) == [0, 1]


def test_errors_are_raised():
    with pytest.raises(ZeroDivisionError):
        together([lambda: 1, lambda: 1 / 0])
