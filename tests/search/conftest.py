import contextlib

import pytest

from reconic.search import open_study


@pytest.fixture
def opened():
    """`open_study` whose studies are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(open_study(*args, **kwargs))
