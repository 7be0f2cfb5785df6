"""A scan whose coils processes share."""

import numpy as np
import pytest
import torch

from reconic.train.scan import cartesian_scan


@pytest.fixture
def alone(tmp_path):
    """A group of this process alone."""
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_a_share_of_the_coils_has_their_maps_once(normal):
    ksp, maps = (normal(4, 32, 32).astype(np.complex64) for _ in range(2))
    whole = cartesian_scan(ksp, maps, np.ones((32, 32), np.float32))
    share = whole.spread(torch.device("cpu"))

    def systems(scan):
        return scan.A, scan.split[0].A, scan.split[1].A

    for a, b in zip(systems(whole), systems(share), strict=True):
        for x, y in zip(a.arrays(), b.arrays(), strict=True):
            torch.testing.assert_close(x, y, rtol=0, atol=0)
    found = [array for A in systems(share) for array in A.arrays() if array.ndim == maps.ndim + 1]
    assert len({array.data_ptr() for array in found if array.is_complex()}) == 1
