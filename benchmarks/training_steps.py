"""Training steps of the same architecture in Reconic and in its peers, run by `worker.py`.

Each function makes one step, on one slice, from y to updated weights: forward, loss, backward,
Adam. A call returns the peak memory so far above what was there before the first one, in MB, and
the number of parameters.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import numpy as np

Step = Callable[[], np.ndarray]
N_UNROLLS, CG_ITER, N_CASCADES = 5, 6, 12


def reconic_modl(maps, mask, y, truth) -> Step:
    import torch

    from reconic.networks import CNN
    from reconic.recons import MoDL
    from reconic.systems import CartesianMRI

    maps, mask, y, truth = (torch.from_numpy(a)[None] for a in (maps, mask, y, truth))
    recon = MoDL(CNN(width=64, n_layers=5), n_unrolls=N_UNROLLS, cg_iter=CG_ITER, cg_tol=0.0)
    A = CartesianMRI(maps, mask)
    return _step(recon.parameters(), lambda: (recon(y, A) - truth).abs().square().mean())


def deepinv_modl(maps, mask, y, truth) -> Step:
    import torch

    stub_torchvision()
    from deepinv.models import DnCNN, MoDL
    from deepinv.physics import MultiCoilMRI

    warnings.filterwarnings("ignore", message="Using implicit_backward_solver")
    n = mask.shape
    physics = MultiCoilMRI(
        mask=torch.from_numpy(mask).expand(1, 2, *n),
        coil_maps=torch.from_numpy(maps)[None],
        img_size=n,
        max_iter=CG_ITER,
        tol=0.0,
        solver="CG",
    )
    y, truth = (torch.view_as_real(torch.from_numpy(a)) for a in (y, truth))
    y, truth = y.movedim(-1, 0)[None].contiguous(), truth.movedim(-1, 0)[None].contiguous()
    net = MoDL(DnCNN(2, 2, depth=5, nf=64, pretrained=None), num_iter=N_UNROLLS)
    return _step(net.parameters(), lambda: (net(y, physics) - truth).square().mean())


def reconic_varnet(maps, mask, y, truth) -> Step:
    import torch

    from reconic.networks import UNet
    from reconic.recons import VarNet
    from reconic.recons.sensitivity import SensitivityNetwork
    from reconic.systems import CartesianMRI

    maps, mask, y, truth = (torch.from_numpy(a)[None] for a in (maps, mask, y, truth))
    network = UNet(width=18, n_levels=5, norm="instance", bias=False)
    maps_from = SensitivityNetwork(UNet(width=8, n_levels=5, norm="instance", bias=False))
    recon = VarNet(network, N_CASCADES, sensitivity=maps_from)
    A = CartesianMRI(torch.ones_like(y), mask)
    return _step(recon.parameters(), lambda: (recon(y, A).abs() - truth.abs()).square().mean())


def fastmri_varnet(maps, mask, y, truth) -> Step:  # noqa: ARG001
    import torch

    stub_torchvision()
    from fastmri.models import VarNet

    y = torch.view_as_real(torch.from_numpy(y))[None].contiguous()
    lines = torch.from_numpy(mask[:1] > 0)[None, None, ..., None]  # (1, 1, 1, nx, 1)
    truth = torch.from_numpy(truth).abs()[None]
    net = VarNet(num_cascades=N_CASCADES, chans=18, pools=4, sens_chans=8, sens_pools=4)
    return _step(net.parameters(), lambda: (net(y, lines) - truth).square().mean())


def _step(parameters: Iterable, loss: Callable) -> Step:
    import torch

    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, 1e-4)
    size = sum(p.numel() for p in parameters)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = memory("VmRSS")

    def run() -> np.ndarray:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        return np.array([memory("VmHWM") - before, size])

    return run


def memory(kind: str) -> float:
    """Resident memory of this process in MB: "VmRSS" now, "VmHWM" at its peak."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(kind)) / 2**10


def stub_torchvision() -> None:
    """Let a torchvision without compiled operators be imported; the peers use its Python alone."""
    sys.modules.setdefault("torchvision._meta_registrations", ModuleType("unused"))


STEPS = {
    f.__name__.replace("_", "-"): f
    for f in (reconic_modl, deepinv_modl, reconic_varnet, fastmri_varnet)
}
