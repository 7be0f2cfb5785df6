"""What a search tells TensorBoard, read back with TensorBoard's own readers."""

import contextlib

import pytest

from reconic.track import RunWriter, conclude_trial, describe_search
from reconic.track.events import Events

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")


def read(folder):
    return event_accumulator.EventAccumulator(str(folder)).Reload()


@pytest.mark.parametrize(
    ("metric", "tags"),
    [("val/psnr", ["best/val/psnr", "val/psnr"]), ("nrmse", ["best/nrmse"])],  # not logged itself
)
def test_the_columns_of_a_search_are_its_keys_and_its_metric(metric, tags, tmp_path):
    describe_search(tmp_path, {"optimizer.lr": 0.1, "loss": "", "augment": True}, metric)
    data = read(tmp_path).summary_metadata["_hparams_/experiment"].plugin_data.content
    found = metadata.parse_experiment_plugin_data(data)
    numbers, words, flags = 3, 1, 2  # DataType of TensorBoard's protocol
    assert [info.type for info in found.hparam_infos] == [numbers, words, flags]
    assert [info.name for info in found.hparam_infos] == ["optimizer.lr", "loss", "augment"]
    assert [info.name.tag for info in found.metric_infos] == tags


def test_what_was_written_is_in_the_file_at_once(tmp_path):
    with contextlib.closing(Events(tmp_path)) as events:
        events.write([events.summary.scalar("a", 2.0)], 3)
        assert [(e.step, e.value) for e in read(tmp_path).Scalars("a")] == [(3, 2.0)]


def test_what_a_trial_counted_as_is_added_to_its_run(tmp_path):
    with RunWriter(tmp_path) as writer:
        writer.scalars({"val/psnr": 30.0}, 1)
        writer.scalars({"val/psnr": 29.0}, 2)
    conclude_trial(tmp_path, "val/psnr", 30.0)
    events = read(tmp_path)
    assert [e.value for e in events.Scalars("val/psnr")] == [30.0, 29.0]
    assert [e.value for e in events.Scalars("best/val/psnr")] == [30.0]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
