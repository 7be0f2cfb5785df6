import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import one_thread as one_thread
from tiny import tiny_arrays, write_h5


@pytest.fixture
def arrays():
    """Three examples of four coils in DeepInPy's layout; a noise of its own for each."""
    made = tiny_arrays(3, seed=3, shape=(16, 12), centre=4)
    rng = np.random.default_rng(1)
    shape = made["ksp"].shape
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return {**made, "noise": noise.astype(np.complex64)}


@pytest.fixture
def old(tmp_path, arrays):
    """Write a configuration of DeepInPy, its data file, and a checkpoint it starts from."""

    def write(state=None, data=arrays, text=None, **keys):
        write_h5(tmp_path / "data.h5", data)
        config = {
            "data_file": str(tmp_path / "data.h5"),
            "logdir": str(tmp_path / "logs"),
            "name": "old",
            **keys,
        }
        if state is not None:
            tensors = {k: torch.as_tensor(np.asarray(v)) for k, v in state.items()}
            torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "old.ckpt")
            config["checkpoint_init"] = str(tmp_path / "old.ckpt")
        path = tmp_path / "old.json"
        path.write_text(json.dumps(config) if text is None else text)
        return path

    return write


@pytest.fixture
def prepared():
    """What `reconic train` makes of a configuration file, its first weights loaded."""
    from reconic.cli.spelling import parse
    from reconic.cli.train import BASES
    from reconic.compat.deepinpy import translated
    from reconic.train.config import prepare, train_parser
    from reconic.train.load import load_weights

    def make(path):
        parser = train_parser()
        with translated(["--config", str(path)]) as words:
            config = parse(parser, words, BASES)
        made = prepare(parser, config)
        if made["init"] is not None:
            load_weights(made["recon"], Path(made["init"]))
        return made

    return make
