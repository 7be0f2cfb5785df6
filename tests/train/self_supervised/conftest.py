"""A tiny batch of multi-coil data, and a recon that remembers what it was given."""

import pytest
import torch
from tiny import tiny_arrays

from reconic.recons import ZeroFilled
from reconic.systems import CartesianMRI


class Spy(ZeroFilled):
    """Zero-filled image times a learned number; keeps its calls."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))
        self.calls = []

    def forward(self, y, A):
        self.calls.append((y, A))
        return self.gain * super().forward(y, A)


@pytest.fixture
def spy():
    return Spy()


@pytest.fixture
def batch():
    """True images x, noisy measurements y of σ = 0.05, and the system."""
    arrays = {k: torch.from_numpy(v) for k, v in tiny_arrays(3).items()}
    A = CartesianMRI(arrays["maps"], arrays["masks"])
    torch.manual_seed(0)
    noise = 0.05 * torch.randn_like(arrays["ksp"]) * A.mask[:, None]
    return arrays["imgs"], arrays["ksp"] + noise, A
