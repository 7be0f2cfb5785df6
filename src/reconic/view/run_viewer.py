"""Curves, images and configuration of a run folder, in a notebook, as a page or as a picture."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reconic.io.atomic import atomic_path
from reconic.view.figures import Curve, histories_figure, save_figure
from reconic.view.figures.style import middle
from reconic.view.panels import to_grey
from reconic.view.picture import png_bytes
from reconic.view.run_files import RunFiles, read_run

__all__ = ["RunViewer", "image_tag", "picture", "run"]

_HIDDEN = ("white", "time", "epoch")  # groups of tags that are bookkeeping
_STYLE = """.rc-run{font:14px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:75rem;
padding:1rem}.rc-run img{max-width:100%}.rc-run figure{display:inline-block;margin:.4rem;
vertical-align:top}.rc-run figcaption{font-size:12px}.rc-run pre{background:#f5f5f5;padding:.6rem;
overflow:auto;font-size:12px}.rc-run .note{background:#fff3cd;padding:.3rem .6rem;margin:.2rem 0}"""


def run(folder: str | Path) -> RunViewer:
    """Look at a run of either engine: its curves, images, figures and configuration.

    A run that goes on, or was cut off, is shown as far as it is written, with a line that says so.

    Args:
        folder: `logs/NAME/version_N`, or `logs/NAME` for its newest version.

    Raises:
        FileNotFoundError: If there is no run.
    """
    return RunViewer(read_run(folder))


class RunViewer:
    """What `run` returns: as the last line of a notebook's cell it shows itself.

    Attributes:
        files: What the run folder held.
    """

    def __init__(self, files: RunFiles) -> None:
        self.files = files

    def to_html(self, path: str | Path) -> None:
        """Write a page that stands alone: it needs neither kernel nor network."""
        title = html.escape(self.title)
        page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        with atomic_path(Path(path)) as temporary:
            temporary.write_text(f"{page}{self._repr_html_()}</html>\n", encoding="utf-8")

    def save(self, path: str | Path) -> None:
        """Save the figure of curves; the ending is the format.

        Raises:
            ValueError: If nothing has been logged yet, or the ending is unknown.
        """
        figure = self._figure()
        if figure is None:
            raise ValueError(
                f"view.run: {self.files.folder} must have logged something to draw, got nothing. "
                "Wait for the first entry, or write a page."
            )
        save_figure(figure, path)

    @property
    def title(self) -> str:
        """Name of the run, without where it is."""
        return "/".join(self.files.folder.resolve().parts[-2:])

    def _figure(self) -> Figure | None:
        """Curves over the steps: those of training and validation together, terms of a loss too."""
        groups: dict[str, dict[str, Curve]] = {}
        for tag, curve in self.files.curves.items():
            group, _, name = tag.partition("/")
            if group in ("train", "val"):
                group, name = name, group
            if group not in _HIDDEN:
                groups.setdefault(group, {})[name] = curve
        several = {g: c for g, c in groups.items() if any(len(x) > 1 for x, _ in c.values())}
        return histories_figure(several or groups) if groups else None

    def _repr_html_(self) -> str:
        files = self.files
        parts = [f"<h2>{html.escape(self.title)}</h2>"]
        parts += [f"<div class=note>{html.escape(note)}</div>" for note in files.notes]
        figure = self._figure()
        parts += [] if figure is None else [image_tag(_png_of(figure), "")]
        for name, series in files.images.items():
            step, image = series[-1]
            parts.append(image_tag(picture(image), f"{name}, step {step}"))
        parts += [image_tag(path.read_bytes(), path.stem) for path in files.figures]
        for title, text in (("Results", files.results), ("Configuration", files.config)):
            if text:
                parts.append(f"<h3>{title}</h3><pre>{html.escape(text)}</pre>")
        return f"<style>{_STYLE}</style><div class=rc-run>{''.join(parts)}</div>"

    def __repr__(self) -> str:
        notes = "".join(f"\n{note}" for note in self.files.notes)
        return f"<Run {self.files.folder}: {len(self.files.curves)} curves>{notes}"


def picture(image: np.ndarray) -> bytes:
    """PNG of the magnitude of the middle plane; what is not finite is black."""
    plane = np.asarray(middle(image))
    return png_bytes(to_grey(np.where(np.isfinite(plane), plane, 0)))


def _png_of(figure: Figure) -> bytes:
    """PNG of a figure, at the resolution of a screen."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def image_tag(data: bytes, caption: str, kind: str = "png") -> str:
    """A picture inside HTML, with its caption; `kind` is "png" or "svg+xml"."""
    text = base64.b64encode(data).decode()
    name = html.escape(caption)
    words = f"<figcaption>{name}</figcaption>" if name else ""
    return f'<figure><img src="data:image/{kind};base64,{text}" alt="{name}">{words}</figure>'
