import json

import pytest
from tiny import one_thread as one_thread
from tiny import tiny_config, write_splits


@pytest.fixture(scope="session")
def splits(tmp_path_factory):
    """Paths of tiny training, validation and test files."""
    return write_splits(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def train(tmp_path_factory, splits):
    """Train from a tiny configuration with some keys changed, as the command does."""
    from reconic.train import fit
    from reconic.train.config import prepare, train_parser

    def run(**changes):
        folder = tmp_path_factory.mktemp("run")
        path = folder / "config.json"
        path.write_text(json.dumps(tiny_config(folder, splits, **changes)))
        parser = train_parser()
        return fit(**prepare(parser, parser.parse_args(["--config", str(path)])))

    return run


@pytest.fixture(scope="session")
def trained(train):
    """One finished tiny run."""
    return train(
        loss={
            "class_path": "WeightedSum",
            "init_args": {
                "terms": {
                    "l2": [1.0, {"class_path": "ComplexL2"}],
                    "ssim": [0.1, {"class_path": "SSIMLoss"}],
                }
            },
        },
        lr_scheduler=[0.5, 1],
    )
