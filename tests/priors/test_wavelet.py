import numpy as np
import pytest

from reconic.priors import Wavelet
from reconic.priors.wavelet import _LOW_PASS, analyse, synthesise

SIZES = [(8, 8), (7, 5), (1, 6), (2, 3), (13, 1), (9, 10, 6), (5, 7, 3)]
R = 1 / np.sqrt(2)


def matrix(wavelet, n_levels, space):
    """The transform as a matrix, column by column."""
    units = np.eye(int(np.prod(space))).reshape(-1, *space)
    low, details = analyse(units, wavelet, n_levels, len(space))
    bands = [low, *(band for level in details for band in level)]
    return np.concatenate([band.reshape(len(units), -1) for band in bands], axis=1).T


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("wavelet", _LOW_PASS)
def test_transform_is_orthonormal_for_every_size(wavelet, space):
    W = matrix(wavelet, 3, space)
    np.testing.assert_allclose(W @ W.T, np.eye(len(W)), atol=1e-12)  # published to 13 digits


@pytest.mark.parametrize("space", SIZES)
def test_synthesis_inverts_analysis(space, normal):
    x = normal(2, *space)
    low, details = analyse(x, "db3", 3, len(space))
    np.testing.assert_allclose(synthesise(low, details, "db3", space), x, atol=1e-12)


def test_haar_level_by_hand():
    x = np.array([[1.0, 2.0, 5.0], [3.0, 7.0, 4.0]])
    low, [(across, down, both)] = analyse(x, "haar", 1, 2)
    # rows are halved to sums (4, 9, 9) and differences (-2, -5, 1) over √2, the last column kept
    np.testing.assert_allclose(low, [[13 / 2, 9 * R]])
    np.testing.assert_allclose(across, [[(4 - 9) / 2]])
    np.testing.assert_allclose(down, [[-7 / 2, 1 * R]])
    np.testing.assert_allclose(both, [[(-2 + 5) / 2]])


@pytest.mark.parametrize(("wavelet", "moments"), [("haar", 1), ("db2", 2), ("db3", 3), ("db4", 4)])
def test_vanishing_moments(wavelet, moments):
    """Details of a polynomial of a lower degree are zero, but where the edges meet."""
    n = 64
    for degree in range(moments):
        x = (np.arange(n) / n) ** degree
        _, [(details,)] = analyse(x, wavelet, 1, 1)
        np.testing.assert_allclose(details[: n // 2 - 3], 0, atol=1e-12)
    assert np.abs(analyse((np.arange(n) / n) ** moments, wavelet, 1, 1)[1][0][0][:20]).min() > 1e-9


def test_value_counts_details_alone():
    assert Wavelet("haar", 3)(np.full((8, 8), 3.0)) == pytest.approx(0, abs=1e-12)
    x = np.zeros((4, 4))
    x[0, 0] = 8.0
    # one level: 4 in each of three bands; the next: 2 in each of three
    assert Wavelet("haar", 2)(x) == pytest.approx(3 * 4 + 3 * 2)


def test_prox_is_soft_thresholding_of_the_dense_transform(normal):
    x, t = normal(5, 6), 0.4
    W = matrix("db2", 2, (5, 6))
    c = W @ x.ravel()
    n_low = 2 * 2
    c[n_low:] *= np.maximum(1 - t / np.abs(c[n_low:]), 0)
    want = (W.T @ c).reshape(5, 6)
    np.testing.assert_allclose(Wavelet("db2", 2).prox(x, t), want, atol=1e-12)
