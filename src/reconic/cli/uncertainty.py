"""`reconic descend --uncertainty …`: how sure the reconstructed images are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import reconic.descent as rd
from reconic.cli.console import say, suggest
from reconic.cli.spelling import usage_error
from reconic.descent.data_terms import DataTerm
from reconic.descent.scene import Scene
from reconic.io import atomic_path

__all__ = ["UNCERTAINTY", "Task", "plan"]

UNCERTAINTY = (
    "How sure the images are: `ensemble` or `langevin`, or {method: ensemble, n: 16, noise: …} or "
    "{method: langevin, n_samples: …, burn_in: …, thin: …, n_chains: …, noise: …}; `noise` is the "
    "standard deviation of the measurements, by default that of the fit's residual."
)


@dataclass(frozen=True)
class Task:
    """What was descended on.

    Attributes:
        scene: Forward model, variables and data.
        loss: Loss, with one term l2.
        optimizers: Settings by variable.
        settings: Further arguments of `reconstruct`.
        fit: Its outcome.
    """

    scene: Scene
    loss: rd.Loss
    optimizers: Mapping[str, rd.Optimizer]
    settings: Mapping[str, Any]
    fit: rd.Fit

    @property
    def target(self) -> tuple[str, str]:
        """Name of the term l2, and of the measurements that it compares with."""
        fns = {t.name: t.fn for t in self.loss.terms}
        found = {k: f.target for k, f in fns.items() if isinstance(f, DataTerm) and f.label == "l2"}
        if not found:
            usage_error("uncertainty: a term l2 is needed, whose noise is Gaussian.")
        return next(iter(found.items()))

    @property
    def residual(self) -> float:
        """Root mean square of what the fit leaves of the measurements."""
        best = int(np.argmin(self.fit.history["total"]))
        return float(np.sqrt(self.fit.history[self.target[0]][best]))


def plan(how: str | Mapping[str, Any]) -> Callable[[Task], rd.Spread]:
    """Function that estimates the spread of a task's images, and saves it to the run's folder."""
    options = {"method": how} if isinstance(how, str) else dict(how)
    method = str(options.pop("method", "ensemble"))
    if method not in _METHODS:
        usage_error(f"uncertainty: there is no method {method!r}.{suggest(method, _METHODS)}")
    estimate = _METHODS[method]
    try:
        inspect.signature(estimate).bind(None, **options)
    except TypeError as error:
        usage_error(f"uncertainty: {error}.")

    def carry_out(task: Task) -> rd.Spread:
        found = estimate(task, **options)
        _save(task, found)
        return found

    return carry_out


def _ensemble(
    task: Task, n: int = 16, noise: float | None = None, at_once: int | None = None
) -> rd.Spread:
    """Fits to the measurements with noise added once more."""
    scene, names = task.scene, ("batch_size", "remainder", "shuffle", "seed", "epochs", "progress")
    found = rd.ensemble(
        scene.forward, scene.variables, scene.data, task.loss, task.optimizers,
        n=n, at_once=at_once, resample=rd.gaussian_noise({task.target[1]: noise or task.residual}),
        **{name: task.settings[name] for name in names},
    )  # fmt: skip
    return found.of(scene.images)


def _langevin(
    task: Task,
    n_samples: int = 500,
    burn_in: int = 500,
    thin: int = 10,
    n_chains: int = 2,
    noise: float | None = None,
    learning_rate: float | None = None,
    adjust: bool | None = None,
    precondition: bool = False,
) -> rd.Spread:
    """Samples from where the fit ended; by default of a step that suits a model of norm one."""
    scene, sigma = task.scene, noise or task.residual
    temperature = rd.gaussian_temperature(task.loss, scene.data, sigma)
    step = learning_rate or 0.5 * sigma**2 / temperature
    adjust = task.settings["batch_size"] is None if adjust is None else adjust
    moving = rd.langevin(step, adjust=adjust, precondition=precondition)
    found = rd.sample(
        scene.forward, task.fit.best, scene.data, task.loss,
        {k: moving if opt.rule else opt for k, opt in task.optimizers.items()},
        temperature=temperature, n_samples=n_samples, burn_in=burn_in, thin=thin,
        n_chains=n_chains, of=scene.images,
        **{name: task.settings[name] for name in ("batch_size", "seed", "progress")},
    )  # fmt: skip
    for name, ratio in (found.r_hat or {}).items():
        say(
            f"{name}: the chains disagree (r_hat > 1.1) at {np.mean(ratio > 1.1):.0%} of the pixels"
        )
    return found


_METHODS = {"ensemble": _ensemble, "langevin": _langevin}


def _save(task: Task, found: rd.Spread) -> None:
    """The figure, and the arrays for whoever goes on with them."""
    folder = task.fit.run
    assert folder is not None
    path = folder / "figures" / "uncertainty.png"
    path.parent.mkdir(exist_ok=True)
    found.plot(path, {k: np.asarray(v) for k, v in task.scene.truth.items()})
    say(f"figure: {path}")
    arrays = {f"{kind}/{k}": np.asarray(v) for kind in ("mean", "std")
              for k, v in getattr(found, kind).items()}  # fmt: skip
    with atomic_path(Path(folder, "uncertainty.npz")) as part:
        np.savez(part, **arrays)  # pyright: ignore[reportArgumentType]
