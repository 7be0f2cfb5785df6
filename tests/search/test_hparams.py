"""What TensorBoard's HParams tab shows of a search, in a real browser."""

import pytest

from reconic.search import Space
from reconic.track import RunWriter, conclude_trial, describe_search

TRIALS = [(1e-3, "ComplexL1", 31.25), (1e-4, "ComplexL2", 28.75), (3e-3, "ComplexL1", None)]


@pytest.fixture
def study(tmp_path):
    """Folder of a search with three trials, of which the last was pruned."""
    losses = [{"class_path": name} for name in ("ComplexL1", "ComplexL2")]
    space = Space(
        {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "loss": losses}
    )
    describe_search(tmp_path, space.samples(), "val/psnr")
    for i, (lr, loss, best) in enumerate(TRIALS):
        run = tmp_path / f"version_{i}"
        run.mkdir()
        with RunWriter(run) as writer:
            config = {
                "a": dict.fromkeys("bcdefgh", 1),  # keys that come first, and are not searched
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": lr}},
                "loss": {"class_path": f"reconic.train.losses.{loss}"},
            }
            writer.hparams(config)
            writer.scalars({"val/psnr": 20.125 + i}, 5)
        if best is not None:
            conclude_trial(run, "val/psnr", best)
    return tmp_path


@pytest.mark.slow
def test_all_trials_are_shown_with_what_was_searched(study, tensorboard, browser):
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.goto(f"{tensorboard(study)}#hparams")
    cells = page.locator("vaadin-grid-cell-content")
    cells.filter(has_text="version_2").first.wait_for(timeout=60_000)
    text = cells.all_inner_texts()
    page.close()
    columns = {"optimizer.init_args.lr", "loss", "best/val/psnr", "val/psnr"}
    trials = {f"version_{i}" for i in range(len(TRIALS))}
    values = {"ComplexL1", "ComplexL2", "31.250", "28.750", "22.125"}  # of the last, what it logged
    assert columns | trials | values <= {cell.strip().replace("\n", "") for cell in text}
    assert not {"val/nrmse", "a.b"} & set(text)
