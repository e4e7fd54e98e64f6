"""A page in a browser, opened from disk as a reader would."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

THEMES = ["light", "dark"]

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


def chromium():
    """The path of the system's Chromium. Without one: skip; in continuous integration, fail."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        text = "There is no Chromium or Chrome on the PATH; on Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
    return path


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
