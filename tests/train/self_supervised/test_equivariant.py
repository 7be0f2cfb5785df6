"""Equivariant imaging: the changes against SciPy and exact turns, and the two terms."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from reconic.recons import ZeroFilled
from reconic.systems import CartesianMRI
from reconic.train import SSDU, ComplexL2, EquivariantImaging, KSpaceLoss
from reconic.train.self_supervised.equivariant import rotate


def test_quarter_turn_of_a_square_is_exact(normal):
    x = torch.from_numpy(normal(2, 3, 12, 12))
    torch.testing.assert_close(rotate(x, math.pi / 2), torch.rot90(x, 1, (-2, -1)))


def test_half_turn_and_no_turn_of_any_size_are_exact(normal):
    x = torch.from_numpy(normal(2, 9, 14))
    torch.testing.assert_close(rotate(x, math.pi), x.flip(-2, -1))
    torch.testing.assert_close(rotate(x, 0.0), x)


def test_rotation_against_scipy(normal):
    smooth = ndimage.gaussian_filter(normal(31, 24), 2)
    found = rotate(torch.from_numpy(smooth)[None], math.radians(30))[0].numpy()
    expected = ndimage.rotate(smooth, 30, reshape=False, order=1)
    inside = (slice(9, -9), slice(6, -6))  # at the border the two continue the image differently
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-10)


def full(normal, shape=(2, 16, 16)):
    phase = torch.from_numpy(normal(shape[0], 1, *shape[1:]))
    A = CartesianMRI(phase / phase.abs(), torch.ones(shape, dtype=torch.float64))
    x = torch.from_numpy(normal(*shape))
    return x, A(x), A


def test_exact_recon_of_full_data_has_no_loss(normal):
    x, y, A = full(normal)
    step = EquivariantImaging(KSpaceLoss(), sigma=0.0).step(ZeroFilled(), None, y, A)
    torch.testing.assert_close(step.x_hat, x)
    assert step.loss < 1e-20


def test_terms_are_reported_and_weighted(spy, batch):
    _, y, A = batch
    loss = EquivariantImaging(SSDU(), alpha=0.7)
    step = loss.step(spy, None, y, A)
    terms = loss.report
    expected = terms["data"] + 0.7 * terms["equivariance"]
    torch.testing.assert_close(step.loss.detach(), expected)
    assert len(spy.calls) == 2
    step.loss.backward()
    assert spy.gain.grad != 0


def test_second_term_is_the_error_of_the_changed_image(spy, batch):
    _, y, A = batch
    loss = EquivariantImaging(KSpaceLoss(), sigma=0.0)
    loss.step(spy, None, y, A)
    again, _ = spy.calls[1]
    torch.manual_seed(1)
    step = loss.step(spy, None, y, A)
    torch.manual_seed(1)
    changed = loss.transform(step.x_hat)
    torch.testing.assert_close(spy.calls[3][0], A(changed))
    found = spy(A(changed), A)
    torch.testing.assert_close(loss.report["equivariance"], ComplexL2()(found, changed, y, A))
    assert not torch.equal(again, spy.calls[3][0])  # another change each time


def test_image_beyond_the_maps_is_not_asked_for(normal):
    x, _, A = full(normal)
    support = (torch.arange(16) < 10).to(torch.float64)
    A = A.replace(maps=A.maps * support)
    y = A(x)
    loss = EquivariantImaging(KSpaceLoss(), sigma=0.0)
    assert loss.step(ZeroFilled(), None, y, A).loss < 1e-20


@pytest.mark.parametrize("only", ["rotate", "shift", "flip"])
def test_each_change_alone(normal, only):
    x = torch.from_numpy(normal(2, 12, 10))
    loss = EquivariantImaging(KSpaceLoss(), transforms=[only])
    torch.manual_seed(0)
    changed = [loss.transform(x) for _ in range(10)]
    assert not all(torch.equal(c, x) for c in changed)
    if only != "rotate":
        for c in changed:
            torch.testing.assert_close(c.abs().sum(), x.abs().sum())
    if only == "flip":
        assert all(torch.equal(c, x) or torch.equal(c, x.flip(-1)) for c in changed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": ComplexL2()}, "`data` must be a loss without truth, got ComplexL2"),
        ({"transforms": ["zoom"]}, "`transforms` must be of rotate, shift, flip, got zoom"),
        ({"transforms": []}, "got none"),
        ({"distance": 1.0}, "`alpha` and `angle` must not be negative"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        EquivariantImaging(**{"data": KSpaceLoss(), **options})
