"""The fit of one scan: what is kept, and when it stops."""

import pytest
import torch

from reconic.recons.fitting import Patience, Scan, each_scan, fit_scan
from reconic.systems import CartesianMRI


def run(errors, **plan):
    """Fit a number, with the errors that the looks shall see."""
    theta = torch.nn.Parameter(torch.tensor(5.0))
    found = iter(errors)
    plan = Patience(**{"n_steps": 100, "lr": 0.1, "every": 1, "looks": 3, **plan})
    return fit_scan([theta], lambda: theta**2, lambda: (next(found), float(theta)), plan), theta


def test_keeps_the_best_look_and_stops_when_none_is_better():
    fitted, theta = run([5, 4, 3, 3.5, 3.5, 3.5, 1])
    assert (fitted.error, fitted.step, fitted.n_steps) == (3, 2, 5)
    # Adam's first steps are of size lr while the gradient keeps its sign
    assert fitted.best == pytest.approx(4.8, abs=1e-3)
    assert theta.item() < fitted.best


def test_the_start_may_be_the_best():
    fitted, _ = run([1, 2, 2, 2, 0])
    assert (fitted.error, fitted.step, fitted.n_steps, fitted.best) == (1, 0, 3, 5.0)


def test_looks_now_and_then_and_at_the_end():
    fitted, _ = run([9, 8, 7, 6], n_steps=25, every=10)
    assert (fitted.error, fitted.step) == (6, 25)


def test_without_a_plan_that_works():
    with pytest.raises(ValueError, match="`n_steps`, `lr`, `every` and `looks` must be positive"):
        Patience(0, 0.1)


@pytest.mark.parametrize("shared_mask", [False, True])
def test_each_scan_is_what_it_is_alone(normal, rng, shared_mask):
    mask = torch.from_numpy((rng.random((1 if shared_mask else 3, 6, 5)) < 0.6) * 1.0)
    A = CartesianMRI(torch.from_numpy(normal(3, 2, 6, 5)), mask[0] if shared_mask else mask)
    y = A(torch.from_numpy(normal(3, 6, 5)))
    for i, scan in enumerate(each_scan(y, A)):
        alone = CartesianMRI(A.maps[i : i + 1], mask[-1:] if shared_mask else mask[i : i + 1])
        assert isinstance(scan.A, Scan)
        x = torch.from_numpy(normal(1, 6, 5))
        torch.testing.assert_close(scan.A(x), alone(x))
        torch.testing.assert_close(scan.A.adjoint(scan.y), alone.adjoint(y[i : i + 1]))
        torch.testing.assert_close(scan.A.normal(x), alone.normal(x))
        weights = scan.A.sampling(scan.y).expand(scan.y.shape)
        assert torch.equal(weights, alone.sampling(scan.y).expand(scan.y.shape))


def test_one_scan_keeps_its_system(normal, rng):
    A = CartesianMRI(torch.from_numpy(normal(1, 2, 6, 5)), torch.ones(1, 6, 5, dtype=torch.float64))
    (scan,) = each_scan(A(torch.from_numpy(normal(1, 6, 5))), A)
    assert isinstance(scan.A, CartesianMRI)
