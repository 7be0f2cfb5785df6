"""Read damaged HDF5 files: `python fuzz_files.py FIRST STOP FOLDER`, in a process that may crash.

Prints each error that is none of a reader's own, which name the reader and what to do.
"""

import io
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from tiny import tiny_arrays

from reconic.io import read_kspace
from reconic.train import ReconDataset

MEMORY = 8 << 30  # bytes of address space, torch included
SECONDS = 20  # of computing for one file; a whole one takes milliseconds


def whole_files() -> list[bytes]:
    """Tiny files: contiguous, compressed, and with k-space alone."""
    arrays = tiny_arrays(2, shape=(8, 6), n_coils=2, centre=2)
    compressed = {"compression": "gzip", "shuffle": True}
    contents = []
    for keys, options in ((arrays, {}), (arrays, compressed), (["ksp"], compressed)):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            for key in keys:
                chunks = (1, *arrays[key].shape[1:]) if options else None
                file.create_dataset(key, data=arrays[key], chunks=chunks, **options)
        contents.append(buffer.getvalue())
    return contents


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, or with some bytes or bits changed, perhaps in the first of the header alone."""
    kind, n = rng.integers(4), rng.integers(1, 9)
    data = np.frombuffer(content, np.uint8).copy()
    if kind == 0:
        return content[: rng.integers(len(content))]
    places = rng.integers(0, 2048 if kind == 1 else len(data), n)
    if kind == 3:
        data[places] ^= (1 << rng.integers(0, 8, n)).astype(np.uint8)
    else:
        data[places] = rng.integers(0, 256, n)
    return data.tobytes()


def failures(path: Path) -> Iterator[str]:
    """What goes wrong when a file is read, other than that it is refused."""
    readers = {
        "ReconDataset": lambda: [ReconDataset(path)[i] for i in (0, 1)],
        "ReconDataset: espirit": lambda: ReconDataset(path, maps="espirit"),
        "read_kspace": lambda: read_kspace(path, 1),
    }
    for name, read in readers.items():
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            read()
        except (ValueError, KeyError, TypeError, IndexError) as error:
            if name.split(":")[0] not in str(error):
                yield f"{name}: {type(error).__name__}: {error}"
        except Exception as error:
            yield f"{name}: {type(error).__name__}: {error}"


def main(first: int, stop: int, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    contents = whole_files()
    for seed in range(first, stop):
        rng = np.random.default_rng(seed)
        path = folder / f"{first}.h5"
        path.write_bytes(damaged(contents[seed % len(contents)], rng))
        for failure in failures(path):
            print(seed, failure, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
