"""The built pages: complete, described, and asking nothing of the network. Needs `make book`."""

import functools
import re

import notebooks
import pytest
from bs4 import BeautifulSoup

HTML = notebooks.ROOT / "_build" / "html"
OUTSIDE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
# What a browser follows by itself; an <a href> waits for a click, rel=canonical is only a name.
LOADED_LINKS = {
    "stylesheet",
    "preload",
    "prefetch",
    "modulepreload",
    "preconnect",
    "dns-prefetch",
    "icon",
    "manifest",
}
IN_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
IN_SCRIPT = re.compile(
    r"""(?:import|fetch|importScripts)\s*\(\s*["'`]((?:https?:)?//[^"'`]+)"""
    r"""|\bfrom\s*["']((?:https?:)?//[^"']+)"""
)


def pages():
    found = sorted(HTML.rglob("*.html"))
    assert found, "There are no pages to check: make book"
    return [path for path in found if "_static" not in path.parts]


@functools.cache
def parsed(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def loads(page):
    """Addresses, local ones too, that a browser loads by itself with this page."""
    for tag in parsed(page).find_all(True):
        if tag.get("src"):
            yield tag["src"]
        if tag.name == "object" and tag.get("data"):
            yield tag["data"]
        if tag.get("srcset"):
            yield from (part.split()[0] for part in tag["srcset"].split(","))
        if tag.name == "link" and LOADED_LINKS & set(tag.get("rel", [])):
            yield tag["href"]
        yield from IN_CSS.findall(tag.get("style", ""))
        if tag.name == "style":
            yield from IN_CSS.findall(tag.text)
        if tag.name == "script" and not tag.get("src"):
            yield from (a or b for a, b in IN_SCRIPT.findall(tag.text))


def outside(folder):
    """Everything under a folder of pages that comes from the network, as lines of text."""
    found = [
        f"{page.name} loads {address}"
        for page in sorted(folder.rglob("*.html"))
        for address in loads(page)
        if OUTSIDE.match(address)
    ]
    found += [
        f"{sheet.name} loads {address}"
        for sheet in sorted(folder.rglob("*.css"))
        for address in IN_CSS.findall(sheet.read_text(encoding="utf-8"))
    ]
    return found


def test_the_book_asks_nothing_of_the_network():
    assert pages() and outside(HTML) == []


def test_what_the_pages_load_is_there():
    for page in pages():
        for address in loads(page):
            file = address.partition("?")[0].partition("#")[0]
            if file and not file.startswith("data:"):
                assert (page.parent / file).exists(), f"{page.name} loads {file}"


def test_formulas_are_set_by_the_books_own_mathjax():
    mathjax = HTML / "_static" / "mathjax"
    assert (mathjax / "tex-mml-chtml.js").stat().st_size > 1_000_000
    assert len(list(mathjax.glob("output/chtml/fonts/woff-v2/*.woff"))) > 20
    for page in pages():
        if parsed(page).select(".math"):
            sources = [script["src"] for script in parsed(page).select("script[src]")]
            assert any("mathjax/tex-mml-chtml.js" in source for source in sources), page.name


def test_no_page_runs_thebe_whose_script_fails():
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert "THEBE_JS_URL" not in text and "sphinx-thebe.js" not in text, page.name


def test_every_page_of_the_book_was_built():
    for path in notebooks.pages():
        page = (HTML / path.relative_to(notebooks.ROOT)).with_suffix(".html")
        assert page.exists(), f"{page} is missing: make book"


def test_every_picture_says_what_to_see():
    for page in pages():
        for image in parsed(page).select("article img"):
            assert image.get("alt", "").strip(), f"{page.name}: {image}"


def test_alt_texts_of_outputs_reach_the_page():
    for path in notebooks.pages(".ipynb"):
        page = (HTML / path.relative_to(notebooks.ROOT)).with_suffix(".html")
        shown = {image.get("alt") for image in parsed(page).select("article img")}
        for cell in notebooks.read(path).cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    assert output.metadata["image/png"]["alt"] in shown, path.name


def test_a_chapter_opens_in_colab():
    for path in notebooks.pages(".ipynb"):
        page = (HTML / path.relative_to(notebooks.ROOT)).with_suffix(".html")
        links = [link["href"] for link in parsed(page).select("a[href*='colab']")]
        assert any(link.endswith(f"/blob/main/book/{path.name}") for link in links), path.name


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.html", '<script src="https://host/a.js"></script>'),
        ("a.html", '<img src="//host/a.png">'),
        ("a.html", '<img srcset="a.png 1x, https://host/b.png 2x">'),
        ("a.html", '<link rel="stylesheet" href="https://host/a.css">'),
        ("a.html", '<link rel="preload" as="font" href="https://host/a.woff">'),
        ("a.html", '<style>@import "https://host/a.css";</style>'),
        ("a.html", '<p style="background: url(https://host/a.png)">'),
        ("a.html", '<script type="module">import("https://host/a.mjs")</script>'),
        ("a.html", '<script type="module">import m from "https://host/a.mjs"</script>'),
        ("a.css", "@font-face { src: url('https://host/a.woff2') }"),
        ("a.css", "@import url(//host/a.css);"),
    ],
)
def test_what_comes_from_outside_is_found(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    [problem] = outside(tmp_path)
    assert problem.startswith(f"{name} loads ") and "//host/" in problem


@pytest.mark.parametrize(
    "text",
    [
        '<a href="https://host/">a link</a>',
        '<link rel="canonical" href="https://host/a.html">',
        '<script src="../_static/a.js"></script><img src="data:image/png;base64,AA">',
        '<script>const address = "https://host/a.js"</script>',
        "<style>p { background: url(a.png) }</style>",
    ],
)
def test_what_stays_inside_or_waits_for_a_click_passes(tmp_path, text):
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    assert outside(tmp_path) == []
