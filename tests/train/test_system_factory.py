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


def radial_batch(**more):
    return {
        "maps": torch.ones(2, 3, 6, 5, dtype=torch.complex64),
        "traj": torch.linspace(-3, 3, 80).reshape(2, 4, 5, 2),
        "y": torch.ones(2, 3, 4, 5, dtype=torch.complex64),
        **more,
    }


def test_arrays_with_a_default_may_be_left_out():
    factory = SystemFactory("NonCartesianMRI", {"n_sample_axes": 2})
    assert factory.optional == ["dcf"]
    assert factory(radial_batch()).dcf is None
    dcf = torch.full((2, 4, 5), 4.0)
    assert factory(radial_batch(dcf=dcf)).dcf is dcf
    with pytest.raises(KeyError, match="the data must have maps, traj, got dcf"):
        factory({"dcf": dcf})


def test_measurements_are_weighted_as_their_system():
    factory = SystemFactory("NonCartesianMRI", {"n_sample_axes": 2})
    batch = radial_batch(dcf=torch.full((2, 4, 5), 4.0))
    y, A = factory.measured(batch)
    torch.testing.assert_close(y, 2 * batch["y"])
    x = torch.ones(2, 6, 5, dtype=torch.complex64)
    torch.testing.assert_close(A(x), 2 * factory(radial_batch())(x))
    assert factory.measured(radial_batch())[0] is not y


@pytest.mark.parametrize(
    ("name", "init_args", "axis", "title"),
    [
        ("CartesianMRI", {}, 0, "Zero-filled"),
        ("CartesianMRI", {"sets": True}, 1, "Zero-filled"),
        ("NonCartesianMRI", {"sets": True}, 1, "Gridding"),
        ("Convolution", {}, None, "Zero-filled"),
    ],
)
def test_where_coils_are_and_what_the_adjoint_is_called(name, init_args, axis, title):
    factory = SystemFactory(name, init_args)
    assert factory.coil_axis == axis
    assert factory.adjoint_title == title
