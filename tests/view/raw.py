"""Files of raw data as ISMRMRD 1.x lays them out, written with h5py alone."""

import h5py
import numpy as np

XML = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>{x}</x><y>{y}</y><z>{z}</z></matrixSize></encodedSpace>
<encodingLimits><kspace_encoding_step_1><center>{centre}</center></kspace_encoding_step_1>
</encodingLimits></encoding></ismrmrdHeader>"""
IDX = [(name, "u2") for name in (
    "kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase",
    "repetition", "set", "segment")]  # fmt: skip
HEAD = np.dtype([
    ("version", "u2"), ("flags", "u8"), ("measurement_uid", "u4"), ("scan_counter", "u4"),
    ("acquisition_time_stamp", "u4"), ("physiology_time_stamp", "u4", 3),
    ("number_of_samples", "u2"), ("available_channels", "u2"), ("active_channels", "u2"),
    ("channel_mask", "u8", 16), ("discard_pre", "u2"), ("discard_post", "u2"),
    ("center_sample", "u2"), ("encoding_space_ref", "u2"), ("trajectory_dimensions", "u2"),
    ("sample_time_us", "f4"), ("position", "f4", 3), ("read_dir", "f4", 3),
    ("phase_dir", "f4", 3), ("slice_dir", "f4", 3), ("patient_table_position", "f4", 3),
    ("idx", [*IDX, ("user", "u2", 8)]), ("user_int", "i4", 8), ("user_float", "f4", 8),
])  # fmt: skip
FLOATS = h5py.vlen_dtype(np.float32)


def write_raw(path, readouts, matrix=(1, 8, 10), centre=None):
    """Write readouts: dicts of `data` (coil, sample), `traj` (sample, ndim), `flag`, of counters by
    their names and of fields of the head; `matrix` is (z, y, x)."""
    records = np.zeros(len(readouts), [("head", HEAD), ("traj", FLOATS), ("data", FLOATS)])
    for record, given in zip(records, readouts, strict=True):
        fields = dict(given)
        data = np.ascontiguousarray(fields.pop("data"), np.complex64)
        traj = np.asarray(fields.pop("traj", np.zeros((0, 0))), np.float32)
        record["data"], record["traj"] = data.view(np.float32).ravel(), traj.ravel()
        head = record["head"]
        head["active_channels"], head["number_of_samples"] = data.shape
        head["trajectory_dimensions"] = traj.shape[1]
        head["flags"] = sum(1 << (number - 1) for number in fields.pop("flags", ()))
        for name, value in fields.items():
            (head if name in HEAD.names else head["idx"])[name] = value
    z, y, x = matrix
    text = XML.format(x=x, y=y, z=z, centre=y // 2 if centre is None else centre)
    with h5py.File(path, "w") as file:
        file.create_dataset("dataset/data", data=records, maxshape=(None,), chunks=(1,))
        file["dataset/xml"] = np.array([text.encode()], h5py.string_dtype())
