"""What every public recon promises, over every kind of problem.

A new recon is one line in `CASES`; each is run on every problem in `PROBLEMS`.
"""

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch

import reconic.recons
from reconic import priors
from reconic.networks import CNN, PerFrame
from reconic.operator import LinearSystem, static, system
from reconic.recons import DataConsistency, Denoise, GradientStep, Recon, SensitivityNetwork
from reconic.simulate import radial
from reconic.systems import CartesianMRI, NonCartesianMRI


@system
class Blur(LinearSystem):
    """A user's own system, with its adjoint left to autodiff: a periodic blur, every other row."""

    otf: torch.Tensor  # (ny, nx)
    shape: tuple[int, ...] = static()

    @property
    def in_shape(self):
        return self.shape

    @property
    def out_shape(self):
        return (self.shape[0] // 2, self.shape[1])

    def _forward(self, x):
        return torch.fft.ifft2(self.otf * torch.fft.fft2(x))[..., ::2, :]


def complex_normal(rng, *shape):
    z = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return torch.tensor(z.astype(np.complex64))


def mri(rng, space, coils=3, sets=None, frames=(), batch=2):
    lead = (batch,) if sets is None else (batch, sets)
    maps = complex_normal(rng, *lead, coils, *(1 for _ in frames), *space)
    maps = maps / maps.abs().square().sum(len(lead), keepdim=True).sqrt()
    mask = torch.tensor((rng.random((batch, *frames, *space)) < 0.6).astype(np.float32))
    mask[(..., *(slice(n // 2 - 1, n // 2 + 2) for n in space))] = 1
    return CartesianMRI(maps, mask, len(space), len(frames), sets is not None)


def noncartesian(rng, space, coils=3, sets=None, frames=(), batch=2, weighted=True):
    """Golden-angle spokes, a first angle for each sample, more weight away from the centre."""
    A = mri(rng, space, coils, sets, frames, batch)
    starts = rng.uniform(0, 3, batch)
    traj = np.stack([radial(5, 9, *frames, start=s) for s in starts])
    if len(space) == 3:
        traj = np.concatenate([traj, rng.uniform(-3, 3, (*traj.shape[:-1], 1))], axis=-1)
    traj = torch.tensor(traj.astype(np.float32))
    dcf = 0.2 + traj.norm(dim=-1) / np.pi if weighted else None
    return NonCartesianMRI(
        A.maps, traj, dcf, len(space), len(frames), n_sample_axes=2, sets=sets is not None
    )


def blur(rng):
    otf = torch.fft.fft2(torch.tensor(rng.random((8, 6)) ** 4, dtype=torch.complex64))
    return Blur(otf / otf.abs().max(), (8, 6))


class Case(NamedTuple):
    """A problem: system, images that a network sees together, and whether it sees frames alone."""

    A: LinearSystem
    channels: int = 1
    per_frame: bool = False

    def network(self):
        """A network that fits, and whose result depends on all of its weights."""
        n_space = getattr(self.A, "n_space", 2)
        net = CNN(self.channels, width=4, n_layers=2, bias=False, zero_init=False, n_space=n_space)
        return PerFrame(net) if self.per_frame else net

    @property
    def is_cartesian(self):
        return isinstance(self.A, CartesianMRI)

    @property
    def sigma(self):
        """Noise level, where it cannot be estimated."""
        return None if isinstance(self.A, CartesianMRI | NonCartesianMRI) else 0.1


PROBLEMS = {
    "multi-coil": lambda rng: Case(mri(rng, (8, 6))),
    "single-coil": lambda rng: Case(mri(rng, (8, 6), coils=1)),
    "odd sizes": lambda rng: Case(mri(rng, (7, 9))),
    "3-D": lambda rng: Case(mri(rng, (4, 6, 5))),
    "frames as channels": lambda rng: Case(mri(rng, (8, 6), frames=(3,)), channels=3),
    "frames one by one": lambda rng: Case(mri(rng, (8, 6), frames=(3,)), per_frame=True),
    "two sets of maps": lambda rng: Case(mri(rng, (8, 6), sets=2), channels=2),
    "sets and frames": lambda rng: Case(
        mri(rng, (8, 6), sets=2, frames=(3,)), channels=2, per_frame=True
    ),
    "not MRI": lambda rng: Case(blur(rng)),
    "radial": lambda rng: Case(noncartesian(rng, (8, 6))),
    "radial, no weights": lambda rng: Case(noncartesian(rng, (7, 9), coils=1, weighted=False)),
    "3-D trajectory": lambda rng: Case(noncartesian(rng, (4, 6, 5))),
    "radial, sets and frames": lambda rng: Case(
        noncartesian(rng, (8, 6), sets=2, frames=(3,)), channels=2, per_frame=True
    ),
}

CASES = {
    "ADMM": lambda p: reconic.recons.ADMM(Denoise(p.network()), n_unrolls=2),
    "CGSense": lambda p: reconic.recons.CGSense(),
    "Chain": lambda p: reconic.recons.Chain(
        [Denoise(p.network()), DataConsistency(), GradientStep(0.1)], n=2
    ),
    "CompressedSensing": lambda p: reconic.recons.CompressedSensing(priors.L1(), max_iter=10),
    "DeepBasisPursuit": lambda p: reconic.recons.DeepBasisPursuit(
        p.network(), 2, 3, sigma=p.sigma
    ),
    "DeepEquilibrium": lambda p: reconic.recons.DeepEquilibrium(
        [Denoise(p.network()), DataConsistency()], max_iter=6
    ),
    "DeepImagePrior": lambda p: reconic.recons.DeepImagePrior(
        p.network(), n_steps=3, every=1, n_calib=2, n_space=getattr(p.A, "n_space", 2)
    ),
    "MoDL": lambda p: reconic.recons.MoDL(p.network(), n_unrolls=2),
    "PlugAndPlay": lambda p: reconic.recons.PlugAndPlay(p.network(), n_iter=3),
    "ProximalGradient": lambda p: reconic.recons.ProximalGradient(
        Denoise(p.network()), n_unrolls=2
    ),
    "ResNetRecon": lambda p: reconic.recons.ResNetRecon(p.network()),
    "VarNet": lambda p: reconic.recons.VarNet(
        p.network(), 2, domain="kspace" if p.is_cartesian else "image"
    ),
    "ZeroFilled": lambda p: reconic.recons.ZeroFilled(),
    "ZeroShot": lambda p: reconic.recons.ZeroShot(
        reconic.recons.MoDL(p.network(), n_unrolls=1),
        n_steps=2, n_splits=2, every=1, n_calib=2, n_space=getattr(p.A, "n_space", 2),
    ),
    # further ways to set a recon up: "class: what is special"
    "VarNet: in the image": lambda p: reconic.recons.VarNet(p.network(), 2, domain="image"),
    "VarNet: learned maps": lambda p: reconic.recons.VarNet(
        p.network(), 2, sensitivity=SensitivityNetwork(
            CNN(width=4, n_layers=2, bias=False, zero_init=False,
                n_space=getattr(p.A, "n_space", 2)), n_calib=4
        ), domain="kspace" if p.is_cartesian else "image",
    ),
    "DeepBasisPursuit: from a feasible image": lambda p: reconic.recons.DeepBasisPursuit(
        p.network(), 1, 3, sigma=p.sigma, start="feasible"
    ),
    "MoDL: from CG-SENSE": lambda p: reconic.recons.MoDL(
        p.network(), 2, share_lam=False, start="cgsense"
    ),
}  # fmt: skip

NO_SLOPE = {"VarNet": {"cascades.0.step_size.theta"}}  # its first cascade starts at k = y


def public_recons():
    found = (getattr(reconic.recons, name) for name in reconic.recons.__all__)
    return {c.__name__ for c in found if issubclass(c, Recon)} - {"Recon"}


def test_every_public_recon_has_a_case():
    assert public_recons() == {name.split(":")[0] for name in CASES}


@pytest.fixture
def setup(name, kind, rng):
    """Recon, system and measurements."""
    problem = PROBLEMS[kind](rng)
    if name == "VarNet: learned maps" and (isinstance(problem.A, Blur) or problem.A.sets):
        pytest.skip("estimates one set of maps, for MRI")
    torch.manual_seed(0)
    clean = problem.A(complex_normal(rng, 2, *problem.A.in_shape))
    y = clean + problem.A.sampling(clean) * 0.1 * complex_normal(rng, *clean.shape)
    return CASES[name](problem), problem.A, y


each = pytest.mark.parametrize("name", CASES)
on_all = pytest.mark.parametrize("kind", PROBLEMS)
on_some = pytest.mark.parametrize("kind", ["multi-coil", "radial", "not MRI"])


@each
@on_all
def test_gives_an_image_and_learns_all_it_has(setup, name):
    recon, A, y = setup
    x = recon(y, A)
    assert x.shape == (2, *A.in_shape)
    assert x.dtype == torch.complex64
    assert torch.isfinite(torch.view_as_real(x)).all()
    assert all(v.ndim == 0 and v.isfinite() for v in recon.report.values())
    parameters = {n: p for n, p in recon.named_parameters() if p.requires_grad}
    if parameters and not recon.fits_each_scan:
        x.abs().square().sum().backward()
        idle = {n for n, p in parameters.items() if p.grad is None or not p.grad.any()}
        assert idle <= NO_SLOPE.get(name.split(":")[0], set())
        assert all(p.grad.isfinite().all() for p in parameters.values() if p.grad is not None)


@each
@on_some
def test_samples_do_not_see_each_other(setup):
    recon, A, y = setup
    alone = A if isinstance(A, Blur) else A.map(lambda a: a[1:])
    # CG and ADMM stop by tolerances of 1e-3 at the loosest; convolutions sum in another order
    torch.testing.assert_close(recon(y, A)[1:], recon(y[1:], alone), rtol=1e-3, atol=1e-3)


@each
@on_some
def test_last_pass_is_the_result(setup):
    recon, A, y = setup
    torch.testing.assert_close(recon.trace(y, A)[-1], recon(y, A).detach())


@each
@on_some
def test_weights_alone_make_the_same_recon(setup, name, kind, rng):
    recon, A, y = setup
    torch.manual_seed(1)
    other = CASES[name](PROBLEMS[kind](rng))
    other.load_state_dict(recon.state_dict())
    torch.testing.assert_close(other(y, A), recon(y, A))


@each
@on_some
def test_unit_of_the_data_does_not_matter(setup, name, kind):
    recon, A, y = setup
    if name.startswith("DeepBasisPursuit") and kind == "not MRI":
        pytest.skip("knows the noise in the unit of the data")
    x = recon(y, A).detach()
    for scale in (2.0**-16, 2.0**16):  # powers of two, so that rounding is the same
        torch.testing.assert_close(recon(scale * y, A).detach() / scale, x)


CHECKPOINTED = {
    "Chain": lambda net, **o: reconic.recons.Chain([Denoise(net), DataConsistency()], n=3, **o),
    "DeepBasisPursuit": lambda net, **o: reconic.recons.DeepBasisPursuit(net, 2, 2, **o),
    "MoDL": lambda net, **o: reconic.recons.MoDL(net, 3, **o),
    "VarNet": lambda net, **o: reconic.recons.VarNet(net, 3, **o),
    "VarNet: in the image": lambda net, **o: reconic.recons.VarNet(net, 3, domain="image", **o),
}


@pytest.mark.parametrize("kind", CHECKPOINTED)
def test_checkpointing_keeps_less_and_changes_nothing(kind, rng):
    case = PROBLEMS["multi-coil"](rng)
    y = case.A(complex_normal(rng, 2, 8, 6))
    plain = CHECKPOINTED[kind](case.network())
    saving = CHECKPOINTED[kind](copy.deepcopy(case.network()), checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    slopes, kept = [], []
    for recon in (plain, saving):
        sizes = []
        pack = torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: sizes.append(t.numel()) or t, lambda t: t
        )
        with pack:
            loss = recon(y, case.A).abs().square().sum()
        kept.append(sum(sizes))
        slopes.append(torch.autograd.grad(loss, list(recon.parameters())))
    torch.testing.assert_close(slopes[1], slopes[0])
    assert kept[1] < 0.6 * kept[0]
