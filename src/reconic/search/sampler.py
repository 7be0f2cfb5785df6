"""Where the next trial is: samplers that any number of processes share."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from reconic.search.plan import Plan
from reconic.search.space import Space

__all__ = ["make_sampler"]


def make_sampler(plan: Plan) -> BaseSampler:
    """Sampler that draws for a trial the same numbers in each process, and for each other ones."""
    if plan.sampler == "grid":
        return _Grid(Space(plan.space).grid(), seed=plan.seed)
    if plan.sampler == "random":
        return _PerTrial(plan.seed, lambda seed: RandomSampler(seed=seed))
    if plan.sampler == "cmaes":
        return _PerTrial(
            plan.seed, lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False)
        )
    return _PerTrial(plan.seed, lambda seed: TPESampler(seed=seed, constant_liar=True))


class _Grid(GridSampler):
    """A grid that does not end the study with its last point: points may have to be done again."""

    after_trial = BaseSampler.after_trial


class _PerTrial(BaseSampler):
    """Begins anew for each trial, with numbers of the trial's own.

    So no process draws what another one does, nor a search that goes on what it drew before.

    Args:
        seed: Seed of the search.
        make: Makes a sampler from a seed.
    """

    def __init__(self, seed: int, make: Callable[[int], BaseSampler]) -> None:
        self._seed = seed
        self._make = make
        self._current = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        seed = random.Random(f"{self._seed} {trial.number}").getrandbits(32)
        self._current = self._make(seed)
        self._current.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._current.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._current.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._current.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._current.after_trial(study, trial, state, values)
