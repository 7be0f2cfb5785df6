"""Images by method and slice, there and back."""

import numpy as np
import pytest

from reconic.track import ImageFile, read_image


def test_images_of_several_shapes(tmp_path, normal):
    path = tmp_path / "images.h5"
    a, b = normal(2, 3, 4).astype(np.complex64), normal(1, 5, 6).astype(np.complex64)
    with ImageFile.create(path) as images:
        images.add("modl", 0, a)
        images.add("modl", 2, b)
        np.testing.assert_array_equal(images.read("modl", 1), a[1])
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["images.h5"]
    np.testing.assert_array_equal(read_image(path, "modl", 2), b[0])
    assert read_image(path, "modl", 3) is None
    assert read_image(path, "other", 0) is None
    assert read_image(tmp_path / "none.h5", "modl", 0) is None


def test_a_file_that_is_not_kept_leaves_nothing(tmp_path):
    with ImageFile.create(tmp_path / "images.h5", keep=False) as images:
        images.add("a", 0, np.ones((1, 2, 2)))
    assert not any(tmp_path.iterdir())


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), ImageFile.create(tmp_path / "images.h5"):
        raise RuntimeError
    assert not any(tmp_path.iterdir())
