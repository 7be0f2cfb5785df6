"""Values and proximal maps against formulas and other packages."""

import numpy as np
import pytest

from reconic.priors import L1, TV, CycleSpin, L2Ball, LocallyLowRank, NonNegative, Wavelet
from reconic.priors.tv import differences, differences_adjoint


def test_l1(normal):
    x = normal(3, 4, 5)
    np.testing.assert_allclose(L1()(x), np.abs(x).sum((1, 2)))
    assert L1().prox(np.array([[3 + 4j, 0.5, -2, 0]]), 1.0) == pytest.approx(
        np.array([[(3 + 4j) * 4 / 5, 0, -1, 0]])
    )


def test_l2_ball(normal):
    x = np.array([[3.0, 4.0]])
    assert L2Ball(1.0).prox(x) == pytest.approx(np.array([[0.6, 0.8]]))
    assert L2Ball(6.0).prox(x) == pytest.approx(x)
    assert L2Ball(1.0)(x) == np.inf
    assert L2Ball(5.0)(x) == 0
    y, center = normal(2, 4, 5), normal(2, 4, 5)
    ball = L2Ball(np.array([0.0, 2.0]), center)
    found = ball.prox(y)
    np.testing.assert_allclose(found[0], center[0])
    assert np.linalg.norm(found[1] - center[1]) == pytest.approx(2)
    assert np.all(ball(found) == 0)


def test_non_negative():
    x = np.array([[1 + 2j, -1 + 1j, 3]])
    assert NonNegative().prox(x) == pytest.approx(np.array([[1, 0, 3]]))
    assert NonNegative()(x) == np.inf
    assert NonNegative()(np.abs(x)) == 0


@pytest.mark.parametrize("space", [(6, 5), (1, 4), (4, 3, 5)])
def test_adjoint_of_differences(space, normal):
    x, q = normal(2, *space), normal(len(space), 2, *space)
    assert np.vdot(q, differences(x, len(space))) == pytest.approx(
        np.vdot(differences_adjoint(q), x)
    )


def test_tv_of_a_square():
    x = np.zeros((8, 8))
    x[2:6, 2:6] = 3j.imag
    # 4 differences along each side; the two that start at the square's last corner share a voxel
    assert TV()(x) == pytest.approx(3 * (4 * 4 - 2 + np.sqrt(2)))


def test_tv_is_chambolles(rng):
    restoration = pytest.importorskip("skimage.restoration")
    x = rng.standard_normal((12, 10))
    x[3:8, 2:7] += 4
    want = restoration.denoise_tv_chambolle(x, weight=0.6, eps=1e-12, max_num_iter=5000)
    # both stop early; theirs converges as 1/n, to about 1e-3 here
    np.testing.assert_allclose(TV(2000).prox(x, 0.6), want, atol=3e-3)


def test_low_rank_is_of_each_patch(normal):
    x, t = normal(3, 5, 4), 0.8
    want, total = np.zeros_like(x), 0.0
    for rows in (slice(0, 2), slice(2, 4), slice(4, 5)):
        for columns in (slice(0, 2), slice(2, 4)):
            patch = x[:, rows, columns]
            u, s, vh = np.linalg.svd(patch.reshape(3, -1), full_matrices=False)
            total += s.sum()
            shorter = (u * np.maximum(s - t, 0)) @ vh
            want[:, rows, columns] = shorter.reshape(patch.shape)
    np.testing.assert_allclose(LocallyLowRank(2).prox(x, t), want, atol=1e-12)
    assert LocallyLowRank(2)(x) == pytest.approx(total)


def test_cycle_spinning_averages_shifts(normal):
    x, prior = normal(6, 5), Wavelet("haar", 2)
    moved = [np.roll(x, (s, s), (0, 1)) for s in (0, 1)]
    images = [np.roll(prior.prox(v, 0.5), (-s, -s), (0, 1)) for s, v in enumerate(moved)]
    np.testing.assert_allclose(CycleSpin(prior, 2).prox(x, 0.5), np.mean(images, 0), atol=1e-13)
    assert CycleSpin(prior, 2)(x) == pytest.approx(np.mean([prior(v) for v in moved]))
