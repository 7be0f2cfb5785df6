"""Splits of measurements: exact parts of any system, and the misfit against NumPy."""

import numpy as np
import pytest
import torch

from reconic.operator import LinearSystem, system
from reconic.recons.splitting import mixed_misfit, restrict, split
from reconic.systems import CartesianMRI


@system
class Dense(LinearSystem):
    """y = M x."""

    matrix: torch.Tensor

    @property
    def in_shape(self):
        return (self.matrix.shape[-1],)

    @property
    def out_shape(self):
        return (self.matrix.shape[-2],)

    def _forward(self, x):
        return (self.matrix @ x[..., None])[..., 0]


def mri(normal, rng, batch=2, shape=(16, 12), mask_shape=None):
    mask = torch.from_numpy((rng.random((batch, *(mask_shape or shape))) < 0.6) * 1.0)
    A = CartesianMRI(torch.from_numpy(normal(batch, 3, *shape)), mask)
    return A(torch.from_numpy(normal(batch, *shape))), A


def test_parts_are_disjoint_and_add_up_to_what_was_measured(normal, rng):
    y, A = mri(normal, rng)
    kept, held = split(y, A, 0.3)
    assert kept.shape == held.shape == (2, 1, 16, 12)  # coils share a split
    assert torch.equal(kept + held, A.mask[:, None])
    assert not (kept * held).any()
    assert not torch.equal(kept[0] * kept[1], kept[0])  # each sample of the batch has its own


def test_fraction_is_the_probability(normal, rng):
    y, A = mri(normal, rng, shape=(64, 64))
    _, held = split(y, A, 0.3)
    # of about 4900 samples; the standard deviation of the fraction is 0.007
    assert float(held.sum() / A.mask.sum()) == pytest.approx(0.3, abs=0.03)


def test_centre_is_kept(normal, rng):
    y, A = mri(normal, rng, shape=(16, 13))
    kept, held = split(y, A, 0.9, n_calib=4)
    assert not held[..., 6:10, 4:8].any()  # about 8 and 6
    assert held[..., 5, 4:8].any()
    assert torch.equal(kept + held, A.mask[:, None])


def test_lines_stay_whole(normal, rng):
    y, A = mri(normal, rng, mask_shape=(16, 1))
    _, held = split(y, A, 0.5, n_calib=2)
    assert held.shape == (2, 1, 16, 1)
    assert held.any()
    assert not held[:, :, 7:9].any()


def test_any_system_is_split_sample_by_sample(normal):
    A = Dense(torch.from_numpy(normal(50, 4)))
    y = A(torch.from_numpy(normal(3, 4)))
    kept, held = split(y, A, 0.4, n_space=1)
    assert torch.equal(kept + held, torch.ones(3, 50, dtype=torch.float64))
    part = restrict(y, A, kept)
    x = torch.from_numpy(normal(3, 4))
    torch.testing.assert_close(part.A(x), kept * A(x))
    torch.testing.assert_close(part.y, kept * y)


def test_split_depends_on_the_generator_alone(normal, rng):
    y, A = mri(normal, rng)
    draw = [split(y, A, 0.3, generator=torch.Generator().manual_seed(s))[1] for s in (1, 1, 2)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])


def test_restricted_system_measures_the_part(normal, rng):
    y, A = mri(normal, rng)
    kept, _ = split(y, A, 0.3)
    part = restrict(y, A, kept)
    assert isinstance(part.A, CartesianMRI)  # and so keeps its fast normal operator
    x = torch.from_numpy(normal(2, 16, 12))
    torch.testing.assert_close(part.A(x), kept * A(x))


@pytest.mark.parametrize(("fraction", "n_calib"), [(0, 4), (1, 4), (0.5, -1)])
def test_refuses_what_is_out_of_range(normal, rng, fraction, n_calib):
    y, A = mri(normal, rng)
    with pytest.raises(ValueError, match=r"split: `fraction` must be between 0 and 1"):
        split(y, A, fraction, n_calib)


def test_misfit_against_numpy(normal, rng):
    y, A = mri(normal, rng)
    x = torch.from_numpy(normal(2, 16, 12))
    error, reference = (A(x) - y).numpy(), y.numpy()
    expected = [
        np.linalg.norm(e.ravel(), 2) / np.linalg.norm(r.ravel(), 2)
        + np.abs(e).sum() / np.abs(r).sum()
        for e, r in zip(error, reference, strict=True)
    ]
    np.testing.assert_allclose(mixed_misfit(x, y, A), expected, rtol=1e-12)


def test_misfit_has_a_finite_gradient_at_zero(normal, rng):
    y, A = mri(normal, rng)
    x = torch.zeros(2, 16, 12, dtype=torch.complex128, requires_grad=True)
    value = mixed_misfit(x, 0 * y, A).sum()
    value.backward()
    assert value == 0
    assert torch.isfinite(torch.view_as_real(x.grad)).all()
