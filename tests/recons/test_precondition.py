import numpy as np
import pytest
import torch

from reconic.recons import CGSense, MoDL
from reconic.systems import CartesianMRI, NonCartesianMRI


@pytest.fixture
def scan(rng, normal):
    """Golden-angle spokes without density compensation, of which CG sees the uneven density."""
    n = 24
    angle = np.pi * (np.sqrt(5) - 1) / 2 * np.arange(24)[:, None]
    along = np.pi * (np.arange(2 * n) - n) / n
    traj = np.stack([along * np.sin(angle), along * np.cos(angle)], axis=-1)
    rows, columns = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    a, b, c = normal(3, 4, 1, 1)
    maps = a + b * rows + c * columns
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    A = NonCartesianMRI(torch.tensor(maps), torch.tensor(traj), n_sample_axes=2, tol=1e-9)
    x = torch.tensor(np.kron(rng.random((6, 6)), np.ones((4, 4))) + 0j)
    return A(x)[None], A


NEAR = 1e-5  # of the largest value: a residual of 1e-8 times the condition, some hundreds


def images(y, A, make):
    """Image and mean number of iterations, with and without the preconditioner."""
    found = []
    for precondition in (True, False):
        torch.manual_seed(0)
        recon = make(precondition).double()
        with torch.no_grad():
            found.append((recon(y, A), float(recon.report["n_cg"])))
    return found


def test_cg_sense_takes_fewer_iterations_to_the_same_image(scan):
    (got, n), (want, n_plain) = images(
        *scan, lambda p: CGSense(0.1, max_iter=300, tol=1e-8, precondition=p)
    )
    torch.testing.assert_close(got, want, rtol=0, atol=NEAR * float(want.abs().max()))
    assert n <= 0.8 * n_plain


def test_modl_takes_fewer_iterations_to_the_same_image(scan):
    (got, n), (want, n_plain) = images(
        *scan,
        lambda p: MoDL(torch.nn.Identity(), 2, cg_iter=300, cg_tol=1e-8, precondition=p),
    )
    torch.testing.assert_close(got, want, rtol=0, atol=NEAR * float(want.abs().max()))
    assert n <= 0.8 * n_plain


def test_a_system_without_a_preconditioner_is_named(rng):
    A = CartesianMRI.example(rng, torch.zeros(1))
    with pytest.raises(TypeError, match="CartesianMRI: `preconditioner` must be known"):
        CGSense(precondition=True)(A(torch.ones(1, *A.in_shape, dtype=torch.complex128)), A)
