"""The built pages in a browser, opened from disk as a reader would. Needs `make book`, Chromium."""

import conftest
import notebooks
import pytest
from axe_playwright_python.sync_playwright import Axe

HTML = notebooks.ROOT / "_build" / "html"
THEMES = ["light", "dark"]
# The explorer that a chapter shows, and where the keyboard operates it.
EXPLORERS = {
    "patchgan": (".explorer-field", "svg.map"),
    "normalization": (".explorer-axes", "td[tabindex='0']"),
}

# Formulas that MathJax did not set or marked as wrong (a command that it does not know becomes red
# text), and delimiters that stand in plain text.
UNSET = """async () => {
    const formulas = [...document.querySelectorAll(".math")];
    if (formulas.length && window.MathJax?.startup) await MathJax.startup.promise;
    const unset = formulas.filter(f => !f.querySelector("mjx-container, mjx-assistive-mml"));
    const wrong = [...document.querySelectorAll(
        "mjx-merror, [data-mjx-error], mjx-mtext[style*='color: red']")];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const raw = [];
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (/\\\\[(\\[]/.test(data) && !parentElement.closest("pre, code, script, style"))
            raw.push(parentElement);
    }
    return [...unset, ...wrong, ...raw].map(
        element => (element.closest(".math") ?? element).textContent.slice(0, 80));
}"""

# Everything is opened, and what moves has come to rest: a text that fades in has no contrast yet.
# Contrast is measured element by element, which takes a minute where every word of the code is one:
# of its words, one of each colour stays.
PREPARE = """async () => {
    document.querySelectorAll("details").forEach(details => details.open = true);
    const seen = new Set();
    document.querySelectorAll(".highlight pre span").forEach(word => {
        const kind = word.closest("[class*=cell_]")?.className + " " + word.className;
        if (seen.has(kind)) word.replaceWith(...word.childNodes);
        seen.add(kind);
    });
    await new Promise(requestAnimationFrame);
    const moving = document.getAnimations().filter(a => a.effect.getTiming().iterations < Infinity);
    await Promise.allSettled(moving.map(animation => animation.finished));
}"""
# preload: axe reads style sheets by XMLHttpRequest, which no browser grants a file. They are only
# needed for rules on rotated screens.
OPTIONS = {"preload": False, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


class Visit:
    """A page opened from disk. `outside`: addresses it asked of a network, which it does not get;
    `errors`: what the browser's console reports as such."""

    def __init__(self, browser, file, **options):
        self.outside, self.errors = [], []
        self.context = browser.new_context(color_scheme="light", **options)
        self.context.on("request", self.note)
        self.context.route(self.is_outside, lambda route: route.abort())
        self.page = self.context.new_page()
        self.page.on("websocket", lambda socket: self.outside.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)
        self.page.goto(file.as_uri())

    @staticmethod
    def is_outside(address):
        return not address.startswith(("file:", "data:", "blob:"))

    def note(self, request):
        if self.is_outside(request.url):
            self.outside.append(request.url)

    def hear(self, message):
        if message.type == "error" and not self.is_outside(message.location.get("url", "file:")):
            self.errors.append(message.text)

    def turn(self, theme):
        """Let the reader's system be light or dark, and wait until the page has followed."""
        self.page.emulate_media(color_scheme=theme)
        # A page without the book's theme has nothing that could follow.
        self.page.wait_for_function(
            "theme => [undefined, theme].includes(document.documentElement.dataset.theme)",
            arg=theme,
        )
        self.page.evaluate("new Promise(requestAnimationFrame)")

    def violations(self, theme, options=OPTIONS):
        """What axe-core calls serious or critical, as lines of text."""
        self.turn(theme)
        self.page.evaluate(PREPARE)
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
            if node["impact"] in ("serious", "critical")
        ]


@pytest.fixture(scope="module", params=notebooks.pages(), ids=lambda path: path.stem)
def visit(browser, request):
    visit = Visit(browser, built(request.param))
    visit.name = request.param.stem
    yield visit
    visit.context.close()


def built(path):
    return (HTML / path.relative_to(notebooks.ROOT)).with_suffix(".html")


def test_formulas_are_set(visit):
    assert visit.page.evaluate(UNSET) == []


def test_light_and_dark_follow_the_readers_system(visit):
    for theme in [*reversed(THEMES), *THEMES]:
        visit.turn(theme)
        assert visit.page.evaluate("document.documentElement.dataset.theme") == theme


@pytest.mark.parametrize("theme", THEMES)
def test_nobody_is_kept_out(visit, theme):
    # Only colours depend on the theme.
    options = OPTIONS if theme == "light" else OPTIONS | COLOURS
    assert visit.violations(theme, options) == []


def test_the_chapters_explorer_answers_the_keyboard(visit):
    if visit.name not in EXPLORERS:
        pytest.skip("This page has no explorer.")
    root, focus = EXPLORERS[visit.name]
    explorer = visit.page.locator(root)
    assert explorer.count() == 1, "plots.explorer is not on this page, or twice"
    before = explorer.inner_text()
    explorer.locator(focus).press("ArrowDown")
    after = explorer.inner_text()
    assert after != before
    explorer.locator(focus).press("ArrowUp")
    assert explorer.inner_text() == before


# After all that was done on the page.
def test_nothing_leaves_the_disk(visit):
    assert visit.outside == []


def test_the_browser_reports_no_error(visit):
    assert visit.errors == []


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
            f"<body><main><h1>A page</h1>{body}</main></body></html>"
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
            '<div class="highlight"><pre><span class="k">in</span> <span class="k" '
            'style="color: #fff">in</span> <span class="n" style="color: #aaa">name</span></pre></div>',
            "color-contrast",
        ),
        (
            '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==">',
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
        conftest.chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        conftest.chromium()
