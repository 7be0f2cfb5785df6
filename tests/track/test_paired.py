"""Paired differences against SciPy's t test, and how often their intervals hold the truth."""

import numpy as np
import pytest
import scipy.stats

from reconic.track import differences_from, paired_difference


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_interval_is_that_of_the_paired_t_test(rng, level):
    a, b = rng.standard_normal((2, 9))
    found = paired_difference(a, b, level)
    expected = scipy.stats.ttest_rel(a, b).confidence_interval(level)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-10)  # float64
    assert found.mean == pytest.approx(np.mean(a - b))
    assert found.n == 9


def test_interval_holds_the_truth_as_often_as_it_says(rng):
    holds = 0
    for _ in range(2000):
        d = 0.3 + rng.standard_normal(5)
        found = paired_difference(d, np.zeros(5), 0.9)
        holds += found.low < 0.3 < found.high
    assert abs(holds / 2000 - 0.9) < 0.027  # four standard errors of the count


def test_what_slices_share_drops_out():
    slices = np.array([10.0, 20.0, 40.0])
    found = paired_difference(slices + 1, slices)
    assert (found.mean, found.low, found.high) == (1, 1, 1)


def test_of_one_pair_there_is_no_interval():
    found = paired_difference([3.0], [1.0, 100.0])
    assert (found.mean, found.n) == (2, 1)
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("level", [0, 1, 95])
def test_wrong_level(level):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {level}"):
        paired_difference([1.0], [1.0], level)


def test_differences_of_all_methods_from_one():
    scores = {"a": {"psnr": [1.0, 2.0]}, "b": {"psnr": [3.0, 5.0]}}
    found = differences_from("a", scores)
    assert list(found) == ["b"]
    assert found["b"]["psnr"].mean == 2.5
    with pytest.raises(KeyError, match="one of a, b, got 'c'"):
        differences_from("c", scores)
