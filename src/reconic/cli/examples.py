"""An example of every command, as its help shows it."""

from __future__ import annotations

__all__ = ["EXAMPLES"]

EXAMPLES = {
    "train": "reconic train --config configs/example.json --trainer.max_epochs 5",
    "test": "reconic test logs/example/version_0 --data.test data/example/test.h5",
    "compare": "reconic compare logs/example/version_0 logs/ssdu/version_0",
    "recon": "reconic recon ksp.npy --method cgsense,logs/example/version_0 --out brain.png",
    "search": "reconic search --config configs/search.json --workers 2",
    "descend": "reconic descend --config configs/deconvolution.yaml --epochs 200",
    "view": "reconic view brain.nii.gz --html brain.html",
    "bundle": "reconic bundle logs/example/version_0 --out example.zip",
    "reproduce": "reconic reproduce example.zip",
    "simulate": "reconic simulate --out data/radial --trajectory radial",
    "check": "reconic check my_module:MySystem",
    "import-config": "reconic import-config old_deepinpy.json --out configs/new.yaml",
    "info": "reconic info logs/example/version_0",
    "doctor": "reconic doctor",
    "completion": 'eval "$(reconic completion bash)"',
}
