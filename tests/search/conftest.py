import contextlib
import gc

import pytest

from reconic.search import open_study


@pytest.fixture(scope="module", autouse=True)
def _few_objects():
    """Leave what is there out of the garbage collection after each trial, which else is slow."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def opened():
    """`open_study` whose studies are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(open_study(*args, **kwargs))
