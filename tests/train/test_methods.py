"""Methods by name, run folder and file."""

import json

import pytest
import torch
import yaml

from reconic.networks import ResNet
from reconic.recons import CGSense, CompressedSensing, ZeroFilled
from reconic.recons.deep_image_prior import DeepImagePrior
from reconic.recons.zero_shot import ZeroShot
from reconic.train.methods import NAMES, find_method


@pytest.mark.parametrize(
    ("name", "kind"),
    [*zip(NAMES, [ZeroFilled, CGSense, CompressedSensing, ZeroShot, DeepImagePrior], strict=True)],
)
def test_names(name, kind):
    method = find_method(name)
    recon = method.make(0.3)
    assert type(recon) is kind
    assert method.tunes == (kind in (CGSense, CompressedSensing))
    if method.tunes:
        assert recon.lam().item() == pytest.approx(0.3)


def test_networks_fit_the_data():
    recon = find_method("zeroshot", n_space=3, channels=2).make(0.0)
    network = next(m for m in recon.modules() if isinstance(m, ResNet))
    assert network(torch.zeros(1, 2, 8, 8, 8, dtype=torch.complex64)).shape == (1, 2, 8, 8, 8)


def test_a_file_with_a_recon(tmp_path):
    spec = {"class_path": "CGSense", "init_args": {"lam": 0.7}}
    (tmp_path / "run.json").write_text(json.dumps({"name": "x", "recon": spec}))
    (tmp_path / "recon.yaml").write_text(yaml.safe_dump(spec))
    for name in ("run.json", "recon.yaml"):
        method = find_method(str(tmp_path / name))
        assert (method.title, method.tunes) == ("CGSense", False)
        assert method.make(0.1).lam().item() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be readable"),
        ("[]", "must hold a `recon` with its `class_path`"),
        ('{"data": {}}', "must hold a `recon`"),
        (
            '{"class_path": "ResNetRecon", "init_args": {"network": {"class_path": "CNN"}}}',
            "must need no training, got ResNetRecon with [0-9]+ weights. Run `reconic train",
        ),
    ],
)
def test_files_of_no_use(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        find_method(str(path))


def test_a_misspelt_name():
    with pytest.raises(ValueError, match=r"got 'wavlet'\. Did you mean 'wavelet'"):
        find_method("wavlet")


def test_a_run_of_a_system_of_ones_own_is_not_taken_for_mri(tmp_path):
    config = {"system": {"class_path": "my_model.Camera"}, "recon": {"class_path": "CGSense"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=r"a run of my_model\.Camera\. Write `reconic test "):
        find_method(str(tmp_path))
