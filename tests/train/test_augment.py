"""Reversal about the centre, against the definition by indices."""

import numpy as np
import pytest

from reconic.train.augment import reverse


@pytest.mark.parametrize("n", [5, 6])
def test_reverse_goes_to_the_mirrored_index(n, rng):
    a = rng.standard_normal((3, n))
    mirrored = [(2 * (n // 2) - i) % n for i in range(n)]
    np.testing.assert_array_equal(reverse(a, -1), a[:, mirrored])
