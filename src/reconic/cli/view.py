"""`reconic view`: look at a file or a run."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path

from reconic import view
from reconic.cli.console import say
from reconic.cli.spelling import make_parser, parse
from reconic.view import RunViewer, Viewer
from reconic.view.files import open_array
from reconic.view.opened import Kind, Opened
from reconic.view.terminal import picture_codes, terminal_protocol

_PATH = """.npy, .npz, .h5 (raw data of ISMRMRD too), .cfl, .nii, .tiff or .zarr; or a run folder,
such as logs/NAME/version_0 or logs/NAME."""
_KEY = "Data set of a file that holds several."
_KIND = """What it shows; by default what the name of the data set or file says (ksp, maps, traj),
else a volume."""
_NAMED: dict[str, Kind] = {
    "ksp": "kspace",
    "kspace": "kspace",
    "maps": "maps",
    "traj": "trajectory",
}
_OUT = """Picture to write instead of a page: .png, .gif, .mp4 or .tiff; of a run .png, .svg or
.pdf. With .html it is a page."""


def run(argv: list[str]) -> None:
    """Write a page or a picture, show it, and print where it is."""
    parser = make_parser("view", "Look at the arrays of a file, or at a run.", config=False)
    parser.add_argument("path", type=str, help=_PATH)
    parser.add_argument("--key", type=str | None, default=None, help=_KEY)
    parser.add_argument("--kind", type=Kind | None, default=None, help=_KIND)
    parser.add_argument("--html", type=str | None, default=None, help="Page to write and keep.")
    parser.add_argument("--out", type=str | None, default=None, help=_OUT)
    parser.add_argument("--no-open", action="store_true", help="Write only; open no browser.")
    options = parse(parser, argv)
    if options.out is not None and Path(options.out).suffix in (".html", ".htm"):
        options.html, options.out = options.html or options.out, None
    viewer = _viewer(options.path, options.key, options.kind)
    notes = viewer.files.notes if isinstance(viewer, RunViewer) else viewer.scene.notes
    for note in notes:
        say(f"note: {note}")
    if options.out is not None:
        viewer.save(options.out)
        say(options.out)
    if options.html is not None or options.out is None:
        _page(viewer, options.html, not options.no_open)


def _viewer(path: str, key: str | None, kind: Kind | None) -> Viewer | RunViewer:
    """Viewer of a run folder, or of an array in a file."""
    if Path(path).is_dir() and not path.rstrip("/").endswith(".zarr"):
        return view.run(path)
    found = open_array(path, key)
    kind = kind or found.kind or _NAMED.get((key or Path(path).stem).rpartition("/")[2], "volume")
    made = _seen(found, kind, Path(path).name)
    return Viewer(replace(made.scene, notes=(*found.notes, *made.scene.notes)))


def _seen(found: Opened, kind: Kind, title: str) -> Viewer:
    """Viewer of an array, as what it is."""
    n = len(found.array.shape)
    spacing = None if found.spacing is None else found.spacing[-min(3, n) :]
    match kind:
        case "trajectory":
            return view.trajectory(found.array, data=found.samples)
        case "kspace":
            usual = ("example", "coil", "ky", "kx") if n == 4 else None  # of files of training
            return view.kspace(found.array, title=title, axes=found.axes or usual)
        case "maps":
            return view.maps(found.array, coil=max(n - 3, 0))
        case "complex":
            return view.complex(found.array, spacing=spacing)
        case "volume":
            return view.volume(found.array, title=title, spacing=spacing, axes=found.axes)


def _page(viewer: Viewer | RunViewer, path: str | None, show: bool) -> None:
    """Write a page; show it in the terminal where that takes pictures, else in a browser."""
    protocol = terminal_protocol() if sys.stdout.isatty() and path is None else None
    if protocol is not None and isinstance(viewer, Viewer):
        say(picture_codes(viewer.png(), protocol))
    if path is None:
        path = str(Path(tempfile.mkdtemp(prefix="reconic-view-"), "view.html"))
    viewer.to_html(path)
    say(path)
    if show and protocol is None and not webbrowser.open(Path(path).resolve().as_uri()):
        say("No browser was found: open the page yourself, or write a picture by --out FILE.png.")
