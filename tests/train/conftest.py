import pytest
from tiny import write_splits


@pytest.fixture(scope="session")
def splits(tmp_path_factory):
    """Paths of tiny training, validation and test files."""
    return write_splits(tmp_path_factory.mktemp("data"))
