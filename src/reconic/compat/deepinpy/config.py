"""DeepInPy's configurations, of both dialects, as configurations of `reconic train`."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import h5py

from reconic.compat.deepinpy.keys import Settings, settings
from reconic.compat.deepinpy.notes import N_STAND_IN, N_TRIALS, SMALLEST_LAM, notes

__all__ = ["to_reconic"]

_HOME = "reconic.compat.deepinpy"
_KERNEL = 7  # side of the convolutions, which no key sets


def to_reconic(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Configuration of `reconic train` that does what DeepInPy does with a configuration.

    The number of frames, and of axes of a trajectory, is looked up in the data file, where it is
    there.

    Args:
        config: Configuration in either dialect of DeepInPy, master's or that of its pull request
            29; missing keys have DeepInPy's defaults.

    Returns:
        The configuration, and by key what Reconic does in another way than DeepInPy.

    Raises:
        ValueError: If a value is of a wrong type, or asks for what Reconic does not have.
    """
    s = settings(config)
    _check(s)
    n_space = s["num_spatial_dimensions"]
    shapes = _shapes(s["data_file"])
    frames = shapes.get("imgs", ())[1:-n_space]
    made = {
        "name": s["name"],
        "logdir": s["logdir"],
        "seed": s["random_seed"],
        "data": _data(s),
        "system": _system(s, len(frames), len(shapes.get("masks", ()))),
        "recon": _recon(s, prod(frames)),
        "loss": _loss(s),
        "optimizer": _spec(
            {"adam": "torch.optim.Adam", "sgd": "torch.optim.SGD"}[s["solver"]], lr=s["step"]
        ),
        "lr_scheduler": _schedule(s["lr_scheduler"]),
        "trainer": _trainer(s),
        "images": {"every_n_epochs": s["save_every_N_epochs"]},
        "checkpoint": {"every_n_epochs": 1 if s["save_all_checkpoints"] else None},
    }
    return made | _search(s), notes(s)


def _search(s: Settings) -> dict[str, Any]:
    """Section `search` of a configuration with hyperopt, over the range that DeepInPy searched."""
    if not s["hyperopt"]:
        return {}
    gpus = _gpus(s["gpu"])
    space = {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-3}}
    section = {
        "space": space,
        "metric": "val/loss",
        "n_trials": s["num_trials"] or N_TRIALS,
        "sampler": "random",
        "pruner": "none",
        "workers": len(gpus) or max(1, s["num_workers"]),
    }
    return {"search": section | ({"gpus": gpus} if gpus else {})}


def _check(s: Settings) -> None:
    if s["noncart"] and s["inverse_crime"]:
        _fail(
            "inverse_crime",
            "be false with noncart, for which DeepInPy computed no k-space either",
            "Make the data with `reconic simulate --trajectory radial`.",
        )
    if s["data_file"] is None:
        _fail("data_file", "name the file with the training examples", "Add the key.", None)
    for key in ("batch_size", "num_unrolls", "num_admm", "num_blocks", "latent_channels",
                "num_accumulate", "num_epochs", "save_every_N_epochs", "num_data_sets",
                "num_val_data_sets", "num_trials"):  # fmt: skip
        if s[key] is not None and s[key] < 1:
            _fail(key, "be at least 1", "Correct it.", s[key])
    if s["l2lam_init"] < 0:
        _fail("l2lam_init", "not be negative", "AᴴA + λI must be invertible.", s["l2lam_init"])
    if s["num_spatial_dimensions"] not in (2, 3):
        _fail("num_spatial_dimensions", "be 2 or 3", "Correct it.", s["num_spatial_dimensions"])


def _fail(key: str, wanted: str, fix: str, found: Any = True) -> None:
    raise ValueError(f"DeepInPy config: `{key}` must {wanted}, got {found!r}. {fix}")


def _shapes(path: str) -> dict[str, tuple[int, ...]]:
    """Shapes of images and, if any, masks; none if there is no such file."""
    if not Path(path).is_file():
        return {}
    try:
        with h5py.File(path) as file:
            keys = ("imgs", "masks") if "masks" in file else ("imgs",)
            return {key: file[key].shape for key in keys}  # pyright: ignore
    except (OSError, KeyError, AttributeError) as error:
        raise ValueError(
            f"DeepInPy config: `data_file` must be a whole HDF5 file with `imgs`, got {path!r} "
            f"({error}). Copy it again."
        ) from error


def _system(s: Settings, n_frame_axes: int, mask_ndim: int) -> dict[str, Any]:
    """Forward model; `masks` (example, *frames, *samples, n_space) are coordinates for noncart."""
    axes = {"n_space": s["num_spatial_dimensions"]}
    if n_frame_axes:
        axes["n_frame_axes"] = n_frame_axes
    if not s["noncart"]:
        return _spec("CartesianMRI", **axes)
    n_sample_axes = max(mask_ndim - n_frame_axes - 2, 1)
    return _spec("NonCartesianMRI", **axes, n_sample_axes=n_sample_axes)


def _data(s: Settings) -> dict[str, Any]:
    train, n_train = s["data_file"], s["num_data_sets"]
    val, n_val = s["data_val_file"], s["num_val_data_sets"]
    if val is None or not (s.validates or Path(val).is_file()):
        val, n_val = train, min(n_train or N_STAND_IN, N_STAND_IN)
    test = (s["data_inference_file"] or [None])[0]
    n_test = (s["num_inference_data_sets"] or [None])[0]
    if test is None:
        test, n_test = val, n_val
    made = {
        "train": train,
        "val": val,
        "test": test,
        "batch_size": s["batch_size"],
        "shuffle": s["shuffle"],
        "stdev": s["stdev"],
    }
    if s["fully_sampled"] and not s["noncart"]:
        made["mask"] = {"class_path": f"{_HOME}.FullySampled"}
    if s["inverse_crime"]:
        made["inverse_crime"] = s["num_spatial_dimensions"]
    limits = {"limit_train": n_train, "limit_val": n_val, "limit_test": n_test}
    return made | {key: value for key, value in limits.items() if value is not None}


def _recon(s: Settings, channels: int) -> dict[str, Any]:
    lam = max(s["l2lam_init"], SMALLEST_LAM)
    cg = {"cg_iter": s["cg_max_iter"], "cg_tol": s["cg_eps"]}
    if s["recon"] == "cgsense":
        return _spec("CGSense", lam=lam, max_iter=s["cg_max_iter"], tol=s["cg_eps"])
    network = _network(s, channels)
    if s["recon"] == "resnet":
        recon = _spec("ResNetRecon", network=network)
    elif s["recon"] == "modl":
        recon = _spec("MoDL", network=network, n_unrolls=s["num_unrolls"], lam=lam, **cg)
    else:
        recon = _spec(
            "DeepBasisPursuit",
            network=network,
            n_unrolls=s["num_unrolls"],
            n_admm=s["num_admm"],
            sigma=s["stdev"],
            lam=1 / lam,  # DeepInPy's weighs the data, Reconic's the network's image
            **cg,
            admm_tol=0.0,
        )
    in_proportion = s["network"] == "ResNet" and not s["batch_norm"]
    return recon if in_proportion else _spec(f"{_HOME}.AsMeasured", recon=recon)


def _network(s: Settings, channels: int) -> dict[str, Any]:
    blocks = {"n_blocks": s["num_blocks"]} if s["network"] == "ResNet" else {}
    return _spec(
        s["network"],
        channels=channels,
        width=s["latent_channels"],
        **blocks,
        kernel=_KERNEL,
        batch_norm=s["batch_norm"],
        zero_init=False,
        n_space=s["num_spatial_dimensions"],
    )


def _loss(s: Settings) -> dict[str, Any]:
    if s["loss_function"] == "SSIM" and not s["self_supervised"]:
        return _spec("SSIMLoss", n_space=s["num_spatial_dimensions"])
    norm = "l1" if s["loss_function"] == "L1" else "l2"
    name = "SummedMisfit" if s["self_supervised"] else "SummedError"
    return _spec(f"{_HOME}.{name}", norm=norm, magnitude=s["abs_loss"])


def _schedule(pair: Any) -> dict[str, Any] | None:
    """StepLR of a pair [epochs, factor], or, as the README of DeepInPy has it, the other way."""
    if pair is None:
        return None
    if len(pair) != 2 or not all(isinstance(v, int | float) and v > 0 for v in pair):
        _fail("lr_scheduler", "be [epochs, factor] or -1", "Write [5, 0.1].", pair)
    epochs, factor = pair if float(pair[0]).is_integer() else reversed(pair)
    if not float(epochs).is_integer():
        _fail("lr_scheduler", "hold a whole number of epochs", "Write [5, 0.1].", pair)
    return _spec("StepLR", step_size=int(epochs), gamma=float(factor))


def _trainer(s: Settings) -> dict[str, Any]:
    return {
        "max_epochs": s["num_epochs"],
        **_devices(s),
        "accumulate_grad_batches": s["num_accumulate"],
        "gradient_clip_val": s["clip_grads"],
    }


def _devices(s: Settings) -> dict[str, Any]:
    """Where to train: on the CPU without `gpu`, else on those named; in a search each on one."""
    gpus = _gpus(s["gpu"])
    if not gpus:
        return {"accelerator": "cpu", "devices": 1}
    if s["hyperopt"]:
        return {"accelerator": "gpu", "devices": 1}
    more = {"strategy": "ddp"} if len(gpus) > 1 else {}
    return {"accelerator": "gpu", "devices": gpus, **more}


def _gpus(gpu: list[Any] | None) -> list[int]:
    """Numbers of a list such as "0, 1"."""
    words = [word.strip() for item in gpu or [] for word in str(item).split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        _fail("gpu", "be a list of numbers", 'Write "0, 1".', gpu)
    return [int(word) for word in words]


def _spec(class_path: str, **init_args: Any) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": init_args}
