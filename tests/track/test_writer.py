"""What the writer writes, read back with TensorBoard's own reader."""

import io
import json

import numpy as np
import pytest

from reconic.track import RunWriter
from reconic.track.writer import flatten

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    accumulator = event_accumulator.EventAccumulator(
        str(folder), size_guidance={"images": 0, "histograms": 0}
    )
    return accumulator.Reload()


@pytest.fixture
def folder(tmp_path, rng):
    writer = RunWriter(tmp_path)
    writer.hparams({"lr": 0.1, "net": {"width": 8, "name": "CNN", "bias": True}})
    for step in (0, 5):
        writer.scalars({"train/loss": 1.0 / (step + 1), "val/psnr": float("nan")}, step)
    writer.images({"grey": np.arange(12, dtype=np.uint8).reshape(3, 4) * 20}, 5)
    writer.images({"colour": rng.integers(0, 255, (3, 4, 3), dtype=np.uint8)}, 5)
    writer.histogram("scores", [1.0, 2.0, 2.0, float("inf")], 5)
    writer.histogram("none", [float("nan")], 5)
    writer.text("recon", "| a |", 3)
    writer.close()
    return tmp_path


def test_scalars(folder):
    events = read(folder).Scalars("train/loss")
    assert [(e.step, e.value) for e in events] == [(0, 1.0), (5, pytest.approx(1 / 6))]


def test_lines_of_json(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 5]
    assert lines[1]["train/loss"] == pytest.approx(1 / 6)
    assert lines[0]["val/psnr"] is None  # NaN is no JSON
    assert 0 <= lines[0]["time"] <= lines[1]["time"]


def test_images_keep_their_values(folder):
    pillow = pytest.importorskip("PIL.Image")
    (event,) = read(folder).Images("grey")
    pixels = np.asarray(pillow.open(io.BytesIO(event.encoded_image_string)).convert("L"))
    np.testing.assert_array_equal(pixels, np.arange(12).reshape(3, 4) * 20)
    assert event.step == 5


def test_hyperparameters(folder):
    data = read(folder).summary_metadata["_hparams_/session_start_info"].plugin_data.content
    for text in (b"net.width", b"net.name", b"CNN", b"lr"):
        assert text in data


def test_a_second_writer_adds_lines(folder):
    writer = RunWriter(folder)
    writer.scalars({"a": 1}, 6)
    writer.close()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3


def test_flatten():
    nested = {"a": {"b": {"c": 1}, "d": None}, "e": [1, 2], "f": True, "g": {}}
    nested["h"] = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}
    classes = {"h": "Adam", "h.init_args.lr": 0.1}
    assert flatten(nested) == {"a.b.c": 1, "e": "[1, 2]", "f": True, **classes}


def test_histograms_count_what_is_finite(folder):
    (event,) = read(folder).Histograms("scores")
    value = event.histogram_value
    assert (event.step, value.num, value.min, value.max, value.sum) == (5, 3, 1, 2, 5)
    assert "none" not in read(folder).Tags()["histograms"]


def test_text(folder):
    (event,) = read(folder).Tensors("recon/text_summary")
    assert event.step == 3
    assert event.tensor_proto.string_val == [b"| a |"]
