"""Runs the examples, and makes the gallery of the docs from what they print and draw.

    python docs/gallery.py              all examples
    python docs/gallery.py lensless     one; the others stay as they are

Each runs in an empty folder. Those that can use measured data are told where they are by variables
of the environment, and simulate else; see the examples.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
PAGE, IMAGES = DOCS / "gallery.md", DOCS / "images" / "gallery"
_SIDE = 1000  # pixels at most
_HEAD = """# Gallery

Each of these is one script of less than 120 lines in `examples/`, and ends by asserting its own
error. What stands here is what it printed and drew. `tensorboard --logdir logs` shows its descent.
"""
_SECTION = re.compile(r"^<!-- (\w+) (\w+) -->\n.*?(?=^<!-- |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Outcome:
    """What an example printed, and the figure that it drew."""

    lines: list[str]
    figure: Path


def run(example: Path, folder: Path) -> Outcome:
    """Run an example in a folder.

    Raises:
        CalledProcessError: If it fails.
    """
    command = [sys.executable, str(example)]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    figures = [line.removeprefix("figure: ") for line in lines if line.startswith("figure: ")]
    return Outcome([line for line in lines if not line.startswith("figure: ")], folder / figures[0])


def section(example: Path, lines: list[str]) -> str:
    """Markdown of an example: title, problem, picture and what was printed."""
    title, problem = _introduction(example.read_text(encoding="utf-8"))
    printed = "\n".join(f"- {line}" for line in lines)
    return (
        f"<!-- {example.stem} {fingerprint(example)} -->\n## {title}\n\n{problem}\n\n"
        f"![{title}](images/gallery/{example.stem}.png)\n\n{printed}\n\n"
        f"`python examples/{example.name}`\n"
    )


def fingerprint(example: Path) -> str:
    """Hash of an example's code; comments and layout do not count."""
    tree = ast.dump(ast.parse(example.read_text(encoding="utf-8")))
    return hashlib.sha256(tree.encode()).hexdigest()[:12]


def sections(page: str) -> dict[str, tuple[str, str]]:
    """Fingerprint and Markdown of each section of a gallery, by the example's name."""
    return {m[1]: (m[2], m[0].rstrip() + "\n") for m in _SECTION.finditer(page)}


def _introduction(source: str) -> tuple[str, str]:
    """Title of an example, and the paragraphs below it, from its first cell."""
    cell = source.split("# %%\n")[0].splitlines()[1:]
    title, *paragraphs = "\n".join(line.removeprefix("#").strip() for line in cell).split("\n\n")
    return title.removeprefix("# "), "\n\n".join(paragraphs).strip()


def _shrink(figure: Path, target: Path) -> None:
    """Save a figure with fewer pixels and colours."""
    image = Image.open(figure).convert("RGB")
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    image.quantize(128).save(target, optimize=True)


def main(names: list[str]) -> None:
    """Run the examples of these names, or all, and write the page."""
    known = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    made = {name: text for name, (_, text) in known.items()}
    IMAGES.mkdir(parents=True, exist_ok=True)
    examples = sorted(EXAMPLES.glob("*.py"))
    for example in [e for e in examples if not names or e.stem in names]:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(example, Path(folder))
            _shrink(outcome.figure, IMAGES / f"{example.stem}.png")
        made[example.stem] = section(example, outcome.lines)
    shown = [made[e.stem] for e in examples if e.stem in made]
    PAGE.write_text("\n".join([_HEAD, *shown]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
