"""Zero-shot learning: a recon that is trained on the one scan that it reconstructs."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from reconic.operator import LinearSystem
from reconic.recons.base import Problem, Recon
from reconic.recons.fitting import Fitted, Patience, fit_each, fit_scan, learning
from reconic.recons.splitting import Part, mixed_misfit, restrict, split

__all__ = ["ZeroShot"]


class ZeroShot(Recon):
    """x̂ = f(y, A), with f trained on y: from one part of the samples predict another.

    The samples are split in three. Γ is held out to judge. Of the others, `n_splits` random pairs
    are made once: a step trains f to predict Λ from Θ. Training stops when f, from Θ ∪ Λ, no longer
    predicts Γ better; the best f then reconstructs from all samples.

    Args:
        recon: What is trained, from the state it is in: new, or trained before on other scans.
        n_steps: Largest number of training steps.
        lr: Step of Adam.
        n_splits: Number of pairs Θ, Λ.
        fraction: Part of the samples in Λ.
        holdout: Part of the samples in Γ.
        n_calib: Side of the centre of k-space that is in no Λ or Γ, in samples.
        every: Steps between two looks at Γ.
        patience: Looks without an improvement after which training stops.
        n_space: Number of space axes.
        seed: Seed of the splits.
        n_whole: Number of the last axes of y that are in one part together: 1 for the samples of a
            spoke, with data of the axes (spoke, readout).

    Raises:
        ValueError: If an argument is out of range.

    References:
        Yaman, Hosseini & Akçakaya, Zero-shot self-supervised learning for MRI reconstruction, ICLR
        (2022), Sec. 3.
    """

    fits_each_scan = True

    def __init__(
        self,
        recon: Recon,
        n_steps: int = 150,
        lr: float = 3e-3,
        n_splits: int = 10,
        fraction: float = 0.2,
        holdout: float = 0.1,
        n_calib: int = 4,
        every: int = 10,
        patience: int = 5,
        n_space: int = 2,
        seed: int = 0,
        n_whole: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < fraction < 1 or not 0 < holdout < 1 or n_splits < 1:
            raise ValueError(
                "ZeroShot: `fraction` and `holdout` must be between 0 and 1 and `n_splits` at "
                f"least 1, got {fraction}, {holdout} and {n_splits}."
            )
        self.recon = recon
        self.plan = Patience(n_steps, lr, every, patience)
        self.n_splits = n_splits
        self.fraction = fraction
        self.holdout = holdout
        self.n_calib = n_calib
        self.n_space = n_space
        self.seed = seed
        self.n_whole = n_whole

    def reconstruct(self, problem: Problem) -> Tensor:
        return fit_each(problem, self._fit)

    def _fit(self, y: Tensor, A: LinearSystem) -> Fitted[Tensor]:
        with learning():
            model = copy.deepcopy(self.recon).train()
            fitted = self._train(model, y, A)
        model.load_state_dict(fitted.best)
        with torch.no_grad():
            image = model.eval()(y, A)
        return Fitted(image, fitted.error, fitted.step, fitted.n_steps)

    def _train(self, model: Recon, y: Tensor, A: LinearSystem) -> Fitted[dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        kept, judge = self._split(y, A, self.holdout, generator)
        pairs = [self._split(*kept, self.fraction, generator) for _ in range(self.n_splits)]
        turn = 0

        def loss() -> Tensor:
            nonlocal turn
            given, wanted = pairs[turn % len(pairs)]
            turn += 1
            return mixed_misfit(model(*given), *wanted).mean()

        def look() -> tuple[float, dict[str, Tensor]]:
            model.eval()
            error = float(mixed_misfit(model(*kept), *judge).mean())
            model.train()
            return error, copy.deepcopy(model.state_dict())

        return fit_scan(model.parameters(), loss, look, self.plan)

    def _split(
        self, y: Tensor, A: LinearSystem, fraction: float, generator: torch.Generator
    ) -> tuple[Part, Part]:
        kept, held = split(y, A, fraction, self.n_calib, self.n_space, generator, self.n_whole)
        return restrict(y, A, kept), restrict(y, A, held)
