"""Systems by name, built from batches."""

import pytest
import torch

from reconic.systems import CartesianMRI
from reconic.train import SystemFactory


@pytest.fixture
def batch():
    return {
        "maps": torch.ones(2, 3, 6, 5, dtype=torch.complex64),
        "mask": torch.ones(2, 6, 5),
        "x": 0,
    }


@pytest.mark.parametrize("name", ["CartesianMRI", "reconic.systems.CartesianMRI"])
def test_arrays_come_from_the_batch(batch, name):
    A = SystemFactory(name)(batch)
    assert isinstance(A, CartesianMRI)
    assert A.maps is batch["maps"]
    assert A.mask is batch["mask"]


def test_static_fields_come_from_the_config():
    factory = SystemFactory("CartesianMRI", {"n_space": 3})
    assert factory.n_space == 3
    maps = torch.ones(3, 4, 6, 5, dtype=torch.complex64)
    assert factory({"maps": maps, "mask": torch.ones(4, 6, 5)}).in_shape == (4, 6, 5)


def test_missing_array_lists_what_there_is():
    with pytest.raises(KeyError, match="must have maps, mask, got x"):
        SystemFactory()({"x": 0})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("CartesianMR",), "Did you mean 'CartesianMRI'"),
        (("reconic.nothing.A",), "must be importable"),
        (("reconic.recons.MoDL",), "must name a LinearSystem"),
        (("CartesianMRI", {"nspace": 2}), "Did you mean 'n_space'"),
        (("CartesianMRI", {"maps": 2}), "must be among n_space"),
    ],
)
def test_wrong_names(args, message):
    with pytest.raises(ValueError, match=message):
        SystemFactory(*args)
