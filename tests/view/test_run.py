"""Run folders as they are seen: whole, going on, cut off, torn."""

import json
import os
import time

import numpy as np
import pytest

from reconic import view


@pytest.fixture
def folder(tmp_path):
    """A finished descent of 3 epochs."""
    home = tmp_path / "logs" / "lens" / "version_0"
    (home / "images" / "object").mkdir(parents=True)
    lines = [{"step": i, "time": 0.1, "loss/total": 1 / i, "white/object": 1.0} for i in (1, 2, 3)]
    (home / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    np.save(home / "images" / "object" / "00000003.npy", np.ones((4, 5), np.complex64))
    (home / "config.yaml").write_text("epochs: 3\nnote: <b>\n")
    return home


def test_a_whole_run_has_curves_images_and_configuration_and_no_notes(folder, tmp_path):
    found = view.run(folder)
    steps, values = found.files.curves["loss/total"]
    np.testing.assert_allclose((steps, values), ([1, 2, 3], [1, 1 / 2, 1 / 3]))
    assert [step for step, _ in found.files.images["object"]] == [3]
    assert found.files.notes == ()
    found.to_html(tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text()
    assert page.count("data:image/png") == 2  # the loss and the object; no figure of `white`
    assert "note: &lt;b&gt;" in page
    assert "http" not in page
    found.save(tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes()[:4] == b"\x89PNG"


def test_training_and_validation_share_a_plot_that_names_no_folder(folder):
    with (folder / "metrics.jsonl").open("a") as file:
        for i in (4, 5):
            tags = {"train/psnr": 30 + i, "val/psnr": 29 + i, "test/psnr": 1.0, "epoch": i}
            file.write(json.dumps({"step": i, "time": 0.1, **tags}) + "\n")
    viewer = view.run(folder)
    titles = {a.get_title(): len(a.lines) for a in viewer._figure().axes}
    assert titles == {"loss": 1, "psnr": 2, "test": 1}
    assert viewer.title == "lens/version_0"
    assert str(folder) not in viewer._repr_html_()


def test_the_last_image_is_shown_with_its_step(folder):
    np.save(folder / "images" / "object" / "00000001.npy", np.ones((4, 5)))
    assert "<figcaption>object, step 3" in view.run(folder)._repr_html_()


def aged(folder, seconds):
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("age", "note"), [(0, "Still being written"), (600, "Ended early or was cut off")]
)
def test_a_run_that_goes_on_and_one_that_was_cut_off(folder, age, note):
    (folder / "config.yaml").write_text("epochs: 9\n")
    aged(folder, age)
    (line,) = view.run(folder).files.notes
    assert line.startswith(note)
    assert "at step 3 of 9" in line
    assert line in view.run(folder)._repr_html_()


def test_a_checkpoint_that_was_just_written_tells_that_a_run_goes_on(folder):
    (folder / "config.yaml").write_text("epochs: 9\n")
    aged(folder, 600)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    (line,) = view.run(folder).files.notes
    assert line.startswith("Still being written")


def test_results_are_the_end_and_a_missing_configuration_is_told(folder):
    (folder / "results.json").write_text("{}")
    (folder / "config.yaml").write_text("epochs: 9\n")
    assert view.run(folder).files.notes == ()
    (folder / "config.yaml").unlink()
    assert view.run(folder).files.notes == ("No config.yaml: how the run was made is not known.",)


def test_torn_files_are_left_out_and_named(folder):
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 4, "loss/\xc3')  # half a letter
    (folder / "images" / "object" / "00000004.npy").write_bytes(b"\x93NUMPY")
    found = view.run(folder).files
    assert len(found.curves["loss/total"][0]) == 3
    assert len(found.images["object"]) == 1
    assert found.notes == (
        "1 line(s) of metrics.jsonl cannot be read: left out.",
        "object/00000004.npy cannot be read: left out.",
    )


def test_values_that_are_not_finite_are_gaps(folder, tmp_path):
    (folder / "metrics.jsonl").write_text('{"step": 3, "time": 1, "loss/total": null}\n')
    found = view.run(folder)
    assert np.isnan(found.files.curves["loss/total"][1]).all()
    found.to_html(tmp_path / "run.html")


def test_the_newest_version_and_what_there_is_instead(folder, tmp_path):
    for name in ("version_9", "version_10"):
        newer = folder.with_name(name)
        newer.mkdir()
        (newer / "config.yaml").write_text("")
    found = view.run(folder.parent)
    assert found.files.folder == newer
    assert "3 versions: version_10 is shown." in found.files.notes
    with pytest.raises(ValueError, match="must have logged something"):
        found.save(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match=r"There are .*version_0"):
        view.run(tmp_path / "logs")
    with pytest.raises(FileNotFoundError, match=r"must be a run folder.*nowhere'\.$"):
        view.run(tmp_path / "nowhere")
