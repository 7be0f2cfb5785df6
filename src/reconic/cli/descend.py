"""`reconic descend`: gradient descent on a scene as a configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser, Namespace

import reconic.descent as rd
from reconic.cli.console import format_table, say
from reconic.cli.processes import PROCESSES, add_processes, join_processes
from reconic.cli.spelling import make_parser, parse, suggest, usage_error
from reconic.cli.uncertainty import UNCERTAINTY, Task, plan
from reconic.descent.scene import Scene
from reconic.descent.trees import format_path, split
from reconic.io.atomic import atomic_path
from reconic.metrics import nrmse, psnr
from reconic.track import write_json
from reconic.view import comparison, save_figure

_TERMS = ("amplitude", "cross_correlation", "huber", "l1", "l2", "nonnegative", "poisson", "tv",
          "wavelet", "weight_decay")  # fmt: skip
_AFTER = "Reconstructed"
_METHODS = ("lbfgs", "gauss_newton", "frozen")
_LOSS = "Terms of the loss by name, each with its `weight` and arguments: {l2: {target: …}, …}."
_OPTIMIZERS = "Settings by variable: {object: {method: adam, learning_rate: …}, …}."


@dataclass(frozen=True)
class Done:
    """What a descent ended with.

    Attributes:
        scene: What was descended on.
        fit: Its outcome.
        spread: How sure the images are, if that was asked for.
    """

    scene: Scene
    fit: rd.Fit
    spread: rd.Spread | None

    def scores(self) -> dict[str, dict[str, tuple[float, float]]]:
        """NRMSE and PSNR of each image whose truth is known, before and after, by name."""
        found = {}
        for name, x in self.scene.images(self.fit.best).items():
            truth = self.scene.truth.get(name)
            if truth is not None:
                before = {"Before": self.scene.before[name]} if name in self.scene.before else {}
                found[name] = {
                    label: (float(nrmse(v, truth, n_space=v.ndim)),
                            float(psnr(v, truth, n_space=v.ndim)))
                    for label, v in ((k, np.asarray(i)) for k, i in {**before, _AFTER: x}.items())
                }  # fmt: skip
        return found

    def deviations(self) -> dict[str, float]:
        """Mean standard deviation of each image, by name."""
        std = {} if self.spread is None else self.spread.std
        return {name: float(np.mean(values)) for name, values in std.items()}


def run(argv: list[str]) -> None:
    """Descend, and print the errors, the figure's path and, last, the run folder's."""
    parser = descend_parser()
    done = descend(parser, parse(parser, argv, (Scene,)))
    if done is not None:
        _report(done)


def descend_parser() -> ArgumentParser:
    """Parser of a descent's configuration."""
    parser = make_parser("descend", "Reconstruct one scene by gradient descent.")
    parser.add_argument("--notes", type=str, default="", help="What the configuration is for.")
    parser.add_subclass_arguments(
        Scene, "scene", default={"class_path": "reconic.descent.scene.Deconvolution"}
    )
    parser.add_argument("--loss", type=dict[str, dict[str, Any]], required=True, help=_LOSS)
    parser.add_argument(
        "--optimizers", type=dict[str, dict[str, Any]], required=True, help=_OPTIMIZERS
    )
    parser.add_function_arguments(
        rd.reconstruct,
        skip={"forward", "variables", "data", "loss", "optimizers", "after_step", "after_epoch",
              "alternate", "stop", "images", "run", "devices", "config", "live"},  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    parser.add_argument(
        "--uncertainty", type=str | dict[str, Any] | None, default=None, help=UNCERTAINTY
    )
    add_processes(parser)
    parser.add_argument("--name", type=str, default="descend", help="Name of the run.")
    parser.add_argument("--logdir", type=str, default="logs", help="Folder of all runs.")
    return parser


def descend(
    parser: ArgumentParser, config: Namespace, stop: Sequence[rd.Criterion] = ()
) -> Done | None:
    """Descend as a configuration says; None in a process that does not write."""
    loss = _loss(config.loss)
    optimizers = {k: _optimizer(k, v) for k, v in config.optimizers.items()}
    estimate = plan(config.uncertainty) if config.uncertainty else None
    join_processes(config)
    made = vars(parser.instantiate(config))
    scene = made["scene"]
    for name in ("forward", "variables", "data"):
        if not hasattr(scene, name):
            raise TypeError(
                f"{type(scene).__name__}: `{name}` must be set, got none. Set self.{name} in its "
                "`__init__`."
            )
    given = {"config", "notes", "scene", "loss", "optimizers", "uncertainty", "name", "logdir",
             *PROCESSES}  # fmt: skip
    rest = {k: v for k, v in made.items() if k not in given}
    name = None if rest["resume"] else Path(made["logdir"], made["name"])
    config.resume = None  # a run that was resumed is one that was not interrupted
    fit = rd.reconstruct(
        scene.forward, scene.variables, scene.data, loss, optimizers, images=scene.images,
        run=name, stop=stop, config=parser.dump(config, skip_unset=False), **rest,
    )  # fmt: skip
    if fit.run is None:  # the first process writes
        return None
    spread = None
    if estimate is not None and fit.stopped != "interrupted":
        spread = estimate(Task(scene, loss, optimizers, rest, fit))
    return Done(scene, fit, spread)


def keep(done: Done) -> list[Path]:
    """Write variables, results and figures of a finished run; the figures of images."""
    scene, fit = done.scene, done.fit
    assert fit.run is not None
    figures = fit.run / "figures"
    figures.mkdir(exist_ok=True)
    save_figure(fit.plot(), figures / "loss.png")
    drawn = []
    for name, x in scene.images(fit.best).items():
        before = {"Before": np.asarray(scene.before[name])} if name in scene.before else {}
        images = {**before, _AFTER: np.asarray(x)}
        drawn.append(figures / f"{name}.png")
        comparison(images, scene.truth.get(name), drawn[-1])
    results = {name: {k: v[0] for k, v in found.items()} for name, found in done.scores().items()}
    for name, deviation in done.deviations().items():
        results.setdefault(name, {})["Standard deviation"] = deviation
    write_json(fit.run / "results.json", results)
    arrays, frame = split(fit.best)
    found = {format_path(p): np.asarray(a) for p, a in zip(frame.paths, arrays, strict=True)}
    with atomic_path(fit.run / "variables.npz") as part:
        np.savez(part, **found)  # pyright: ignore[reportArgumentType]
    return drawn


def _report(done: Done) -> None:
    """Figure, table and results of a finished run."""
    for path in keep(done):
        say(f"figure: {path}")
    rows = [[f"{name}, {k.lower()}", f"{v[0]:.4f}", f"{v[1]:.2f}"]
            for name, found in done.scores().items() for k, v in found.items()]  # fmt: skip
    if rows:
        say(format_table(["image", "NRMSE", "PSNR / dB"], rows))
    for name, deviation in done.deviations().items():
        say(f"{name}: mean standard deviation {deviation:.4g}")
    if done.fit.stopped:
        say(f"stopped early: {done.fit.stopped}")
    say(str(done.fit.run))


def _loss(terms: Mapping[str, Mapping[str, Any]]) -> rd.Loss:
    if not terms:
        usage_error("loss: at least one term is needed, such as {l2: {target: measurement}}.")
    made = []
    for name, settings in terms.items():
        kind, options = settings.get("term", name), dict(settings)
        options.pop("term", None)
        if kind not in _TERMS:
            usage_error(f"loss: there is no term {kind!r}.{suggest(kind, _TERMS)}")
        weight = options.pop("weight", 1.0)
        made.append(weight * _call(getattr(rd, kind), options, f"loss.{name}").named(name))
    return sum(made[1:], made[0])


def _optimizer(name: str, settings: Mapping[str, Any]) -> rd.Optimizer:
    options = dict(settings)
    method = options.pop("method", "adam")
    if method in _METHODS:
        return _call(getattr(rd, method), options, f"optimizers.{name}")
    return _call(rd.optimizer, {"method": method, **options}, f"optimizers.{name}")


def _call(make: Any, options: Mapping[str, Any], where: str) -> Any:
    try:
        return make(**options)
    except TypeError as error:
        usage_error(f"{where}: {error}")
