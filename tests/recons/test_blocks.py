import numpy as np
import pytest
import torch

from reconic.networks import CNN
from reconic.operator import Identity
from reconic.recons import (
    CGSense,
    Chain,
    DataConsistency,
    Denoise,
    GradientStep,
    MoDL,
    ResNetRecon,
    Unroll,
    ZeroFilled,
)
from reconic.recons.base import Problem, typical_magnitude
from reconic.recons.blocks import Positive
from reconic.systems import CartesianMRI


@pytest.fixture
def A(rng):
    return CartesianMRI.example(rng, np.zeros(1)).map(torch.tensor)


@pytest.fixture
def y(A, normal):
    return A(torch.tensor(normal(2, *A.in_shape)))


class Half(torch.nn.Module):
    """A denoiser whose result is known."""

    def forward(self, x):
        return 0.5 * x


def solve_dense(A, dense, rhs, lam):
    matrix = dense(A.map(lambda a: a.numpy()).N) + lam * np.eye(48)
    return np.linalg.solve(matrix, rhs.reshape(len(rhs), -1).numpy().T).T.reshape(rhs.shape)


def test_cgsense_is_the_dense_solution(A, y, dense):
    x = CGSense(lam=0.07, max_iter=300, tol=1e-12).double()(y, A).detach()
    np.testing.assert_allclose(x, solve_dense(A, dense, A.H(y), 0.07), atol=1e-10)


def test_data_consistency_satisfies_its_normal_equations(A, y, normal):
    z = torch.tensor(normal(2, *A.in_shape))
    block = DataConsistency(lam=0.2, max_iter=300, tol=1e-12).double()
    x = block(z, Problem(y, A, A.H(y))).detach()
    lam = block.lam().item()
    residual = A.H(A(x)) + lam * x - A.H(y) - lam * z
    assert residual.abs().max() < 1e-10


def test_modl_is_its_recursion(A, y, dense):
    modl = MoDL(Half(), n_unrolls=3, lam=0.2, cg_iter=300, cg_tol=1e-12).double()
    lam = modl.consistency[0].lam().item()
    b = A.H(y)
    x = b
    for _ in range(3):
        x = torch.as_tensor(solve_dense(A, dense, b + lam * 0.5 * x, lam))
    np.testing.assert_allclose(modl(y, A).detach(), x, atol=1e-9)


def test_modl_from_cgsense_with_a_lambda_for_each_pass(A, y, dense):
    modl = MoDL(Half(), 2, lam=0.2, cg_iter=300, cg_tol=1e-12, share_lam=False, start="cgsense")
    modl = modl.double()
    with torch.no_grad():
        modl.consistency[1].lam.theta += 0.1  # λ = 0.2 e
    b = A.H(y)
    x = torch.as_tensor(solve_dense(A, dense, b, 0.04))
    for lam in (0.2, 0.2 * np.e):
        x = torch.as_tensor(solve_dense(A, dense, b + lam * 0.5 * x, lam))
    np.testing.assert_allclose(modl(y, A).detach(), x, atol=1e-9)


def test_chain_of_blocks_is_modl(A, y):
    network = CNN(width=4, n_layers=2, zero_init=False).double()
    modl = MoDL(network, n_unrolls=2, lam=0.1).double()
    chain = Chain([Denoise(network), DataConsistency(0.1, 6, 1e-4)], n=2).double()
    torch.testing.assert_close(chain(y, A), modl(y, A))


def test_gradient_step_is_a_step_down_the_slope(A, y, normal):
    x = torch.tensor(normal(2, *A.in_shape), requires_grad=True)
    loss = 0.5 * torch.sum(torch.abs(A(x) - y) ** 2)
    want = x - 0.3 * torch.autograd.grad(loss, x)[0]
    got = GradientStep(0.3).double()(x, Problem(y, A, A.H(y)))
    torch.testing.assert_close(got, want)


def test_zero_filled_and_resnet(A, y):
    torch.testing.assert_close(ZeroFilled()(y, A), A.H(y))
    torch.testing.assert_close(ResNetRecon(Half())(y, A), 0.5 * A.H(y))


@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_scale_of_the_data_does_not_matter(A, y, scale):
    modl = MoDL(CNN(width=4, n_layers=2, zero_init=False), n_unrolls=2).double()
    torch.testing.assert_close(modl(scale * y, A) / scale, modl(y, A), rtol=1e-7, atol=1e-9)


def test_zero_data_gives_a_finite_image(A, y):
    x = MoDL(CNN(width=4, n_layers=2), n_unrolls=2).double()(0 * y, A)
    assert torch.isfinite(torch.view_as_real(x)).all()


def test_gradients_reach_every_parameter_and_the_maps(A, y, rng):
    modl = MoDL(CNN(width=4, n_layers=2, zero_init=False), n_unrolls=2).double()
    maps = A.maps.clone().requires_grad_()
    modl(y, CartesianMRI(maps, A.mask)).abs().sum().backward()
    for name, p in modl.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name
    assert maps.grad.abs().max() > 0


def test_modl_gradient_against_finite_differences(A, y):
    modl = MoDL(CNN(width=2, n_layers=2, zero_init=False), n_unrolls=2, cg_iter=200, cg_tol=1e-13)
    modl = modl.double()
    theta = modl.consistency[0].lam.theta

    def loss():
        return modl(y, A).abs().square().sum()

    slope = torch.autograd.grad(loss(), theta)[0]
    h = 1e-6
    with torch.no_grad():
        theta += h
        up = loss()
        theta -= 2 * h
        down = loss()
    torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-5, atol=1e-8)


def test_report(A, y):
    modl = MoDL(Half(), n_unrolls=2, lam=0.2, cg_iter=3, cg_tol=0.0)
    modl.double()(y, A)
    assert modl.report["n_cg"].item() == 3
    assert modl.report["lam"].item() == pytest.approx(0.2)
    assert not modl.report["lam"].requires_grad


def test_unshared_passes_have_weights_of_their_own():
    network = CNN(width=4, n_layers=2)
    shared = Unroll([Denoise(network)], n=3)
    own = Unroll([Denoise(network)], n=3, shared=False)
    count = [sum(p.numel() for p in u.parameters()) for u in (shared, own)]
    assert count[1] == 3 * count[0]


def test_lambda_stays_positive():
    lam = Positive(0.1)
    optimizer = torch.optim.SGD(lam.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        lam().backward()
        optimizer.step()
        assert lam() > 0
    assert lam() < 0.1


def test_any_linear_system(normal):
    matrix = 2j * Identity((6, 5))
    y = torch.tensor(normal(3, 6, 5))
    x = CGSense(lam=1e-12, tol=1e-12).double()(y, matrix)
    torch.testing.assert_close(x, y / 2j)


@pytest.mark.parametrize("n_space", [2, 3])
def test_sets_frames_and_three_dimensions(rng, normal, n_space):
    space = (4, 6, 5)[-n_space:]
    maps = torch.tensor(normal(1, 2, 3, 1, *space))  # batch, set, coil, frame
    mask = torch.tensor((rng.random((1, 4, *space)) > 0.4) * 1.0)
    A = CartesianMRI(maps, mask, n_space=n_space, n_frame_axes=1, sets=True)
    y = torch.tensor(normal(1, 3, 4, *space))
    network = CNN(channels=8, width=4, n_layers=2, n_space=n_space)
    x = MoDL(network, n_unrolls=1).double()(y, A)
    assert x.shape == (1, 2, 4, *space)


def test_typical_magnitude():
    x = torch.zeros(3, 4, 5, dtype=torch.complex64)
    x[0, :2] = 2j
    x[1, 0, 0], x[1, 0, 1] = 1, 3
    torch.testing.assert_close(typical_magnitude(x, 2), torch.tensor([2.0, 10 / 4, 1.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CGSense(lam=0), r"`value` must be positive, got 0"),
        (lambda: MoDL(Half(), n_unrolls=0), r"`n_unrolls` must be at least 1, got 0"),
        (lambda: Unroll([], n=2), r"got 2 and 0 blocks"),
        (lambda: Unroll([Denoise(Half())], n=0), r"got 0 and 1 blocks"),
    ],
)
def test_messages(make, message):
    with pytest.raises(ValueError, match=message):
        make()
