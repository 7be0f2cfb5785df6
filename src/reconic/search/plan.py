"""How a search is done: the metric, its direction, how long, by which sampler and pruner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from reconic.search.space import Space

__all__ = ["Plan"]

Command = Literal["train", "descend", "recon"]
Direction = Literal["maximize", "minimize"]
Sampler = Literal["tpe", "random", "grid", "cmaes"]
Pruner = Literal["median", "hyperband", "none"]


@dataclass(frozen=True)
class Plan:
    """Section `search` of a configuration.

    Attributes:
        space: Ranges and choices by the dotted paths of the keys that they set.
        command: What a trial is: a training run, a descent, or a reconstruction of one scan.
        metric: What is compared: of training val/psnr, val/ssim, val/nrmse or val/loss; of descent
            loss, holdout or, where there is a truth, nrmse or psnr; of recon holdout. Null takes
            val/psnr, loss and holdout.
        direction: Whether the metric is to be large or small; null knows it from its name.
        n_trials: Number of trials of the study, those pruned and failed included; null has no limit
            but `time_limit`, or the grid's size.
        time_limit: Seconds after which this call starts no new trial.
        sampler: Where the next trial is: tpe, random, grid or cmaes.
        pruner: Which trials end before their time: median, hyperband or none.
        seed: Seed of the sampler.
        retries: How often the trial of a process that died is tried again.
        workers: Number of processes on this machine, each with one trial at a time.
        gpus: Numbers of the GPUs that the processes take in turn; null takes all there are.
    """

    space: dict[str, Any] = field(default_factory=dict)
    command: Command = "train"
    metric: str | None = None
    direction: Direction | None = None
    n_trials: int | None = 20
    time_limit: float | None = None
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    seed: int = 0
    retries: int = 3
    workers: int = 1
    gpus: list[int] | None = None

    def __post_init__(self) -> None:
        """Check names and numbers."""
        _check_name("command", self.command, Command)
        if self.direction is not None:
            _check_name("direction", self.direction, Direction)
        _check_name("sampler", self.sampler, Sampler)
        _check_name("pruner", self.pruner, Pruner)
        if self.workers < 1 or (self.n_trials is not None and self.n_trials < 1):
            raise ValueError(
                f"search: `n_trials` and `workers` must be at least 1, got {self.n_trials} and "
                f"{self.workers}."
            )
        if self.time_limit is not None and self.time_limit <= 0:
            raise ValueError(f"search: `time_limit` must be positive, got {self.time_limit}.")
        if self.seed < 0:
            raise ValueError(f"search: `seed` must be at least 0, got {self.seed}.")
        if self.gpus == []:
            raise ValueError("search: `gpus` must name a GPU, got []. Leave it out to use all.")

    @property
    def larger_is_better(self) -> bool:
        """Whether the metric is to be large."""
        if self.direction is not None:
            return self.direction == "maximize"
        return (self.metric or "psnr").rpartition("/")[2] in ("psnr", "ssim")

    def limit(self) -> int | None:
        """Number of trials of the study; a grid ends by itself."""
        if self.sampler != "grid":
            return self.n_trials
        size = 1
        for values in Space(self.space).grid().values():
            size *= len(values)
        return size if self.n_trials is None else min(size, self.n_trials)


def _check_name(name: str, value: str, kind: Any) -> None:
    if value not in get_args(kind):
        raise ValueError(
            f"search: `{name}` must be one of {', '.join(get_args(kind))}, got {value!r}."
        )
