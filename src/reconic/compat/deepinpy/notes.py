"""What Reconic does in another way than DeepInPy, by configuration key."""

from __future__ import annotations

from pathlib import Path

from reconic.compat.deepinpy.keys import Settings

__all__ = ["N_STAND_IN", "N_TRIALS", "SMALLEST_LAM", "notes"]

N_STAND_IN = 8  # training examples that stand in for validation and test examples
N_TRIALS = 20  # of a search without `num_trials`
SMALLEST_LAM = 1e-8

_DEAD = "did nothing in DeepInPy, and does nothing here"
_NOTES = {
    "abs_loss": "compares |x̂| with |x|; DeepInPy summed the last axis of the image instead",
    "adam_eps": _DEAD,
    "adjoint_data": "k-space is read, and recons start from Aᴴy anyway: the images are the same",
    "cg_eps": "is relative to the data of each example, so it does not depend on their scale",
    "data_inference_output": "`reconic test RUN` saves the images of the test file in its own "
    "folder",
    "dropout": _DEAD,
    "fully_sampled": "where k-space is zero in all coils, it counts as not measured",
    "gpu": "gradients are averaged over the devices by Lightning's ddp",
    "hyperopt": "trials are compared by the validation loss; name more keys in search.space",
    "max_norm_constraint": _DEAD,
    "noncart": "coordinates are read from `masks`, in SigPy's units; no sample weighs more than "
    "another",
    "num_trials": "belongs to hyperopt, which is off",
    "num_workers": "sized the search, not the reading of data; see data.num_workers",
    "num_admm": "all iterations are done, whatever the size of the data",
    "num_blocks": "one block does all; DeepInPy failed with fewer than two",
    "save_all_checkpoints": "one for each epoch, beside best.ckpt and last.ckpt",
    "save_every_N_epochs": "sets how often images of validation examples are logged",
    "stdev": "noise follows from seed, epoch and example, so a run can be repeated",
    "use_sigpy": "Reconic has one Fourier transform, which gives the same images",
    "version": "a run goes to the next free version_N, so that none is overwritten",
}


def notes(s: Settings) -> dict[str, str]:
    """What is treated differently of what a configuration asks for."""
    found = {key: text for key, text in _NOTES.items() if key in s.given and _applies(key, s)}
    if s["batch_size"] > 1:
        found["batch_size"] = "an epoch also has its last, smaller batch, which DeepInPy dropped"
    if s["recon"] != "resnet" and "l2lam_init" in s.given:
        least = f"; {SMALLEST_LAM:g} stands for zero" if s["l2lam_init"] < SMALLEST_LAM else ""
        found["l2lam_init"] = f"λ is learned as a logarithm, so it stays positive{least}"
    if len(s["data_inference_file"] or ()) > 1:
        found["data_inference_file"] = (
            "the first file is tested after training; test others by `reconic test RUN "
            "--data.test FILE`"
        )
    for key, near in s.unknown.items():
        found[key] = "is no key of DeepInPy, and left out" + (f"; is it {near!r}?" if near else "")
    return dict(sorted((found | _about_validation(s)).items()))


def _applies(key: str, s: Settings) -> bool:
    if key == "num_blocks":
        return s["num_blocks"] == 1 and s["network"] == "ResNet" and s["recon"] != "cgsense"
    if key == "fully_sampled":
        return not s["noncart"]
    if key in ("num_trials", "num_workers", "gpu") and s["hyperopt"]:
        return False
    return key != "gpu" or "," in str(s["gpu"])


def _about_validation(s: Settings) -> dict[str, str]:
    file = s["data_val_file"]
    if file is None or not (s.validates or Path(file).is_file()):
        n = min(s["num_data_sets"] or N_STAND_IN, N_STAND_IN)
        return {"data_file": f"its first {n} examples also validate and test; see data.val"}
    return {} if s.validates else {"data_val_file": "is used; DeepInPy did not look at it"}
