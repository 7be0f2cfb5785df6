"""Files inside packages are found without importing them; what is missing is named."""

import subprocess
import sys

import numpy as np
import pytest

from reconic.simulate.sources import PHOTOGRAPHS, load_photograph, load_sagittal, package_file


def test_a_missing_package_names_the_extra():
    with pytest.raises(
        ImportError, match=r'not installed. Install it: pip install "reconic\[data\]"'
    ):
        package_file("no_such_package/picture.png")


def test_a_missing_file_names_the_package():
    with pytest.raises(ImportError, match=r"need numpy, which has no file picture\.png"):
        package_file("numpy/picture.png")


def test_photographs_are_colour_images_and_listed_once():
    pytest.importorskip("skimage", reason="the photographs ship inside scikit-image")
    assert len(set(PHOTOGRAPHS)) == len(PHOTOGRAPHS)
    for name in PHOTOGRAPHS:
        image = load_photograph(name)
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert min(image.shape[:2]) >= 100


def test_sagittal_head_is_bright_inside_and_dark_in_air():
    head = load_sagittal()
    assert head.shape == (256, 256)
    assert 0.9 < head.max() <= 1
    assert head[:20, :20].max() < 0.05 < 0.3 < head[60:140, 80:160].mean()


def test_packages_are_not_imported():
    code = (
        "import sys; from reconic.simulate.sources import package_file\n"
        "package_file('matplotlib/mpl-data/sample_data/s1045.ima.gz')\n"
        "heavy = {'matplotlib', 'nilearn', 'skimage', 'sklearn', 'torch', 'jax'}\n"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
