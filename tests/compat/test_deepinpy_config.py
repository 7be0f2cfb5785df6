"""DeepInPy's configuration keys: what becomes of each, and messages for what cannot be done."""

import json
import math
import random
import re
import textwrap
from pathlib import Path

import pytest
import yaml
from tiny import write_h5

from reconic.cli import main
from reconic.compat.deepinpy import import_config, is_deepinpy, to_reconic
from reconic.compat.deepinpy.keys import settings

EXAMPLE = {  # DeepInPy's own first example
    "random_seed": 723,
    "data_file": "deepinpy/tests/dataset_unittest.h5",
    "shuffle": True,
    "num_data_sets": 10,
    "name": "Demo",
    "recon": "resnet",
    "network": "ResNet",
    "num_blocks": 4,
    "batch_size": 1,
    "step": 0.001,
    "num_epochs": 20,
    "lr_scheduler": [5, 0.1],
}


def converted(**keys):
    return to_reconic({"data_file": "a.h5", **keys})[0]


def noted(**keys):
    return to_reconic({"data_file": "a.h5", **keys})[1]


def spec(class_path, **init_args):
    return {"class_path": class_path, "init_args": init_args}


def test_its_example():
    config, notes = to_reconic(EXAMPLE)
    network = spec(
        "ResNet", channels=1, width=64, n_blocks=4, kernel=7, batch_norm=False, zero_init=False,
        n_space=2,
    )  # fmt: skip
    assert config == {
        "name": "Demo",
        "logdir": "logs",
        "seed": 723,
        "data": {
            **dict.fromkeys(("train", "val", "test"), EXAMPLE["data_file"]),
            "batch_size": 1,
            "shuffle": True,
            "stdev": 0.0,
            "limit_train": 10,
            "limit_val": 8,
            "limit_test": 8,
        },
        "system": spec("CartesianMRI", n_space=2),
        "recon": spec("ResNetRecon", network=network),
        "loss": spec("reconic.compat.deepinpy.SummedError", norm="l2", magnitude=False),
        "optimizer": spec("torch.optim.Adam", lr=0.001),
        "lr_scheduler": spec("StepLR", step_size=5, gamma=0.1),
        "trainer": {
            "max_epochs": 20,
            "accelerator": "cpu",
            "devices": 1,
            "accumulate_grad_batches": 1,
            "gradient_clip_val": 0.0,
        },
        "images": {"every_n_epochs": 1},
        "checkpoint": {"every_n_epochs": None},
    }
    assert notes == {"data_file": "its first 8 examples also validate and test; see data.val"}


def test_defaults_are_those_of_deepinpy():
    config = converted()
    assert config["recon"] == spec("CGSense", lam=0.001, max_iter=10, tol=1e-4)
    assert config["data"]["batch_size"] == 2
    assert config["data"]["shuffle"] is False
    assert config["lr_scheduler"] is None
    assert config["trainer"]["max_epochs"] == 20
    assert config["name"] == "1"


@pytest.mark.parametrize(
    ("keys", "where", "value"),
    [
        ({"solver": "sgd", "step": 0.1}, "optimizer", spec("torch.optim.SGD", lr=0.1)),
        ({"lr_scheduler": [0.1, 5]}, "lr_scheduler", spec("StepLR", step_size=5, gamma=0.1)),
        ({"lr_scheduler": [2, 1]}, "lr_scheduler", spec("StepLR", step_size=2, gamma=1.0)),
        ({"lr_scheduler": -1}, "lr_scheduler", None),
        ({"gpu": "0, 2"}, "trainer.devices", [0, 2]),
        ({"gpu": "0, 2"}, "trainer.strategy", "ddp"),
        ({"gpu": 1}, "trainer.devices", [1]),
        ({"gpu": "1"}, "trainer.accelerator", "gpu"),
        ({"num_accumulate": 3}, "trainer.accumulate_grad_batches", 3),
        ({"clip_grads": 1}, "trainer.gradient_clip_val", 1.0),
        ({"clip_grads": False}, "trainer.gradient_clip_val", 0.0),
        ({"save_every_N_epochs": 5}, "images.every_n_epochs", 5),
        ({"save_all_checkpoints": True}, "checkpoint.every_n_epochs", 1),
        ({"stdev": 0.1}, "data.stdev", 0.1),
        ({"inverse_crime": True}, "data.inverse_crime", 2),
        ({"inverse_crime": True, "num_spatial_dimensions": 3}, "data.inverse_crime", 3),
        (
            {"fully_sampled": True},
            "data.mask",
            {"class_path": "reconic.compat.deepinpy.FullySampled"},
        ),
        ({"loss_function": "SSIM"}, "loss", spec("SSIMLoss", n_space=2)),
        ({"loss_function": "L1"}, "loss.init_args.norm", "l1"),
        ({"abs_loss": True}, "loss.init_args.magnitude", True),
        (
            {"self_supervised": True},
            "loss.class_path",
            "reconic.compat.deepinpy.SummedMisfit",
        ),
        ({"l2lam_init": 0}, "recon.init_args.lam", 1e-8),
        ({"recon": "modl", "num_unrolls": 7}, "recon.init_args.n_unrolls", 7),
        ({"recon": "modl", "cg_max_iter": 7}, "recon.init_args.cg_iter", 7),
        ({"recon": "dbp", "l2lam_init": 0.5}, "recon.init_args.lam", 2.0),
        ({"recon": "dbp", "num_admm": 7}, "recon.init_args.n_admm", 7),
        ({"recon": "dbp", "stdev": 0.1}, "recon.init_args.sigma", 0.1),
        (
            {"recon": "modl", "network": "ResNet5Block"},
            "recon.class_path",
            "reconic.compat.deepinpy.AsMeasured",
        ),
        (
            {"recon": "resnet", "num_spatial_dimensions": 3},
            "recon.init_args.network.init_args.n_space",
            3,
        ),
        ({"num_spatial_dimensions": 3}, "system.init_args.n_space", 3),
        ({"batch_size": 4.0}, "data.batch_size", 4),
        ({"shuffle": 1}, "data.shuffle", True),
        ({"num_data_sets": None}, "data.limit_val", 8),
        ({"num_data_sets": 3}, "data.limit_val", 3),
    ],
)
def test_keys(keys, where, value):
    found = converted(**keys)
    for part in where.split("."):
        found = found[part]
    assert found == value
    assert type(found) is type(value)


def test_second_dialect(tmp_path):
    config, notes = to_reconic(
        {
            "data_train_file": "train.h5",
            "data_val_file": "val.h5",
            "data_inference_file": ["one.h5", "two.h5"],
            "data_inference_output": ["one_out.h5", "two_out.h5"],
            "num_train_data_sets": 10,
            "num_val_data_sets": 5,
            "num_inference_data_sets": [2, 3],
            "batch_size": 1,
        }
    )
    assert config["data"] == {
        "train": "train.h5", "val": "val.h5", "test": "one.h5", "batch_size": 1, "shuffle": False,
        "stdev": 0.0, "limit_train": 10, "limit_val": 5, "limit_test": 2,
    }  # fmt: skip
    assert notes.keys() == {"data_inference_file", "data_inference_output"}


def test_first_dialect_did_not_look_at_validation_data(tmp_path):
    (tmp_path / "val.h5").touch()
    there, absent = str(tmp_path / "val.h5"), str(tmp_path / "none.h5")
    assert converted(data_val_file=there)["data"]["val"] == there
    assert "DeepInPy did not look at it" in noted(data_val_file=there)["data_val_file"]
    assert converted(data_val_file=absent)["data"]["val"] == "a.h5"
    assert "data_file" in noted(data_val_file=absent)


@pytest.mark.parametrize(("axes", "channels"), [((), 1), ((3,), 3), ((2, 3), 6), ((1,), 1)])
def test_frames_are_channels_of_the_network(tmp_path, arrays, axes, channels):
    shape = arrays["imgs"].shape
    imgs = arrays["imgs"].reshape(shape[0], *[1] * len(axes), *shape[1:])
    imgs = imgs.repeat(axes[0], 1) if axes else imgs
    imgs = imgs.repeat(axes[1], 2) if len(axes) > 1 else imgs
    path = write_h5(tmp_path / "frames.h5", {"imgs": imgs})
    config = converted(data_file=str(path), recon="resnet")
    assert config["recon"]["init_args"]["network"]["init_args"]["channels"] == channels
    assert config["system"]["init_args"].get("n_frame_axes", 0) == len(axes)


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"abs_loss": True}, "compares |x̂| with |x|"),
        ({"adam_eps": 1e-6}, "did nothing in DeepInPy"),
        ({"dropout": 0.5}, "did nothing in DeepInPy"),
        ({"max_norm_constraint": 1}, "did nothing in DeepInPy"),
        ({"adjoint_data": True}, "the images are the same"),
        ({"batch_size": 4}, "last, smaller batch"),
        ({"cg_eps": 1e-3}, "is relative to the data"),
        ({"fully_sampled": True}, "not measured"),
        ({"gpu": "0, 1"}, "ddp"),
        ({"l2lam_init": 0.1}, "it stays positive"),
        ({"l2lam_init": 0}, "1e-08 stands for zero"),
        ({"num_admm": 7}, "all iterations"),
        ({"hyperopt": True}, "by the validation loss"),
        ({"num_trials": 7}, "belongs to hyperopt"),
        ({"num_workers": 7}, "data.num_workers"),
        ({"num_blocks": 1, "recon": "modl"}, "fewer than two"),
        ({"save_all_checkpoints": True}, "one for each epoch"),
        ({"save_every_N_epochs": 2}, "how often"),
        ({"stdev": 0.1}, "seed, epoch and example"),
        ({"use_sigpy": True}, "the same images"),
        ({"version": 3}, "the next free version_N"),
        ({"random_name": False}, "no key of DeepInPy, and left out"),
        ({"num_epoch": 3}, "is it 'num_epochs'?"),
    ],
)
def test_what_is_treated_differently_is_named(keys, note):
    key = next(iter(keys))
    assert note in noted(**keys)[key]


def test_nothing_is_named_that_is_not_different():
    quiet = {
        "dropout": False, "adam_eps": 1e-8, "max_norm_constraint": None, "hyperopt": False,
        "noncart": False, "use_sigpy": False, "gpu": "0", "batch_size": 1, "num_blocks": 3,
        "adjoint_data": False, "fully_sampled": False, "save_every_N_epochs": 1,
    }  # fmt: skip
    assert noted(**quiet).keys() == {"data_file"}
    assert "l2lam_init" not in noted(recon="resnet", l2lam_init=3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hyperopt": True, "num_trials": 0}, r"`num_trials` must be at least 1, got 0"),
        ({"noncart": True, "inverse_crime": True}, r"`inverse_crime` must be false with noncart"),
        ({"data_file": None}, r"`data_file` must name the file"),
        ({"recon": "csdip"}, r"`recon` must be one of cgsense, modl, resnet, dbp, got 'csdip'"),
        ({"network": "UNet"}, r"`network` must be one of ResNet, ResNet5Block, got 'UNet'"),
        ({"step": "fast"}, r"`step` must be a number, got 'fast'"),
        ({"step": math.nan}, r"`step` must be a number, got nan"),
        ({"batch_size": 1.5}, r"`batch_size` must be a whole number, got 1.5"),
        ({"batch_size": 0}, r"`batch_size` must be at least 1, got 0"),
        ({"shuffle": "yes"}, r"`shuffle` must be true or false, got 'yes'"),
        ({"name": [1]}, r"`name` must be a text, got \[1\]"),
        ({"l2lam_init": -1}, r"`l2lam_init` must not be negative, got -1"),
        ({"num_spatial_dimensions": 4}, r"`num_spatial_dimensions` must be 2 or 3, got 4"),
        ({"lr_scheduler": [5]}, r"`lr_scheduler` must be \[epochs, factor\]"),
        ({"lr_scheduler": [0.5, 0.5]}, r"`lr_scheduler` must hold a whole number"),
        ({"lr_scheduler": "x"}, r"`lr_scheduler` must be \[epochs, factor\]"),
        ({"gpu": "first"}, r"`gpu` must be a list of numbers"),
    ],
)
def test_messages(keys, message):
    with pytest.raises(ValueError, match=message):
        converted(**keys)


def test_a_data_file_that_is_none(tmp_path):
    (tmp_path / "a.h5").write_text("no HDF5")
    with pytest.raises(ValueError, match="`data_file` must be a whole HDF5 file"):
        converted(data_file=str(tmp_path / "a.h5"))
    write_h5(tmp_path / "b.h5", {"ksp": [1.0]})
    with pytest.raises(ValueError, match="with `imgs`"):
        converted(data_file=str(tmp_path / "b.h5"))


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        (EXAMPLE, True),
        ({"data_file": "a"}, True),
        ({"data_train_file": "a"}, True),
        ({"recon": "dbp", "step": 1}, True),
        ({"recon": "csdip", "step": 1}, True),
        ({"recon": {"class_path": "MoDL"}, "step": 1}, False),
        ({"recon": "MoDL", "batch_size": 1}, False),
        ({"name": "x", "lr_scheduler": [0.1, 5]}, False),
        ({"seed": 3, "data": {"train": "a"}}, False),
        ([], False),
        (None, False),
        ({}, False),
    ],
)
def test_is_deepinpy(config, answer):
    assert is_deepinpy(config) is answer


def test_no_key_is_in_both_dialects_under_two_names():
    assert settings({"data_train_file": "a"})["data_file"] == "a"
    assert settings({"data_file": "b"})["data_file"] == "b"


@pytest.mark.parametrize(
    "text",
    [
        '{"data_file": "a.h5", "step": 0.1,}',
        '{"data_file": "a.h5", "lr_scheduler": [5, 0.1, ], "name": "a,} b, ]\\",}" ,\n}\n',
    ],
)
def test_a_comma_too_many_is_passed_over(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    found = import_config(path)
    assert "comma" in found.notes["JSON"]
    assert found.config["name"] in ("1", 'a,} b, ]",}')


def test_the_page_shows_what_is_told(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "migrate-from-deepinpy.md").read_text()
    shown = re.search(r'```json title="old.json"\n(.*?)```', page, re.DOTALL)[1]
    told = re.search(r"((?:^    .*\n)+)", page, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    Path("old.json").write_text(shown)
    assert textwrap.dedent(told).strip() == import_config("old.json").warning()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"data_file": ', "must be JSON, and is not"),
        ("[1]", "must be a flat configuration of DeepInPy"),
        ('{"recon": {"class_path": "MoDL"}}', "Reconic's own need no import"),
        ("\x00\x01", "must be JSON, and is not"),
        ("[" * 100_000, "must be JSON, and is not"),
        ('{"step": ' + "1" * 10_000 + "}", "must be JSON, and is not"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        import_config(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        import_config(tmp_path / "none.json")


def test_the_command_writes_a_file_that_trains(old, tmp_path, capsys, caplog):
    out = tmp_path / "new.yaml"
    path = old(recon="modl", network="ResNet5Block", stdev=0.1)
    assert main(["import-config", str(path), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert "stdev: noise follows from seed" in caplog.text
    text = out.read_text()
    assert text.startswith("# old.json is a configuration of DeepInPy. Reconic does some things")
    assert "#   stdev: noise follows from seed" in text
    assert yaml.safe_load(text) == dict(import_config(path).config)
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--config", str(out), "--print_config"])
    assert exit_.value.code == 0


def test_the_command_prints(old, capsys):
    path = old(recon="cgsense")
    assert main(["import-config", str(path)]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == dict(import_config(path).config)


def test_hyperopt_is_a_search_over_the_step():
    config = converted(hyperopt=True, num_trials=7, num_workers=3, step=0.001)
    assert config["search"] == {
        "space": {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-3}},  # DeepInPy's range
        "metric": "val/loss",
        "n_trials": 7,
        "sampler": "random",
        "pruner": "none",
        "workers": 3,
    }
    config = converted(hyperopt=True, gpu="0, 2", num_workers=8)  # one trial per GPU
    assert config["search"]["workers"] == 2
    assert config["search"]["gpus"] == [0, 2]
    assert config["trainer"]["devices"] == 1
    assert "search" not in converted(num_trials=7)


@pytest.mark.slow
def test_a_configuration_with_hyperopt_is_searched(old, capfd, monkeypatch, tmp_path):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    few = {"hyperopt": True, "num_trials": 2, "num_epochs": 1, "latent_channels": 4}
    assert main(["train", "--config", str(old(recon="resnet", num_unrolls=1, **few))]) == 0
    printed = capfd.readouterr().out
    assert "best val/loss" in printed
    best = yaml.safe_load(Path(printed.splitlines()[-1]).read_text())
    assert 1e-4 <= best["optimizer"]["init_args"]["lr"] <= 1e-3


@pytest.mark.parametrize("form", ["--config FILE", "--config=FILE"])
def test_options_of_train_go_before_those_of_the_file(old, capsys, form):
    words = form.replace("FILE", str(old(recon="cgsense"))).split(" ")
    with pytest.raises(SystemExit):
        main(["train", *words, "--optimizer.lr", "0.5", "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["optimizer"]["init_args"]["lr"] == 0.5
    assert config["recon"]["class_path"] == "reconic.recons.CGSense"


def test_errors_of_the_commands_are_one_line(old, tmp_path, capsys):
    path = old(recon="csdip")
    for words in (["import-config", str(path)], ["train", "--config", str(path)]):
        assert main(words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["import-config", str(tmp_path / "none.json")]) == 2


def test_any_configuration_is_converted_or_refused():
    """Values of all kinds for all keys: a configuration or a ValueError, nothing else."""
    draw = random.Random(0)
    keys = [*settings({}).values, "data_train_file", "other"]
    values = [
        None, True, False, 0, 1, -1, 2.5, 10**400, math.inf, -math.inf, math.nan, "", "a", "0, 1",
        "modl", "dbp", [], [1], [5, 0.1], [None], [[1]], ["a", "b"], {}, {"a": 1},
    ]  # fmt: skip
    n_converted, refusals = 0, set()
    for _ in range(10_000):
        config = {key: draw.choice(values) for key in draw.sample(keys, draw.randint(1, 6))}
        config.setdefault("data_file", "a.h5")
        try:
            json.dumps(to_reconic(config))
            n_converted += 1
        except (OSError, ValueError) as error:
            refusals.add(str(error).partition("`")[0])
    assert n_converted > 100
    assert {r for r in refusals if "File name too long" not in r} == {"DeepInPy config: "}
