"""The site builds without a warning, links right, has all public names, and needs no network."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings_handlers.python")
pytest.importorskip("latex2mathml")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
sys.path.insert(0, str(DOCS))

import gallery  # noqa: E402
from hooks import api_pages, mathml  # noqa: E402

sys.path.remove(str(DOCS))


def pages_of(nav):
    for item in nav:
        for value in item.values():
            yield from pages_of(value) if isinstance(value, list) else [value]


def test_navigation_has_every_page_once():
    nav = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    written = {p.name for p in DOCS.glob("*.md")}
    made = {f"api/{name}.md" for name in api_pages.public_modules()}
    assert set(nav) == written | made
    assert len(nav) == len(set(nav))


def test_the_gallery_has_every_example_as_it_is_now():
    shown = gallery.sections(gallery.PAGE.read_text())
    assert list(shown) == [e.stem for e in EXAMPLES]
    for example in EXAMPLES:
        made_from, text = shown[example.stem]
        again = f"run `python docs/gallery.py {example.stem}`"
        assert made_from == gallery.fingerprint(example), f"{example.name} has changed: {again}"
        assert "\n- " in text
        assert (gallery.IMAGES / f"{example.stem}.png").stat().st_size < 500_000


def test_a_fingerprint_is_that_of_the_code(tmp_path):
    a, b, c = (tmp_path / f"{name}.py" for name in "abc")
    a.write_text("# %%\nx = 1  # one\n")
    b.write_text("x = (1)\n")
    c.write_text("x = 2\n")
    assert gallery.fingerprint(a) == gallery.fingerprint(b) != gallery.fingerprint(c)


def test_latex_becomes_mathml_and_unknown_commands_are_errors():
    found = mathml.on_page_content(r'<span class="arithmatex">\(x^2 &lt; y\)</span>')
    assert found.startswith("<math")
    assert "<msup><mi>x</mi><mn>2</mn></msup><mo>&#x0003C;</mo>" in found
    with pytest.raises(Exception, match="must know every command"):
        mathml.on_page_content(r'<div class="arithmatex">\[\unheard{x}\]</div>')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_public_name_is_explained(site):
    missing = []
    for name, path in api_pages.public_modules().items():
        page = (site / "api" / f"{name}.html").read_text()
        names = [f"reconic.{name}.{n}" for n in api_pages.public_names(path)]
        missing += [n for n in names if f'id="{n}"' not in page]
    assert missing == []  # they have no docstring


@pytest.mark.slow
def test_functions_are_not_taken_for_the_files_of_their_names(site):
    for module, name in (("solvers", "solvers.cg"), ("descent", "descent.ensemble")):
        page = (site / "api" / f"{module}.html").read_text()
        heading = page.partition(f'id="reconic.{name}"')[2][:200]
        assert "doc-symbol-function" in heading


@pytest.mark.slow
def test_private_names_are_left_out(site):
    for page in (site / "api").glob("*.html"):
        assert not re.search(r'id="reconic\.[\w.]*\._[a-z]', page.read_text()), page.name


@pytest.mark.slow
def test_docstrings_render(site):
    page = html.unescape((site / "api" / "systems.html").read_text())
    assert "(*batch, [set,] coil, *frames, *space)" in page  # neither emphasis nor link
    assert "Pruessmann et al., MRM 42:952 (1999), Eq. 2" in page
    assert re.search(r'<span class="n">n_space</span>.*?<span class="mi">2</span>', page, re.DOTALL)


@pytest.mark.slow
def test_benchmarks_and_changes_are_those_of_the_repository(site):
    assert "CG-SENSE against peers" in (site / "benchmarks.html").read_text()
    assert "Keep a Changelog" in (site / "changelog.html").read_text()


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    loaded = re.compile(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="?(https?://[^"> ]+)')
    found = {a for page in site.rglob("*.html") for a in loaded.findall(page.read_text())}
    assert not found
    assert not [s for s in site.rglob("*.css") if "url(http" in s.read_text()]
