"""When images are logged and figures drawn."""

from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_arrays, write_splits

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import ReconData, SystemFactory
from reconic.train.images import Images, LogImages, fixed_examples


class Writer:
    def __init__(self, folder):
        self.folder = folder
        self.logged = []

    def images(self, panels, step):
        self.logged.append((step, set(panels)))


@pytest.fixture
def validate(tmp_path):
    """Run the callback after the validations of some epochs; returns what it logged and drew."""
    arrays = tiny_arrays(1)
    names = {"x": "imgs", "y": "ksp", "maps": "maps", "mask": "masks"}
    example = {name: torch.from_numpy(arrays[key]) for name, key in names.items()}
    module = SimpleNamespace(recon=MoDL(CNN(width=4, n_layers=2), n_unrolls=1))

    def run(images, epochs, **state):
        writer = Writer(tmp_path)
        callback = LogImages(writer, SystemFactory(), [example], images)
        for epoch in range(epochs):
            trainer = SimpleNamespace(
                current_epoch=epoch, global_step=10 * epoch,
                **{"sanity_checking": False, "is_global_zero": True, **state},
            )  # fmt: skip
            callback.on_validation_end(trainer, module)
        callback.on_train_end(None, module)
        drawn = sorted(p.name for p in (tmp_path / "figures").glob("*"))
        return writer.logged, drawn

    return run


def test_what_does_not_change_is_logged_once(validate):
    logged, drawn = validate(Images(figures_every_n_epochs=None), 2)
    assert [step for step, _ in logged] == [0, 10]
    once = {"input", "input_phase", "truth", "truth_phase", "measured_kspace"}
    assert logged[0][1] - logged[1][1] == {f"example_0/{name}" for name in once}
    assert drawn == []


def test_figures_every_n_epochs_and_at_the_end(validate):
    _, drawn = validate(Images(figures_every_n_epochs=2), 5)
    assert drawn == [f"epoch_{n:04d}_example_0.png" for n in (2, 4, 5)]


def test_images_every_n_epochs(validate):
    logged, drawn = validate(Images(every_n_epochs=3, figures_every_n_epochs=2), 6)
    assert [step for step, _ in logged] == [10, 20, 30, 50]  # 2, 3, 4 and 6
    assert len(drawn) == 3


@pytest.mark.parametrize("state", [{"sanity_checking": True}, {"is_global_zero": False}])
def test_nothing_before_training_and_in_other_processes(validate, state):
    assert validate(Images(figures_every_n_epochs=1), 1, **state) == ([], [])


def test_examples_are_spaced_evenly(tmp_path):
    data = ReconData(**write_splits(tmp_path, n_val=6), num_workers=0)
    assert [int(e["index"]) for e in fixed_examples(data, 2)] == [1, 4]
    assert fixed_examples(data, 0) == []
    assert len(fixed_examples(data, 9)) == 6


@pytest.mark.parametrize(
    "wrong", [{"n": -1}, {"every_n_epochs": 0}, {"figures_every_n_epochs": -2}]
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"at least 1, got -?\d"):
        Images(**wrong)
