"""Panels of one example, against the recon and the data they are made of."""

import numpy as np
import pytest
import torch
from tiny import tiny_arrays

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.train import SystemFactory
from reconic.train.snapshot import changing_panels, fixed_panels, snapshot
from reconic.view import grey_scale, to_error, to_grey


@pytest.fixture
def example():
    arrays = tiny_arrays(1)
    names = {"x": "imgs", "y": "ksp", "maps": "maps", "mask": "masks"}
    return {name: torch.from_numpy(arrays[key]) for name, key in names.items()}


def recon(n_unrolls=3):
    torch.manual_seed(0)
    return MoDL(CNN(width=4, n_layers=2, zero_init=False), n_unrolls=n_unrolls).eval()


def test_passes_end_with_the_result(example):
    model, system = recon(), SystemFactory()
    shot = snapshot(model, system, example)
    with torch.no_grad():
        x_hat = model(example["y"], system(example))[0].numpy()
    np.testing.assert_array_equal(shot.x_hat, x_hat)
    assert len(shot.passes) == 3
    assert not np.allclose(shot.passes[0], x_hat)
    np.testing.assert_array_equal(shot.truth, example["x"][0])


def test_panels_are_on_the_truth_s_scale(example):
    shot = snapshot(recon(), SystemFactory(), example)
    changing, fixed = changing_panels(shot), fixed_panels(shot)
    assert set(changing) == {"prediction", "phase", "kspace", "error", "passes"}
    assert set(fixed) == {"input", "input_phase", "truth", "truth_phase", "measured_kspace"}
    vmax = grey_scale([shot.truth])
    np.testing.assert_array_equal(changing["prediction"], to_grey(shot.x_hat, vmax))
    np.testing.assert_array_equal(fixed["truth"], to_grey(shot.truth, vmax))
    errors = [to_error(x, shot.truth, vmax) for x in shot.passes]
    np.testing.assert_array_equal(changing["passes"][-32:, -24:], errors[-1])
    np.testing.assert_array_equal(changing["passes"][:32, :24, 0], to_grey(shot.passes[0], vmax))
    assert changing["passes"].shape == (2 * 32 + 2, 3 * 24 + 4, 3)
    unmeasured = (example["mask"][0] == 0).numpy()
    assert not fixed["measured_kspace"][unmeasured].any()


def test_without_a_truth_the_prediction_sets_the_scale(example):
    del example["x"]
    shot = snapshot(recon(1), SystemFactory(), example)
    assert set(changing_panels(shot)) == {"prediction", "phase", "kspace"}
    assert set(fixed_panels(shot)) == {"input", "input_phase", "measured_kspace"}
    expected = to_grey(shot.x_hat, grey_scale([shot.x_hat]))
    np.testing.assert_array_equal(changing_panels(shot)["prediction"], expected)


def test_of_many_passes_some_are_shown_and_the_last(example):
    shot = snapshot(recon(19), SystemFactory(), example)
    assert len(shot.passes) == 8
    with torch.no_grad():
        x_hat = recon(19)(example["y"], SystemFactory()(example))[0].numpy()
    np.testing.assert_allclose(shot.x_hat, x_hat, atol=1e-6)  # float32, values up to one


def test_frames_are_combined_too(example):
    frames = {name: v[:, None] if name in ("x", "mask") else v for name, v in example.items()}
    frames = {name: torch.cat([v, 2 * v], 1) if name == "x" else v for name, v in frames.items()}
    frames["y"] = torch.stack([example["y"], 2 * example["y"]], 2)
    frames["maps"] = example["maps"][:, :, None]
    frames["mask"] = frames["mask"].expand(1, 2, 32, 24)
    system = SystemFactory(init_args={"n_frame_axes": 1})
    model = MoDL(CNN(channels=2, width=4, n_layers=2), n_unrolls=1)
    panels = changing_panels(snapshot(model, system, frames))
    assert panels["rss"].shape == (32, 3 * 24 + 4)
    rss = np.sqrt(5) * np.abs(example["x"][0].numpy())
    np.testing.assert_allclose(
        panels["rss"][:, -24:].astype(int), to_grey(rss).astype(int), atol=1
    )  # rounding of a half
