"""The built pages in a browser. Needs `make book`, Chromium."""

import notebooks
import pytest
from visits import COLOURS, OPTIONS, THEMES, UNSET, Visit, chromium

HTML = notebooks.ROOT / "_build" / "html"
# The explorer that a chapter shows, and where the keyboard operates it.
EXPLORERS = {
    "patchgan": (".explorer-field", "svg.map"),
    "normalization": (".explorer-axes", "td[tabindex='0']"),
}


def built(path):
    return (HTML / path.relative_to(notebooks.ROOT)).with_suffix(".html")


@pytest.mark.parametrize("path", notebooks.pages(), ids=lambda path: path.stem)
def test_a_page(browser, path, subtests):
    """All on one visit, since a page takes seconds to open; at its end, what the visit left."""
    visit = Visit(browser, built(path))
    with subtests.test("formulas are set"):
        assert visit.page.evaluate(UNSET) == []
    with subtests.test("light and dark follow the reader's system"):
        for theme in [*reversed(THEMES), *THEMES]:
            visit.turn(theme)
            assert visit.page.evaluate("document.documentElement.dataset.theme") == theme
    if path.stem in EXPLORERS:
        with subtests.test("the explorer answers the keyboard"):
            root, focus = EXPLORERS[path.stem]
            explorer = visit.page.locator(root)
            assert explorer.count() == 1, "plots.explorer is not on this page, or twice"
            before = explorer.inner_text()
            explorer.locator(focus).press("ArrowDown")
            after = explorer.inner_text()
            assert after != before
            explorer.locator(focus).press("ArrowUp")
            assert explorer.inner_text() == before
    for theme in THEMES:
        with subtests.test("nobody is kept out", theme=theme):
            # Only colours depend on the theme.
            assert visit.violations(theme, OPTIONS if theme == "light" else OPTIONS | COLOURS) == []
    with subtests.test("nothing leaves the disk"):
        assert visit.outside == []
    with subtests.test("the browser reports no error"):
        assert visit.errors == []
    visit.context.close()


@pytest.mark.parametrize("name", EXPLORERS)
def test_the_chapters_with_an_explorer_are_in_the_book(name):
    assert name in {path.stem for path in notebooks.pages(".ipynb")}


# The checks themselves, each against a page with one fault.


@pytest.fixture
def look(browser, tmp_path):
    """look(html): a Visit to a page of one's own."""
    visits = []

    def look(body, **options):
        file = tmp_path / "page.html"
        file.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title>'
            f"<body><main><h1>A page</h1>{body}</main></body></html>",
            encoding="utf-8",
        )
        visits.append(Visit(browser, file, **options))
        return visits[-1]

    yield look
    for visit in visits:
        visit.context.close()


def test_a_page_in_order_passes(look):
    visit = look("<p>Nothing but a text, and <code>\\(x\\)</code>.</p>")
    assert visit.page.evaluate(UNSET) == [] and visit.violations("light") == []
    assert visit.outside == [] and visit.errors == []


@pytest.mark.parametrize(
    "body",
    [
        '<img alt="A picture" src="http://host.invalid/a.png">',
        '<script src="https://host.invalid/a.js"></script>',
        '<script>fetch("https://host.invalid/")</script>',
        '<script>new WebSocket("wss://host.invalid/")</script>',
    ],
)
def test_what_leaves_the_disk_is_noticed(look, body):
    visit = look(body)
    visit.page.wait_for_timeout(200)
    assert visit.outside and "host.invalid" in visit.outside[0]


@pytest.mark.parametrize(
    "body, text",
    [
        ("<script>nowhere()</script>", "nowhere is not defined"),
        ('<script>console.error("a complaint")</script>', "a complaint"),
        ('<img alt="A picture" src="missing.png">', "ERR_FILE_NOT_FOUND"),
    ],
)
def test_an_error_is_noticed(look, body, text):
    assert text in "".join(look(body).errors)


@pytest.mark.parametrize(
    "body",
    [
        '<p><span class="math">\\(x\\)</span></p>',
        '<p><span class="math">x</span></p>',
        "<p>A formula \\(x\\) that nothing sets.</p>",
        '<span class="math"><mjx-container><mjx-merror data-mjx-error="no">x</mjx-merror>'
        "</mjx-container></span>",
    ],
)
def test_a_formula_that_is_not_set_is_noticed(look, body):
    assert look(body).page.evaluate(UNSET) != []


@pytest.mark.parametrize(
    "formula, wrong",
    [
        (r"\hat x", False),
        (r"\undefined x", True),
        (r"\frac x", True),
    ],
)
def test_what_mathjax_does_not_understand_is_noticed(look, formula, wrong):
    script = (HTML / "_static/mathjax/tex-mml-chtml.js").as_uri()
    visit = look(f'<span class="math">\\({formula}\\)</span><script src="{script}"></script>')
    assert bool(visit.page.evaluate(UNSET)) == wrong


@pytest.mark.parametrize(
    "body, rule",
    [
        ('<p style="color: #999; background: #fff">Pale.</p>', "color-contrast"),
        ('<details><p style="color: #999; background: #fff">Pale.</p></details>', "color-contrast"),
        (
            '<div class="highlight"><pre><span class="k">in</span> <span class="k" style="color: '
            '#fff">in</span> <span class="n" style="color: #aaa">name</span></pre></div>',
            "color-contrast",
        ),
        (
            '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEA'
            'Ow==">',
            "image-alt",
        ),
        ("<label>Side</label><select><option>1</option></select>", "select-name"),
    ],
)
def test_what_keeps_readers_out_is_noticed(look, body, rule):
    assert [line for line in look(body).violations("light") if line.startswith(rule)]


def test_a_contrast_that_only_the_dark_theme_lacks_is_noticed(look):
    dark = "@media (prefers-color-scheme: dark) { p { color: #bbb } }"
    visit = look(f"<style>{dark}</style><p>A text.</p>")
    assert visit.violations("light") == []
    assert visit.violations("dark", OPTIONS | COLOURS) != []


def test_without_chromium_tests_are_skipped_but_in_ci_they_fail(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        chromium()
