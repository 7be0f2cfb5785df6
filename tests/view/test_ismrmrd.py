"""Raw data of ISMRMRD, written here by its description, and looked at."""

import numpy as np
import pytest
from view.raw import write_raw

from reconic.simulate import radial
from reconic.view.files import open_array

COILS, NY, NX = 3, 8, 10


@pytest.fixture
def y(normal):
    return normal(COILS, NY, NX).astype(np.complex64)


def lines(y, **fields):
    return [{"data": y[:, k], "kspace_encode_step_1": k, **fields} for k in range(y.shape[1])]


def whole(array):
    return array[(slice(None),) * len(array.shape)]


def test_lines_go_to_their_places(tmp_path, y):
    write_raw(tmp_path / "a.h5", lines(y)[::-1])
    found = open_array(tmp_path / "a.h5")
    assert (found.kind, found.axes, found.notes) == ("kspace", ("coil", "ky", "kx"), ())
    assert np.array_equal(whole(found.array), y)
    for key in [(1, 2, 3), (1, slice(None), 3), (slice(None), 2, slice(1, 9, 2))]:
        assert np.array_equal(found.array[key], y[key])


def test_axes_beside_those_of_kspace(tmp_path, y):
    readouts = [
        {**line, "data": (1 + t + 10 * z) * line["data"]}
        for t in range(2)
        for z in range(4)
        for line in lines(y, repetition=t, kspace_encode_step_2=z)[:: 1 + t]
    ]
    write_raw(tmp_path / "a.h5", readouts, matrix=(4, NY, NX))
    found = open_array(tmp_path / "a.h5")
    assert found.axes == ("coil", "t", "kz", "ky", "kx")
    assert found.array.shape == (COILS, 2, 4, NY, NX)
    assert np.allclose(whole(found.array)[:, 0, 3], 31 * y, rtol=1e-6)
    wanted = np.where(np.arange(NY)[:, None] % 2, 0, 2 * y)  # every other line was acquired
    assert np.allclose(whole(found.array)[:, 1, 0], wanted, rtol=1e-6)


def test_the_centre_is_where_an_fft_looks_for_it(tmp_path, y):
    partial = [{**line, "data": line["data"][:, 3:], "center_sample": NX // 2 - 3}
               for line in lines(y[:, 2:])]  # fmt: skip
    write_raw(tmp_path / "a.h5", partial, centre=NY // 2 - 2)
    seen = whole(open_array(tmp_path / "a.h5").array)
    assert np.array_equal(seen[:, 2:, 3:], y[:, 2:, 3:])
    assert not seen[:, :2].any()
    assert not seen[:, :, :3].any()


def test_steps_beyond_the_matrix_make_it_larger(tmp_path, y):
    write_raw(tmp_path / "a.h5", lines(y), matrix=(1, 4, 6), centre=0)
    assert np.array_equal(whole(open_array(tmp_path / "a.h5").array), y)


def test_readouts_that_go_backwards_are_turned(tmp_path, y):
    odd = [{**line, "data": line["data"][:, ::-1], "flags": [22]} for line in lines(y)[1::2]]
    write_raw(tmp_path / "a.h5", [*lines(y)[::2], *odd])
    assert np.array_equal(whole(open_array(tmp_path / "a.h5").array), y)


def test_noise_is_left_out_and_told(tmp_path, y):
    noise = {"data": np.ones((COILS, 40)), "flags": [19, 25]}
    write_raw(tmp_path / "a.h5", [noise, *lines(y)])
    found = open_array(tmp_path / "a.h5")
    assert np.array_equal(whole(found.array), y)
    assert found.notes == ("1 of 9 readouts are not of the image: left out.",)


@pytest.mark.parametrize("scale", [1, 1 / (2 * np.pi), 10 / (2 * np.pi), 1e3])
def test_a_trajectory_and_its_data(tmp_path, normal, scale):
    traj = np.asarray(radial(5, 16)).reshape(5, 16, 2)
    data = normal(5, COILS, 16)
    readouts = [{"data": d, "traj": scale * k[:, ::-1]} for d, k in zip(data, traj, strict=True)]
    write_raw(tmp_path / "a.h5", readouts)
    found = open_array(tmp_path / "a.h5")
    assert found.kind == "trajectory"
    assert np.allclose(found.array, traj, atol=1e-6 if scale < 1e3 else 0.4)  # drawn to fit
    assert np.allclose(found.samples, np.linalg.norm(data, axis=1), rtol=1e-6)
    assert "Trajectory up to" in found.notes[-1]


def test_what_cannot_be_shown_tells_why(tmp_path, y):
    write_raw(tmp_path / "a.h5", [{"data": y[:, 0], "flags": [19]}])
    with pytest.raises(ValueError, match=r"readouts of an image, .* got noise, navigators"):
        open_array(tmp_path / "a.h5")
    write_raw(tmp_path / "a.h5", [*lines(y), {"data": y[:2, 0]}])
    with pytest.raises(ValueError, match=r"all of as many coils, got coils \[2, 3\]"):
        open_array(tmp_path / "a.h5")
