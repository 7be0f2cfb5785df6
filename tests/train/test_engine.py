"""Whole runs on tiny data: what they leave behind, and that they learn."""

import io
import json
import time

import numpy as np
import pytest
import torch
import yaml

from reconic.networks import CNN
from reconic.recons import CGSense, MoDL
from reconic.track import read_slices
from reconic.train import ComplexL2, ReconData, SystemFactory, fit, load_run
from reconic.train.evaluation import best_lam, evaluate, means, reconstruct

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def values(folder, tag):
    return [line[tag] for line in lines(folder) if tag in line]


@pytest.fixture(scope="module")
def events(trained):
    accumulator = event_accumulator.EventAccumulator(
        str(trained.folder), size_guidance={"images": 0, "scalars": 0}
    )
    return accumulator.Reload()


def test_folder_holds_what_a_run_is(trained):
    found = {str(p.relative_to(trained.folder)) for p in trained.folder.rglob("*") if p.is_file()}
    events = {name for name in found if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    assert found - events == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "results.json",
        "slices.csv",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "figures/best.png",
        "figures/comparison.png",
        "figures/epoch_0002_example_0.png",
        "figures/epoch_0002_example_1.png",
        "figures/worst.png",
    }
    assert trained.folder.name == "version_0"
    assert trained.folder.parent.name == "tiny"


def test_results_are_those_of_the_table(trained):
    results = json.loads((trained.folder / "results.json").read_text())
    assert results == trained.results
    assert list(results) == ["zero-filled", "cg-sense", "modl"]
    assert all(list(r) == ["nrmse", "psnr", "ssim"] for r in results.values())
    scores = read_slices(trained.folder / "slices.csv")
    assert scores == trained.scores
    assert np.mean(scores["modl"]["psnr"]) == pytest.approx(results["modl"]["psnr"])
    assert len(scores["modl"]["psnr"]) == 3


def test_saved_configuration_runs_again_to_the_same_result(trained, tmp_path):
    from reconic.train.config import prepare, train_parser

    parser = train_parser()
    args = ["--config", str(trained.folder / "config.yaml"), "--logdir", str(tmp_path)]
    again = fit(**prepare(parser, parser.parse_args(args)))
    assert again.results == trained.results  # bit for bit: everything is seeded
    assert values(again.folder, "train/loss") == values(trained.folder, "train/loss")


def test_scalars(events):
    wanted = {
        "train/loss", "train/l2", "train/ssim", "train/nrmse", "train/lam", "train/n_cg",
        "train/lr", "train/samples_per_second", "val/loss", "val/nrmse", "val/psnr", "val/ssim",
        "test/nrmse", "test/psnr", "test/ssim",
    }  # fmt: skip
    assert wanted <= set(events.Tags()["scalars"])
    assert [e.step for e in events.Scalars("train/loss")] == list(range(8))  # 2 epochs of 4
    assert len(events.Scalars("val/psnr")) == 2
    assert all(e.value > 0 for e in events.Scalars("train/samples_per_second"))


def test_loss_terms_add_up(trained):
    line = next(line for line in lines(trained.folder) if "train/loss" in line)
    total = line["train/l2"] + 0.1 * line["train/ssim"]
    assert line["train/loss"] == pytest.approx(total, rel=1e-5)


def test_learning_rate_follows_the_pair(trained):
    assert values(trained.folder, "train/lr") == pytest.approx([1e-3] * 4 + [5e-4] * 4)


def pixels(event):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("L")).astype(int)


def test_images(events):
    names = {"input", "truth", "measured_kspace", "prediction", "error", "phase", "kspace"}
    tags = set(events.Tags()["images"])
    assert {f"example_{i}/{name}" for i in range(2) for name in names} <= tags
    for name in names:
        once = name in ("input", "truth", "measured_kspace")
        assert len(events.Images(f"example_0/{name}")) == (1 if once else 2)


def test_images_share_the_grey_scale_of_the_truth(events, trained, splits):
    import h5py

    with h5py.File(splits["val"]) as file:
        truth = np.abs(file["imgs"][0])
    white = np.percentile(truth, 99.8)
    shown = pixels(events.Images("example_0/truth")[0])
    want = np.round(255 * np.clip(truth / white, 0, 1))
    assert np.max(np.abs(shown - want)) <= 1
    data = ReconData(**splits, num_workers=0)
    batch = next(iter(data.val_dataloader()))
    image = reconstruct({"modl": load_run(trained.folder, "last")}, batch, SystemFactory())["modl"]
    want = np.round(255 * np.clip(np.abs(image[0]) / white, 0, 1))
    last = pixels(events.Images("example_0/prediction")[-1])
    assert np.max(np.abs(last - want)) <= 1


def test_hyperparameters_are_logged(events):
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"optimizer.init_args.lr" in content
    assert b"recon.init_args.network.init_args.width" in content


def test_best_checkpoint_is_that_of_the_best_value_and_is_tested(train, splits):
    uphill = {"class_path": "SGD", "init_args": {"lr": 1.0, "maximize": True}}
    run = train(
        trainer={"max_epochs": 3, "accelerator": "cpu"},
        optimizer=uphill,
        checkpoint={"monitor": "nrmse"},
        baselines=[],
    )
    assert np.all(np.diff(values(run.folder, "val/nrmse")) > 0)
    best, last = (
        torch.load(run.folder / "checkpoints" / f"{w}.ckpt", weights_only=True)
        for w in ("best", "last")
    )
    assert (best["epoch"], last["epoch"]) == (1, 3)  # epochs done
    assert run.results.keys() == {"modl"}
    assert run.lam is None
    recons = {which: load_run(run.folder, which) for which in ("best", "last")}
    data = ReconData(**splits, num_workers=0)
    found = means(evaluate(recons, data.test_dataloader(), SystemFactory()))
    assert run.results["modl"] == found["best"] != found["last"]


def test_a_loaded_run_gives_identical_images(trained, splits):
    recon = load_run(trained.folder)
    assert isinstance(recon, MoDL)
    assert not recon.training
    data = ReconData(**splits, num_workers=0)
    found = means(evaluate({"modl": recon}, data.test_dataloader(), SystemFactory()))
    assert found["modl"] == trained.results["modl"]


def test_overfits_two_examples(splits, tmp_path):
    torch.manual_seed(0)
    two = {"train": splits["train"], "val": splits["train"], "test": splits["train"]}
    run = fit(
        data=ReconData(
            **two, limit_train=2, limit_val=2, limit_test=2, batch_size=2, num_workers=0
        ),
        system=SystemFactory(),
        recon=MoDL(CNN(width=24, n_layers=4), n_unrolls=1, lam=0.1),
        loss=ComplexL2(),
        optimizer=lambda p: torch.optim.Adam(p, 3e-3),
        trainer={
            "max_epochs": 40,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "check_val_every_n_epoch": 20,
        },
        baselines=["zero-filled"],
        logdir=str(tmp_path),
    )
    first = values(run.folder, "train/nrmse")[0]
    assert run.results["modl"]["nrmse"] < 0.5 * first
    assert run.results["modl"]["nrmse"] < 0.35 * run.results["zero-filled"]["nrmse"]


def test_time_limit_ends_annealed_validated_and_tested(train):
    start = time.monotonic()
    run = train(
        trainer={"max_epochs": -1, "max_time": "00:00:00:06", "accelerator": "cpu",
                 "log_every_n_steps": 1, "enable_progress_bar": False},
        images={"n": 0},  # which take time: the last step is near the end
        lr_scheduler={"class_path": "WarmCosine", "init_args": {"warmup": 0.0, "final": 0.0}},
        baselines=[],
    )  # fmt: skip
    assert time.monotonic() - start < 300
    rates = values(run.folder, "train/lr")
    assert rates[0] > 0.9e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1e-3
    assert lines(run.folder)[-2]["val/psnr"] is not None  # validation after the last step
    assert (run.folder / "results.json").is_file()


def test_fast_dev_run(train):
    run = train(trainer={"fast_dev_run": True, "accelerator": "cpu"})
    assert len(run.scores["modl"]["psnr"]) == 1


def test_accumulation_and_clipping_reach_the_trainer(train):
    run = train(
        trainer={"max_epochs": 1, "accelerator": "cpu", "accumulate_grad_batches": 2,
                 "gradient_clip_val": 1e-12, "log_every_n_steps": 1},
        optimizer={"class_path": "SGD", "init_args": {"lr": 1.0}},
        lr_scheduler=None,
        baselines=[],
    )  # fmt: skip
    assert max(line["step"] for line in lines(run.folder)) == 2  # 4 batches, 2 steps
    lams = values(run.folder, "train/lam")
    assert lams[0] == pytest.approx(lams[-1], abs=1e-9)  # gradients cut to nothing


@pytest.mark.parametrize(
    ("scheduler", "interval", "want"),
    [
        (
            {"class_path": "StepLR", "init_args": {"step_size": 3, "gamma": 0.1}},
            "step",
            [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01],
        ),
        (
            {"class_path": "CosineAnnealingLR", "init_args": {"T_max": 2}},
            "epoch",
            [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5],
        ),
        ({"class_path": "ReduceLROnPlateau", "init_args": {"patience": 9}}, "epoch", [1] * 8),
    ],
)
def test_torch_schedulers(train, scheduler, interval, want):
    run = train(lr_scheduler=scheduler, lr_interval=interval, baselines=[])
    assert values(run.folder, "train/lr") == pytest.approx([1e-3 * v for v in want])


def test_resumed_run_ends_as_the_uninterrupted_one(train):
    whole = train(baselines=[], lr_scheduler=[0.5, 1])
    half = train(
        trainer={"max_epochs": 1, "accelerator": "cpu", "log_every_n_steps": 1},
        baselines=[],
        lr_scheduler=[0.5, 1],
    )
    resumed = train(
        resume=str(half.folder / "checkpoints" / "last.ckpt"),
        baselines=[],
        lr_scheduler=[0.5, 1],
    )
    assert values(resumed.folder, "train/loss") == values(whole.folder, "train/loss")[4:]
    weights = [
        torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (whole, resumed)
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0, atol=0)


def test_best_lam_is_the_best_on_the_validation_examples(splits):
    data = ReconData(**splits, num_workers=0, stdev=0.1)
    batches = list(data.val_dataloader())[:1]
    system = SystemFactory()

    def score(value, metric):
        return means(evaluate({"cg": CGSense(value)}, batches, system))["cg"][metric]

    grid = np.logspace(-3, 1, 9)
    lam = best_lam(batches, system, metric="nrmse")
    assert score(lam, "nrmse") <= min(score(v, "nrmse") for v in grid) * 1.002
    lam = best_lam(batches, system, metric="psnr")
    assert score(lam, "psnr") >= max(score(v, "psnr") for v in grid) - 0.02


def test_missing_files_are_told_before_a_folder_is_made(tmp_path, splits):
    data = ReconData(**{**splits, "test": "nowhere.h5"}, num_workers=0)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5"):
        fit(data, SystemFactory(), MoDL(CNN()), ComplexL2(), torch.optim.Adam, logdir=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_unclear_scheduler_is_told_before_a_folder_is_made(tmp_path, splits):
    data = ReconData(**splits, num_workers=0)
    with pytest.raises(ValueError, match="Write"):
        fit(data, SystemFactory(), MoDL(CNN()), ComplexL2(), torch.optim.Adam, [2, 3],
            logdir=str(tmp_path))  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_config_is_complete(trained):
    config = yaml.safe_load((trained.folder / "config.yaml").read_text())
    assert config["recon"]["init_args"]["cg_iter"] == 6  # a default
    assert config["data"]["batch_size"] == 1
    assert config["trainer"]["gradient_clip_val"] == 1.0


def test_notes_are_kept_with_the_configuration(train):
    run = train(notes="ends at 30 dB", trainer={"fast_dev_run": True, "accelerator": "cpu"})
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["notes"] == "ends at 30 dB"


def test_gradient_norms_are_logged_before_clipping(train):
    trainer = {
        "max_epochs": 1, "accelerator": "cpu", "gradient_clip_val": 1e-6, "log_every_n_steps": 1,
    }  # fmt: skip
    norms = values(train(trainer=trainer, baselines=[]).folder, "train/gradient_norm")
    assert len(norms) == 4
    assert min(norms) > 1e-4
