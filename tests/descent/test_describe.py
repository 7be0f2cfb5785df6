"""What `config.yaml` of a run tells of the call that made it."""

import numpy as np
import yaml

from reconic import descent as rd
from reconic.descent.describe import describe
from reconic.systems import Convolution


def nonnegative(v):
    return v


def test_the_folder_of_a_run_tells_what_defined_it(fit, tmp_path):
    loss = rd.l2("y") + 1e-3 * rd.tv("x", isotropic=False) + rd.huber("y", delta=0.5)
    settings = {"x": rd.adam(0.1, schedule="cosine", schedule_options={"decay_steps": 9}, every=2)}
    run = fit(
        settings, loss=loss, run=tmp_path / "run", after_step=nonnegative, stop=rd.Plateau(50),
        keep_checkpoints=np.int64(3),
    ).run  # fmt: skip
    told = yaml.safe_load((run / "config.yaml").read_text())
    assert told["forward"].endswith("conftest.blur.<locals>.forward")
    assert told["variables"] == {"x": "float32 (6, 5)"}
    assert told["data"] == {"y": "float32 (6, 5)"}
    assert told["after_step"].endswith("test_describe.nonnegative")
    assert told["stop"] == {"Plateau": {"patience": 50}}
    assert (told["epochs"], told["seed"], told["batch_size"]) == (20, 0, None)
    terms = {t["Term"]["name"]: t["Term"] for t in told["loss"]["Loss"]["terms"]}
    assert told["loss"]["Loss"]["weights"] == [1.0, 0.001, 1.0]
    assert terms["l2"]["fn"]["DataTerm"]["target"] == "y"
    assert terms["tv"]["fn"]["_Regularizer"]["variable"] == "x"
    assert terms["tv"]["fn"]["_Regularizer"]["cost"]["_TV"]["isotropic"] is False
    huber = terms["huber"]["fn"]["DataTerm"]["cost"]["_Elementwise"]["cost"]["_Huber"]
    assert huber == {"delta": 0.5}
    rule = {"method": "adam", "learning_rate": 0.1, "schedule": "cosine",
            "schedule_options": [["decay_steps", 9]]}  # fmt: skip
    assert told["optimizers"] == {"x": {"Optimizer": {"rule": {"OptaxRule": rule}, "every": 2}}}


def test_values_of_every_kind_are_told():
    system = Convolution.from_psf(np.ones((3, 3)), (8, 8))
    assert "Convolution" in describe(system)
    assert describe({1: [np.float32(2), 1j, None, True]}) == {"1": ["2.0", "1j", None, True]}
    assert describe(iter([])) == "builtins.list_iterator"
    assert describe(np.sum).endswith("sum")
