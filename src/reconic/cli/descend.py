"""`reconic descend`: gradient descent on a scene as a configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import reconic.descent as rd
from reconic.cli.console import format_table, say
from reconic.cli.spelling import make_parser, parse, suggest, usage_error
from reconic.descent.scene import Scene
from reconic.metrics import nrmse, psnr
from reconic.track import write_json, write_text
from reconic.view import comparison, save_figure

_TERMS = ("amplitude", "cross_correlation", "huber", "l1", "l2", "nonnegative", "poisson", "tv",
          "wavelet", "weight_decay")  # fmt: skip
_METHODS = ("lbfgs", "gauss_newton", "frozen")
_LOSS = "Terms of the loss by name, each with its `weight` and arguments: {l2: {target: …}, …}."
_OPTIMIZERS = "Settings by variable: {object: {method: adam, learning_rate: …}, …}."


def run(argv: list[str]) -> None:
    """Descend, and print the errors, the figure's path and, last, the run folder's."""
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
              "alternate", "stop", "images", "run"},  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    parser.add_argument("--name", type=str, default="descend", help="Name of the run.")
    parser.add_argument("--logdir", type=str, default="logs", help="Folder of all runs.")
    config = parse(parser, argv, (Scene,))
    loss, optimizers = (
        _loss(config.loss),
        {k: _optimizer(k, v) for k, v in config.optimizers.items()},
    )
    made = vars(parser.instantiate(config))
    scene = made["scene"]
    given = {"config", "notes", "scene", "loss", "optimizers", "name", "logdir"}
    rest = {k: v for k, v in made.items() if k not in given}
    name = None if rest["resume"] else Path(made["logdir"], made["name"])
    fit = rd.reconstruct(
        scene.forward, scene.variables, scene.data, loss, optimizers,
        images=scene.images, run=name, **rest,
    )  # fmt: skip
    assert fit.run is not None  # a new run or the resumed one
    write_text(fit.run / "config.yaml", parser.dump(config, skip_unset=False))
    _report(scene, fit)


def _report(scene: Scene, fit: rd.Fit) -> None:
    """Figure, table and results of a finished run."""
    assert fit.run is not None
    found = {k: np.asarray(v) for k, v in scene.images(fit.best).items()}
    figures = fit.run / "figures"
    figures.mkdir(exist_ok=True)
    save_figure(fit.plot(), figures / "loss.png")
    results, rows = {}, []
    for name, x in found.items():
        before = {"Before": np.asarray(scene.before[name])} if name in scene.before else {}
        truth = scene.truth.get(name)
        comparison({**before, "Reconstructed": x}, truth, figures / f"{name}.png")
        say(f"figure: {figures / f'{name}.png'}")
        if truth is not None:
            images = {**before, "Reconstructed": x}.items()
            results[name] = {k: float(nrmse(v, truth, n_space=v.ndim)) for k, v in images}
            scores = {k: float(psnr(v, truth, n_space=v.ndim)) for k, v in images}
            rows += [[f"{name}, {k.lower()}", f"{results[name][k]:.4f}", f"{scores[k]:.2f}"]
                     for k in scores]  # fmt: skip
    if rows:
        say(format_table(["image", "NRMSE", "PSNR / dB"], rows))
    write_json(fit.run / "results.json", results)
    if fit.stopped:
        say(f"stopped early: {fit.stopped}")
    say(str(fit.run))


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
