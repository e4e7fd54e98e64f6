"""The explorer `paint`: its network is the recorded one, and everybody can paint."""

import base64
import io
import re
import shutil

import notebooks
import numpy as np
import paint
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from visits import COLOURS, OPTIONS, THEMES, Visit

from companion import data, earth, recorded

HTML = paint.EXPLORER.read_text(encoding="utf-8")
EXAMPLES = paint.examples(HTML)
FIRST = next(iter(EXAMPLES.values()))
NAMES = list(earth.PALETTE)


@pytest.fixture(scope="module")
def network():
    """The recorded network with the weights of the explorer's file."""
    return paint.rounded(recorded.load(paint.RECORDING))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """site(html element's attributes, copies): the file of a page with the explorer."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static").mkdir()
    shutil.copy(paint.WEIGHTS, folder / "_static")

    def write(attributes='data-content_root="../"', copies=1):
        file = folder / "book" / f"{len(attributes)}-{copies}.html"
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            f'<!doctype html><html lang="en" {attributes}><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Paint</title>'
            f"<body><main><h1>Paint</h1>{HTML * copies}</main></body></html>",
            encoding="utf-8",
        )
        return file

    return write


@pytest.fixture(scope="module")
def visit(browser, site):
    visit = Visit(browser, site(), viewport={"width": 900, "height": 1400})
    yield visit
    assert visit.outside == [] and visit.errors == []
    visit.context.close()


@pytest.fixture
def page(visit):
    visit.page.set_viewport_size({"width": 900, "height": 1400})
    visit.page.reload()
    ready(visit.page)
    return visit.page


def ready(page):
    """Wait until the picture is that of the map."""
    page.wait_for_function(
        "[...document.querySelectorAll('.explorer-paint')].every(r => r.explorer.settled?.())"
    )
    page.locator("canvas.picture").first.wait_for()


def cells(page, which=0):
    found = page.evaluate(f"document.querySelectorAll('.explorer-paint')[{which}].explorer.cells()")
    return np.reshape(found, (64, 64))


def painted(page):
    ready(page)
    found = page.evaluate("[...document.querySelector('.explorer-paint').explorer.values]")
    return np.reshape(found, (64, 64, 3))


def at(page, row, column):
    """Where on the page the middle of a cell is."""
    area = page.locator("canvas.map").first.bounding_box()
    return (
        area["x"] + (column + 0.5) * area["width"] / 64,
        area["y"] + (row + 0.5) * area["height"] / 64,
    )


def brush(size, *centres):
    """The cells, (64, 64), that round brushes of this size cover."""
    rows, columns = np.mgrid[:64, :64]
    return np.any([(rows - r) ** 2 + (columns - c) ** 2 <= size**2 / 4 for r, c in centres], axis=0)


def choose(page, name, value):
    page.locator(f"[name={name}][value='{value}']").check(force=True)


def press(page, *keys):
    for key in keys:
        page.locator("canvas.map").first.press(key)


# The network.


def test_the_weights_are_the_recordings():
    text = paint.WEIGHTS.read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    assert text == paint.script(recorded.load(paint.RECORDING)), "make paint"


def test_rounding_moves_no_weight_by_more_than_half_a_step():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 4, 5)).astype("float32")
    kernel[..., 2] *= 100
    kernel[..., 3] = 0
    whole, scale = paint.eight_bits(kernel)
    assert whole.dtype == np.int8 and scale.shape == (5,)
    assert np.all(np.abs(whole * scale - kernel) <= scale * 0.501)
    np.testing.assert_array_equal(np.abs(whole).max(axis=(0, 1, 2)), [127, 127, 127, 0, 127])


def test_the_pages_network_is_the_companions(page, network):
    rng = np.random.default_rng(0)
    maps = [
        rng.integers(0, 10, (64, 64)),
        np.kron(rng.integers(0, 10, (8, 8)), np.ones((8, 8), int)),
        np.kron(rng.integers(0, 10, (3, 64)), np.ones((22, 1), int))[:64],
        FIRST,
    ]
    colours = data.normalize(earth.paint(maps))
    found = page.evaluate(
        "maps => { const { network } = document.querySelector('form').explorer;"
        " const paint = network(window.paintWeights);"
        " return maps.map(map => [...paint(Float32Array.from(map))]); }",
        [one.ravel().tolist() for one in colours],
    )
    expected = paint.translate(network, np.array(maps))
    assert expected.std() > 0.1
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-3)


def test_a_map_of_one_colour_gives_a_picture(page):
    page.locator("[name=clear]").click()
    assert np.isfinite(painted(page)).all()


def test_the_picture_is_that_of_the_painted_map(page, network):
    np.testing.assert_allclose(painted(page), paint.translate(network, FIRST[None])[0], atol=1e-3)
    choose(page, "size", 15)
    page.mouse.move(*at(page, 5, 5))
    page.mouse.down()
    page.mouse.move(*at(page, 60, 60), steps=20)  # faster than the network paints
    page.mouse.up()
    expected = paint.translate(network, cells(page)[None])[0]
    np.testing.assert_allclose(painted(page), expected, atol=1e-3)
    shown = page.evaluate("""() => {
        const small = new OffscreenCanvas(64, 64).getContext("2d");
        small.imageSmoothingQuality = "high";
        small.drawImage(document.querySelector("canvas.picture"), 0, 0, 64, 64);
        return [...small.getImageData(0, 0, 64, 64).data];
    }""")
    shown = np.reshape(shown, (64, 64, 4))[..., :3]
    assert np.abs(shown - (expected + 1) * 127.5).mean() < 4


# What is in the file.


def test_the_brushes_are_the_palette():
    labels = BeautifulSoup(HTML, "html.parser").select(".brushes label")
    found = {
        label.input["data-name"]: tuple(map(int, re.findall(r"\d+", label["style"])))
        for label in labels
    }
    assert found == earth.PALETTE and list(found) == NAMES
    assert [int(label.input["value"]) for label in labels] == list(range(10))
    assert [label.get_text() for label in labels] == [
        f"{name}{(i + 1) % 10}" for i, name in enumerate(NAMES)
    ]


def test_examples_of_real_places_are_held_out_maps(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
    test = data.earth(64).test
    places = {
        button.text: button["data-place"]
        for button in BeautifulSoup(HTML, "html.parser").select("[data-place]")
    }
    assert len(EXAMPLES) == 3 and len(places) == 2
    for name, place in places.items():
        real = earth.brushes(test.source[test.names.index(place)])
        assert (EXAMPLES[name] == real).mean() > 0.98, name  # another Pillow may round otherwise


def test_the_example_in_the_file_is_a_real_run(network):
    """Shown without JavaScript, and until the weights are there."""
    soup = BeautifulSoup(HTML, "html.parser")
    drawing, picture = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(
            soup.select_one(f"img.{name}")["src"].replace("%2F", "/").partition(",")[2]
        ))).convert("RGB"))
        for name in ["map", "picture"]
    )  # fmt: skip
    np.testing.assert_array_equal(drawing, earth.paint(FIRST))
    expected = data.denormalize(paint.translate(network, FIRST[None]))[0]
    assert np.abs(picture.astype(int) - expected).max() <= 2, "make paint"
    assert paint.with_picture(HTML, network).count("base64,") == HTML.count("base64,") == 2


# Painting.


def test_a_stroke_leaves_no_gap_and_undo_takes_it_back(page):
    np.testing.assert_array_equal(cells(page), FIRST)
    choose(page, "brush", NAMES.index("mountains"))
    choose(page, "size", 3)
    page.mouse.move(*at(page, 10, 10))
    page.mouse.move(*at(page, 11, 10))  # without a button: nothing
    np.testing.assert_array_equal(cells(page), FIRST)
    page.mouse.move(*at(page, 10, 10))
    page.mouse.down()
    page.mouse.move(*at(page, 10, 50))
    page.mouse.move(*at(page, 30, 50))
    page.mouse.up()
    page.mouse.move(*at(page, 60, 60))
    row = [(10, column) for column in range(10, 51)]
    stroke = brush(3, *row, *[(line, 50) for line in range(10, 31)])
    expected = np.where(stroke, NAMES.index("mountains"), FIRST)
    np.testing.assert_array_equal(cells(page), expected)
    page.mouse.click(*at(page, 63, 0))  # at the edge
    np.testing.assert_array_equal(
        cells(page), np.where(brush(3, (63, 0)), NAMES.index("mountains"), expected)
    )
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(cells(page), expected)
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(cells(page), FIRST)
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(cells(page), FIRST)


def test_the_other_buttons_of_the_mouse_do_not_paint(page):
    page.mouse.click(*at(page, 30, 5), button="right")
    np.testing.assert_array_equal(cells(page), FIRST)


@pytest.mark.parametrize("size", [1, 3, 5, 9, 15])
def test_brushes_are_round_and_as_large_as_they_say(page, size):
    page.locator("[name=clear]").click()
    choose(page, "size", size)
    choose(page, "brush", 9)
    page.mouse.click(*at(page, 20, 40))
    found = cells(page) == 9
    np.testing.assert_array_equal(found, brush(size, (20, 40)))
    assert found.any(0).sum() == found.any(1).sum() == size
    x, y = at(page, 20, 40)
    ring = page.locator(".cursor").bounding_box()
    cell = page.locator("canvas.map").bounding_box()["width"] / 64
    assert ring["width"] == pytest.approx(size * cell, abs=0.5)
    assert ring["x"] + ring["width"] / 2 == pytest.approx(x, abs=0.5)
    assert ring["y"] + ring["height"] / 2 == pytest.approx(y, abs=0.5)


def test_clear_fill_and_examples_can_be_undone(page):
    def click(name):
        page.get_by_role("button", name=name, exact=True).click()
        return cells(page)

    steps = [FIRST]
    for name, expected in {
        "Clear": np.zeros((64, 64)),
        "Fill": np.full((64, 64), NAMES.index("forest")),
        **EXAMPLES,
    }.items():
        steps.append(click(name))
        np.testing.assert_array_equal(steps[-1], expected)
    for expected in steps[-2::-1]:
        np.testing.assert_array_equal(click("Undo"), expected)


def test_the_keyboard_paints(page):
    page.set_viewport_size({"width": 900, "height": 500})
    page.locator("canvas.map").focus()
    scrolled = page.evaluate("scrollY")
    press(page, "Home", "PageUp", "ArrowRight", "ArrowDown", "Shift+ArrowDown", "1", "+", "+", "-")
    np.testing.assert_array_equal(cells(page), FIRST)
    press(page, "0", " ")
    once = np.where(brush(9, (9, 1)), 9, FIRST)
    np.testing.assert_array_equal(cells(page), once)
    press(page, "-", "-", "-", "-", "End", "ArrowRight", "PageDown", "ArrowLeft")
    page.keyboard.down(" ")
    page.keyboard.down(" ")  # held, it repeats
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.up(" ")
    press(page, "ArrowUp")
    line = np.where(brush(1, (63, 62), (62, 62), (61, 62)), 9, once)
    np.testing.assert_array_equal(cells(page), line)
    press(page, "z")
    np.testing.assert_array_equal(cells(page), once)
    press(page, "Control+z")
    np.testing.assert_array_equal(cells(page), FIRST)
    assert (
        page.evaluate("scrollY")
        == scrolled
        < page.evaluate("document.documentElement.scrollHeight - innerHeight")
    )


def test_numbers_choose_a_brush_anywhere_in_the_explorer(page):
    for i, name in enumerate(NAMES):
        page.get_by_role("button", name="Undo").press(str((i + 1) % 10))
        assert page.get_by_role("radio", name=re.compile(rf"^{name}")).is_checked()


def test_everything_is_reached_with_the_tab_key(page):
    page.locator("h1").click()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(
            "document.activeElement.name || document.activeElement.className || "
            "document.activeElement.textContent"
        ))  # fmt: skip
    assert reached == ["map", "brush", "size", "undo", "fill", "clear", *EXAMPLES]
    page.locator("canvas.map").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # radio buttons do this by themselves
    assert page.get_by_role("radio", name="northern forest").is_checked()


def test_a_finger_paints_and_does_not_scroll(browser, site):
    visit = Visit(browser, site(), viewport={"width": 375, "height": 667}, has_touch=True)
    page = visit.page
    ready(page)
    page.locator("canvas.map").scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    choose(page, "size", 1)
    ready(page)
    page.evaluate("y => scrollTo(0, y)", scrolled)
    send = visit.context.new_cdp_session(page).send
    points = [at(page, 20, 32), at(page, 40, 32), at(page, 40, 20)]
    for i, (x, y) in enumerate(points):
        kind = "touchMove" if i else "touchStart"
        send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    stroke = brush(1, *[(r, 32) for r in range(20, 41)], *[(40, c) for c in range(20, 33)])
    np.testing.assert_array_equal(cells(page), np.where(stroke, NAMES.index("forest"), FIRST))
    assert page.evaluate("scrollY") == scrolled
    assert visit.errors == []
    visit.context.close()


# Words.


def test_screen_readers_hear_what_was_painted_once_the_reader_pauses(page):
    status = page.locator("[role=status]")
    sentence_of_the_first = " ".join(
        page.locator(f"[data-show={name}]").inner_text() for name in ["painted", "seen"]
    )
    page.evaluate("""() => {
        window.heard = [];
        const status = document.querySelector("[role=status]");
        new MutationObserver(() => heard.push(status.textContent)).observe(
            status, { childList: true });
    }""")
    choose(page, "size", 15)
    press(page, "Home", "PageUp", "0", " ", "2", "PageDown", " ")
    page.locator("[name=clear]").click()
    press(page, "Home", "PageUp", " ")
    page.wait_for_function("heard.length")
    page.wait_for_timeout(600)
    [sentence] = page.evaluate("heard")
    share = 100 * brush(15, (0, 0)).mean()
    assert sentence.startswith(
        f"Painted: deep sea {100 - share:.0f}\u00a0%, sea {share:.0f}\u00a0%. The picture: "
    )
    assert status.text_content() == sentence
    assert page.locator("[data-show=painted]").inner_text() in sentence
    assert page.locator("[data-show=seen]").inner_text() in sentence
    label = page.locator("canvas.picture").get_attribute("aria-label")
    assert page.locator("[data-show=seen]").inner_text() in label
    for keys, text in [
        (["End"], "Row 1, column 64: deep sea."),
        (["8"], "Brush: desert."),
        (["-"], "Size: 9."),
        (["z", "z", "z", "z"], sentence_of_the_first),
        (["z"], "There is nothing to undo."),
    ]:
        press(page, *keys)
        page.wait_for_function("text => heard.at(-1) === text", arg=text)


def test_the_shares_of_map_and_picture_are_right(page):
    def shares(text):
        return {
            name: int(n) for name, n in re.findall(r"([a-z ]+?) (\d+)\u00a0%", text) if n != "1"
        }

    counts = np.bincount(FIRST.ravel(), minlength=10) / 40.96
    found = shares(page.locator("[data-show=painted]").inner_text().partition(": ")[2])
    assert {name.strip(): n for name, n in found.items()} == {
        name: round(count) for name, count in zip(NAMES, counts) if round(count) > 1
    }
    assert counts[counts > 0].min() > 1.5
    r, g, b = np.moveaxis(np.rint((painted(page) + 1) * 127.5), -1, 0)
    blue = ((b >= r) & (b >= g) & (np.minimum(r, g) <= 170)).mean()
    assert f"blue {100 * blue:.0f}\u00a0%" in page.locator("[data-show=seen]").inner_text()


# Where something is missing, and for everybody.


def test_without_javascript_there_is_an_example(browser, site):
    visit = Visit(browser, site(), java_script_enabled=False)
    page = visit.page
    for name in ["map", "picture"]:
        image = page.locator(f"img.{name}")
        assert image.is_visible() and len(image.get_attribute("alt")) > 50
        assert image.bounding_box()["width"] > 100
    assert page.locator("noscript .note").is_visible()
    assert "JavaScript" in page.locator("noscript .note").inner_text()
    assert not page.locator(".tools").is_visible() and not page.locator("canvas").first.is_visible()
    visit.context.close()


def test_without_the_weights_a_sentence_says_where_one_can_paint(browser, site):
    visit = Visit(browser, site(attributes=""))
    note = visit.page.locator("p.note")
    note.wait_for()
    assert "on the book's own pages" in note.inner_text()
    assert visit.page.locator("img.picture").is_visible()
    assert not visit.page.locator(".tools").is_visible()
    assert visit.outside == [] and visit.errors == []
    visit.context.close()
    visit = Visit(browser, site(attributes='data-content_root="../nowhere/"'))
    visit.page.locator("p.note").wait_for()
    assert visit.page.locator("img.picture").is_visible()
    visit.context.close()


def test_the_network_runs_beside_the_page_and_where_it_may_not_in_it(browser, site, page):
    assert len(page.workers) == 1
    context = browser.new_context()
    context.add_init_script("delete window.Worker")
    alone = context.new_page()
    alone.goto(site().as_uri())
    ready(alone)
    alone.locator("[name=clear]").click()
    painted(alone)
    assert "deep sea 100" in alone.locator("[data-show=painted]").inner_text()
    np.testing.assert_array_equal(cells(alone), 0)
    assert alone.workers == []
    context.close()


def test_explorers_on_a_page_are_independent_and_share_their_weights(browser, site):
    visit = Visit(browser, site(copies=2))
    page = visit.page
    ready(page)
    assert page.locator("script[src]").count() == 1
    page.evaluate(
        """html => {  // as Jupyter adds an output: scripts run only as copies
        const output = document.createElement("div");
        output.innerHTML = html;
        for (const script of output.querySelectorAll("script")) {
            const copy = document.createElement("script");
            copy.textContent = script.textContent;
            script.replaceWith(copy);
        }
        document.querySelector("main").append(output);
    }""",
        HTML,
    )
    ready(page)
    page.locator("[name=clear]").nth(1).click()
    page.locator("[name=brush][value='3']").nth(2).check(force=True)
    page.locator("[name=fill]").nth(2).click()
    ready(page)
    np.testing.assert_array_equal(cells(page, 0), FIRST)
    np.testing.assert_array_equal(cells(page, 1), 0)
    np.testing.assert_array_equal(cells(page, 2), 3)
    assert page.locator("script[src]").count() == 1
    assert visit.outside == [] and visit.errors == []
    visit.context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_nobody_is_kept_out(visit, page, theme):
    visit.turn(theme)
    colour = page.locator("form").evaluate("root => getComputedStyle(root).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (theme == "light")
    assert visit.violations(theme, OPTIONS if theme == "light" else OPTIONS | COLOURS) == []


@pytest.mark.parametrize("width", [340, 400, 760])
def test_it_fits_its_page(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    wide = page.evaluate("""() => [...document.querySelectorAll("form, form *")].filter(
        element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1
            && getComputedStyle(element).display !== "inline"
            && !element.matches(".frame")).map(element => element.outerHTML)""")
    assert wide == [] and page.evaluate("document.documentElement.scrollWidth") <= width
    area, picture = (page.locator(f"canvas.{name}").bounding_box() for name in ["map", "picture"])
    assert area["width"] == pytest.approx(area["height"], abs=1) and area["width"] > 250
    if width < 500:  # one above the other, and the map next to its brushes
        assert picture["y"] + picture["height"] < area["y"]
    else:
        assert area["x"] + area["width"] < picture["x"]


def test_the_first_page_of_the_book_paints(browser):
    """Needs `make book`."""
    visit = Visit(browser, notebooks.ROOT / "_build" / "html" / "book" / "index.html")
    ready(visit.page)
    np.testing.assert_array_equal(cells(visit.page), FIRST)  # or the page was built before
    press(visit.page, "1", " ")
    np.testing.assert_array_equal(cells(visit.page), np.where(brush(5, (32, 32)), 0, FIRST))
    assert np.isfinite(painted(visit.page)).all()
    assert visit.outside == [] and visit.errors == []
    visit.context.close()
