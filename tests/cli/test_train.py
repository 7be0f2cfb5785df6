"""`reconic train`: configurations, and messages for what is wrong in them."""

import json
from pathlib import Path

import pytest
import yaml

from reconic.compat.deepinpy import import_config, is_deepinpy

ROOT = Path(__file__).parents[2]


def spec(name, **init_args):
    return {"class_path": name, "init_args": init_args}


def searched_config(raw, folder):
    """Configuration that a search is made around, after checking all that it would try."""
    from reconic.cli.search_plan import read_plan

    plan, config = read_plan(raw)
    assert plan.metric
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return config, path


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/*")), ids=lambda p: p.name)
def test_every_config_is_valid(path, capsys, tmp_path):
    from reconic.cli import main

    text = path.read_text()
    raw = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    if is_deepinpy(raw):
        raw = {**import_config(path).config, "notes": "that form has none"}
    if "search" in raw:
        pytest.importorskip("optuna")
        raw, path = searched_config(raw, tmp_path)
    command, main_part = ("train", "recon") if "recon" in raw else ("descend", "scene")
    if command == "descend":
        pytest.importorskip("jax")
    with pytest.raises(SystemExit) as exit_:
        main([command, "--config", str(path), "--print_config"])
    assert exit_.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["name"] == raw["name"]
    assert "class_path" in printed[main_part]
    assert raw["notes"]  # what to expect of it


@pytest.mark.parametrize(
    ("words", "key", "argument", "value"),
    [
        (["--optimizer", "AdamW"], "optimizer", "weight_decay", 0.01),  # Adam's is 0
        (["--optimizer=torch.optim.AdamW"], "optimizer", "lr", 1e-3),  # what the parser spells out
        (["--recon.class_path", "CGSense"], "recon", "lam", 1e-3),  # MoDL's is 0.05
        (["--recon", '{"class_path": "CGSense"}'], "recon", "lam", 1e-3),
        (["--recon.lam", "0.2"], "recon", "lam", 0.2),
    ],
)
def test_a_named_class_has_its_own_defaults(words, key, argument, value, capsys):
    from reconic.cli import main

    with pytest.raises(SystemExit):
        main(["train", *words, "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed[key]["init_args"][argument] == value


def test_command_line_overrides_the_config(home, capsys):
    from reconic.cli import main

    argv = ["--seed", "5", "--recon.network.width", "12", "--optimizer.lr", "0.5"]
    with pytest.raises(SystemExit):
        main(["train", "--config", str(home / "config.json"), *argv, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["seed"] == 5
    assert config["recon"]["init_args"]["network"]["init_args"]["width"] == 12
    assert config["optimizer"]["init_args"]["lr"] == 0.5


def test_yaml(home, tmp_path, capsys):
    from reconic.cli import main

    config = json.loads((home / "config.json").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit):
        main(["train", "--config", str(tmp_path / "config.yaml"), "--print_config"])
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "tiny"


@pytest.mark.parametrize(
    ("changes", "wrong", "near"),
    [
        ({"sed": 3}, "'sed'", "'seed'"),
        ({"trainer": {"max_epoch": 3}}, "'trainer.max_epoch'", "'max_epochs'"),
        ({"data": {"trian": "x"}}, "'data.trian'", "'train'"),
        ({"checkpoint": {"monitr": "psnr"}}, "'checkpoint.monitr'", "'monitor'"),
        ({"checkpoint": {"monitor": "psn"}}, "checkpoint.monitor", "'psnr'"),
        ({"baselines": ["cgsense"]}, "cgsense", "'cg-sense'"),
        ({"recon": spec("MoDL", netwrk={})}, "'recon.init_args.netwrk'", "'network'"),
        ({"recon": spec("MoDL", network=spec("ResNet", widht=3))}, "'widht'", "'width'"),
        ({"recon": spec("MoDL", network=spec("ResNett"))}, "'ResNett'", "'ResNet'"),
        ({"recon": {"class_path": "MoDL", "init_arg": {}}}, "'recon.init_arg'", "'init_args'"),
        ({"recon": {"class_path": "reconic.recons.Modl"}}, "Modl", "'MoDL'"),
        ({"recon": {"class_path": "reconicc.recons.MoDL"}}, "reconicc", "'MoDL'"),
        ({"recon": spec("Chain", blocks=[spec("Denoise", networ={})])}, "'networ'", "'network'"),
        ({"recon": spec("Chain", blocks=[spec("Denoise", networ="CNN")])}, "'networ'", "'network'"),
        (
            {"loss": spec("WeightedSum", terms={"a": [1, spec("SSIMLos")]})},
            "'SSIMLos'",
            "'SSIMLoss'",
        ),
        ({"loss": "ComplexL3"}, "'ComplexL3'", "'ComplexL"),
        ({"optimizer": spec("Adan")}, "'Adan'", "'Adam'"),
        ({"optimizer": spec("Adam", lrr=1)}, "'lrr'", "'lr'"),
        ({"lr_scheduler": spec("WarmCosin")}, "'WarmCosin'", "'WarmCosine'"),
        ({"lr_scheduler": spec("StepLR", step_sizes=3)}, "'step_sizes'", "'step_size'"),
        ({"system": {"clas_path": "CartesianMRI"}}, "'system.clas_path'", "'class_path'"),
        ({"system": {"class_path": "CartesianMR"}}, "'CartesianMR'", "'CartesianMRI'"),
        ({"system": spec("CartesianMRI", nspace=3)}, "'nspace'", "'n_space'"),
    ],
)
def test_misspelt_names_in_a_config(reconic, with_config, changes, wrong, near):
    status, _, err = reconic("train", "--config", with_config(changes))
    assert status == 2
    assert wrong in err
    assert f"Did you mean {near}" in err
    assert len(err.splitlines()) == 1


def test_a_config_of_another_command(reconic, with_config):
    status, _, err = reconic("train", "--config", with_config({"scene": {}}))
    assert status == 2
    assert "there is no key 'scene'. It is one of `reconic descend`." in err


@pytest.mark.parametrize(
    ("argv", "wrong", "near"),
    [
        (["--sed", "3"], "'--sed'", "'--seed'"),
        (["--see", "3"], "'--see'", "'--seed'"),  # no abbreviations
        (["--trainer.max_epoch=3"], "'--trainer.max_epoch'", "'--trainer.max_epochs'"),
        (["--recon.lamm", "3"], "'lamm'", "'lam'"),
        (["--recon.network.widht", "3"], "'widht'", "'width'"),
        (["--recon", "MoDL", "--recon.netwrk", "CNN"], "'netwrk'", "'network'"),
        (["--optimizer", "Adan"], "'Adan'", "'Adam'"),
        (["--optimizer.lrr", "3"], "'lrr'", "'lr'"),
        (["--loss", "SSIMLos"], "'SSIMLos'", "'SSIMLoss'"),
        (["--system.init_args.nspace", "3"], "'nspace'", "'n_space'"),
    ],
)
def test_misspelt_names_on_the_command_line(reconic, home, argv, wrong, near):
    status, _, err = reconic("train", "--config", home / "config.json", *argv)
    assert status == 2
    assert wrong in err
    assert f"Did you mean {near}" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "x"}, "seed: expected an int, got x"),
        (
            {"recon": spec("MoDL", network=spec("ResNet", width="abc"))},
            "recon.network.width: expected",
        ),
        ({"recon": spec("CNN")}, "'CNN' is of another kind"),
        ({"lr_scheduler": spec("StepLR")}, "required, but not given: step_size"),
        ({"lr_scheduler": [1, 1]}, "Write [0.5, 10]"),
        ({"trainer": {"max_time": "5min"}}, "DD:HH:MM:SS"),
        ({"data": {"train": "nowhere.h5"}}, "'nowhere.h5', which is no file"),
        ({"resume": "nowhere.ckpt"}, "'nowhere.ckpt', got nothing"),
        ({"init": "nowhere"}, "'nowhere', got nothing"),
        ({"freeze": ["decoder.*"]}, "each pattern must fit a parameter, got 'decoder.*'"),
        ({"ema": 1.5}, "ema: must be between 0 and 1, got 1.5"),
        ({"checkpoint": {"every_n_steps": 0}}, "`every_n_steps` must be positive, got 0"),
        ({"trainer": {"precision": "bf16-mixed"}}, "`precision` must be 32-true"),
        ({"name": "../up"}, "relative path"),
    ],
)
def test_bad_values(reconic, with_config, changes, message):
    status, _, err = reconic("train", "--config", with_config(changes))
    assert status == 2
    assert message in err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nowhere.json", None, "does not exist"),
        ("broken.json", '{"seed": 1,', "cannot be read"),
        ("broken.yaml", "seed: [1", "cannot be read"),
        ("list.yaml", "- 1", "must hold keys and values, got list"),
    ],
)
def test_bad_config_files(reconic, tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    status, _, err = reconic("train", "--config", tmp_path / name)
    assert status == 2
    assert message in err
    assert name in err


def test_extra_words(reconic, home):
    status, _, err = reconic("train", "--config", home / "config.json", "extra")
    assert status == 2
    assert "no place for 'extra'" in err


def test_a_run_is_resumed_with_its_own_configuration(reconic, home, run):
    for source in (run, run / "checkpoints" / "last.ckpt"):
        status, out, err = reconic("train", "--resume", source, "--trainer.max_epochs", "3")
        assert status == 0, err
        folder = Path(out.splitlines()[-1])
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["resume"] == str(source)
        assert config["name"] == "tiny"
        assert folder != run
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        steps = [json.loads(line)["step"] for line in lines]
        assert min(steps) == 8  # 2 epochs of 4 are done


def test_a_stopped_run_tells_how_to_go_on(reconic, home, monkeypatch):
    from reconic.cli import train
    from reconic.train import Interrupted

    def stop(**_):
        raise Interrupted(15, "stopped by SIGTERM. To go on: …")

    monkeypatch.setattr(train, "fit", stop)
    status, _, err = reconic("train", "--config", home / "config.json")
    assert status == 143
    assert err == "reconic train: stopped by SIGTERM. To go on: …\n"
