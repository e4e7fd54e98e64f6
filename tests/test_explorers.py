"""plots.explorer: what the explorers say is what the companion computes."""

import re
import shutil
import subprocess
import sys
import zipfile

import keras
import notebooks
import numpy as np
import pytest
from bs4 import BeautifulSoup
from visits import COLOURS, OPTIONS, Visit

from companion import plots
from companion.discriminators import patchgan
from companion.layers import normalization
from companion.receptive_field import _behind, receptive_field

FOLDER = notebooks.ROOT / "companion" / "explorers"
FILES = {"receptive_field": ".explorer-field", "axes": ".explorer-axes"}
ALL = FILES | {"paint": ".explorer-paint"}  # it needs weights: test_explorers_paint.py
# Stacks of (kernel, stride, padding): one layer, gaps between patches, patches in the padding
# alone, even kernels, strides that leave a rest, the paper's.
STACKS = [
    [(1, 1, 0)],
    [(3, 1, 1)],
    [(1, 3, 0)],
    [(1, 1, 3), (1, 1, 0)],
    [(2, 3, 1), (5, 2, 2)],
    [(7, 1, 3), (3, 2, 1), (3, 2, 1)],
    [(4, 2, 1), (4, 2, 1), (4, 2, 1), (4, 1, 1), (4, 1, 1)],
    [(6, 2, 0), (3, 3, 2), (2, 1, 1), (7, 2, 3), (1, 1, 0), (3, 1, 1)],
]
KINDS = [("batch", 2), ("instance", 2), ("layer", 2), ("group", 1), ("group", 2), ("group", 4)]


def read(name):
    return (FOLDER / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture
def shown(monkeypatch):
    calls = []
    monkeypatch.setattr(plots, "display", lambda data, raw: calls.append(data))
    return calls


@pytest.mark.parametrize("name", ALL)
def test_an_explorer_is_an_output_of_html_and_a_line_of_text(shown, name):
    plots.explorer(name)
    [data] = shown
    assert data["text/html"] == read(name) and set(data) == {"text/html", "text/plain"}
    assert name in data["text/plain"] and len(data["text/plain"]) < 100


def test_an_unknown_explorer_is_refused_with_the_choices(shown):
    with pytest.raises(ValueError, match=r"'axis'.*\['axes', 'paint', 'receptive_field'\]"):
        plots.explorer("axis")
    assert shown == []


def test_a_regular_install_has_the_explorers_and_recordings(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(notebooks.ROOT / name, project)
    shutil.copytree(
        notebooks.ROOT / "companion",
        project / "companion",
        ignore=shutil.ignore_patterns("__pycache__", "recordings"),
    )
    (project / "companion/recordings").mkdir()
    for name in ["earth.json", "earth.npz"]:
        (project / "companion/recordings" / name).touch()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "--wheel-dir",
            tmp_path,
            project,
        ],
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    files = {
        path.relative_to(project).as_posix()
        for path in (project / "companion").rglob("*")
        if path.is_file()
    }
    assert len(files) > 20 and files <= set(names)


@pytest.mark.parametrize("name, root", ALL.items())
def test_several_explorers_on_a_page_cannot_clash(name, root):
    soup = BeautifulSoup(read(name), "html.parser")
    assert soup.find_all(id=True) == []
    [form] = soup.find_all(recursive=False)
    assert form.name == "form" and form["class"] == [root[1:]]
    style = re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", soup.style.text, flags=re.DOTALL)
    selectors = [
        selector
        for rule in re.findall(r"([^{}]+)\{", style)
        for selector in re.split(r",(?![^(]*\))", rule)
    ]
    assert len(selectors) > 20
    assert [selector for selector in selectors if root not in selector] == []
    assert re.search(r"https?:|//[a-z]|\burl\(|@import|\bimport\(|fetch\(", read(name)) is None


# The states that the files show without JavaScript.


def texts(soup, name):
    return [element.text for element in soup.select(f'[data-show="{name}"]')]


def test_the_receptive_field_in_the_file_is_the_companions():
    soup = BeautifulSoup(read("receptive_field"), "html.parser")
    model = patchgan()
    field, side = receptive_field(model)[0], model.output_shape[1]
    assert set(texts(soup, "field")) == {square(field)}
    assert set(texts(soup, "map")) == {square(side)}
    first, last = edges(model, side // 2)
    middle = f"[{side // 2}, {side // 2}]"
    assert texts(soup, "entry")[0].startswith(
        f"Entry {middle} sees rows {first} to {last} and columns {first} to {last}: "
        f"its whole patch of {square(field)} pixels"
    )
    step = edges(model, side // 2 + 1)[0] - first
    assert texts(soup, "step") == [f"{step} pixels"]
    assert texts(soup, "overlap") == [f"{field - step} pixels"]
    assert (
        f"looks {step} pixels further: the two patches share {field - step} of their {field} "
        in texts(soup, "neighbour")[0]
    )
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    lines = soup.select("tbody tr")
    assert len(lines) == len(convolutions) == int(soup.select_one("[name=count] [selected]").text)
    for line, layer in zip(lines, convolutions):
        until = keras.Model(model.input, layer.output)
        field, side = receptive_field(until)[0], until.output_shape[1]
        chosen = [int(option.text) for option in line.select("[selected]")]
        assert chosen == [layer.kernel_size[0], layer.strides[0], 1]
        assert [cell.text for cell in line.select("td")[4:]] == [str(side), str(field)]


def block():
    """The entries that the file shows, (N, H, W, C)."""
    lines = BeautifulSoup(read("axes"), "html.parser").select(".block tbody tr")
    entries = np.array([[int(cell.text) for cell in line.select("td")] for line in lines])
    return entries.reshape(3, 4, 4, 4).transpose(0, 1, 3, 2).astype("float32")


def companions(kind, groups, x):
    """What the companion's layer makes of x in training, before its learned scale and shift."""
    layer = normalization(kind)
    if kind == "group":
        layer.groups = groups
    layer.build(x.shape)
    if layer.trainable_variables:
        layer.gamma.assign(np.ones(x.shape[-1]))
    return keras.ops.convert_to_numpy(layer(x, training=True))


def square(side):
    return f"{side}\u00a0×\u00a0{side}"  # not to be broken at the end of a line


def number(value):
    return ("−" if value < -0.005 else "") + f"{abs(value):.2f}"


def test_the_normalized_entry_in_the_file_is_the_companions():
    soup = BeautifulSoup(read("axes"), "html.parser")
    x, (n, h, w, c) = block(), (1, 1, 2, 2)
    after = companions("batch", 2, x)
    assert soup.select_one("[name=kind][checked]")["value"] == "batch"
    assert texts(soup, "index") == [f"{n}, {h}, {w}, {c}"]
    assert texts(soup, "before") == [f"{x[n, h, w, c]:.0f}"]
    assert texts(soup, "after") == [number(after[n, h, w, c])]
    assert texts(soup, "mean") == [number(x[..., c].mean())]
    assert texts(soup, "variance") == [number(x[..., c].var())]
    assert texts(soup, "count") == ["4"] and texts(soup, "size") == ["48"]
    for name, values in [("means-before", x), ("means-after", after)]:
        means = [*values.mean((1, 2, 3)), *values.mean((0, 1, 2))]
        cells = soup.select(f'[data-show="{name}"] td')
        assert [cell.text for cell in cells] == [number(mean) for mean in means]
    shares = np.array(
        [
            ["shares" in cell.get("class", []) for cell in line.select("td")]
            for line in soup.select(".block tbody tr")
        ]
    )
    assert shares.sum() == 48 and shares[:, 4 * c : 4 * c + 4].all()


# In a browser: both explorers, and each of them twice.


@pytest.fixture(scope="module")
def visit(browser, tmp_path_factory):
    file = tmp_path_factory.mktemp("explorers") / "page.html"
    file.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorers</title>'
        "<body><main><h1>Explorers</h1>"
        + "".join(f"<div>{read(name)}</div>" for name in FILES for _ in range(2))
        + "</main></body></html>",
        encoding="utf-8",
    )
    visit = Visit(browser, file, viewport={"width": 800, "height": 900})
    yield visit
    assert visit.outside == [] and visit.errors == []
    visit.context.close()


@pytest.fixture
def page(visit):
    visit.page.reload()
    return visit.page


@pytest.fixture
def field(page):
    return page.locator(".explorer-field").first


@pytest.fixture
def axes(page):
    return page.locator(".explorer-axes").first


def state(html):
    """What a reader finds in an explorer: its texts, marks, drawings and settings."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.select("script, style, noscript, [role=status]"):
        tag.decompose()
    drawn = ["class", "viewbox", "x", "y", "width", "height", "d", "style", "min", "max", "value"]
    return [soup.get_text(" ", strip=True)] + [
        {key: str(value) for key, value in tag.attrs.items() if key in drawn and value}
        for tag in soup.select("svg, svg *, td, input, select")
    ]


@pytest.mark.parametrize("name, root", FILES.items())
def test_the_script_starts_with_what_the_file_shows(page, name, root):
    started = page.locator(root).first.evaluate("root => root.outerHTML")
    assert state(started) == state(read(name))


def stacked(stack, size):
    """A Keras model of the stack, or None where a kernel does not fit."""
    x = image = keras.Input((size, size, 1))
    for kernel, stride, padding in stack:
        x = keras.layers.ZeroPadding2D(padding)(x)
        if x.shape[1] < kernel:
            return None
        x = keras.layers.Conv2D(1, kernel, stride)(x)
    return keras.Model(image, x)


def edges(model, entry):
    """The first and the last row of the picture that an entry's patch spans; the padding counts."""
    first = last = entry
    for layer in reversed(model.layers[1:]):
        first, last = _behind(layer, first, last, 1)
    return [first, last]


@pytest.mark.parametrize("stack", STACKS)
def test_receptive_fields_are_the_companions(field, stack):
    for size in [32, 33, 64]:
        model = stacked(stack, size)
        said = field.evaluate(
            """(root, [stack, size]) => ({
            sides: root.explorer.sides(stack, size), field: root.explorer.field(stack),
            step: root.explorer.step(stack), overlap: root.explorer.overlap(stack),
            spans: [...Array(40).keys()].map(i => root.explorer.span(stack, i, i)),
        })""",
            [stack, size],
        )
        if model is None:
            assert said["sides"][-1] == 0
            continue
        side = model.output_shape[1]
        rows = [edges(model, entry) for entry in range(side + 1)]
        shared = set(range(rows[0][0], rows[0][1] + 1)) & set(range(rows[1][0], rows[1][1] + 1))
        assert said["field"] == receptive_field(model)[0]
        assert said["step"] == rows[1][0] - rows[0][0] and said["overlap"] == len(shared)
        assert said["spans"][: len(rows)] == rows[:40]
        layers = model.layers[2::2]
        assert said["sides"] == [layer.output.shape[1] for layer in layers]


@pytest.mark.parametrize("layers", range(6))
def test_presets_are_the_companions_patchgans(field, layers):
    model = patchgan(256, layers=layers, filters=1)
    field.locator("[name=preset]").select_option(str(layers))
    side, seen = model.output_shape[1], receptive_field(model)[0]
    assert field.locator("[data-show=field]").inner_text() == square(seen)
    assert field.locator("dd[data-show=map]").inner_text() == square(side)


def press(explorer, where, *keys):
    for key in keys:
        explorer.locator(where).press(key)


def attributes(field, selector):
    box = field.locator(selector)
    return [int(box.get_attribute(name)) for name in ["x", "y", "width", "height"]]


def test_the_arrow_keys_move_the_unit_and_its_patch(field):
    press(field, ".map", "ArrowUp", "ArrowRight", "ArrowRight")
    assert attributes(field, ".one") == [17, 14, 1, 1]
    assert attributes(field, ".patch") == [113, 89, 70, 70]
    assert attributes(field, ".next") == [121, 89, 70, 70]
    assert (
        field.locator("[data-show=entry]")
        .inner_text()
        .startswith("Entry [14, 17] sees rows 89 to 158 and columns 113 to 182: its whole patch")
    )
    press(field, ".map", "End")
    assert attributes(field, ".next")[0] < attributes(field, ".patch")[0]  # no entry to its right


def test_a_patch_that_reaches_into_the_padding_is_shown_and_said(field):
    press(field, ".map", "Home", "PageUp", "ArrowLeft", "ArrowUp")
    first, last = edges(patchgan(), 0)
    assert first < 0
    assert field.locator("[data-show=entry]").inner_text() == (
        f"Entry [0, 0] sees rows 0 to {last} and columns 0 to {last}: of its patch of {square(70)} "
        f"pixels it misses {-first} rows above and {-first} columns to the left, which lie in the "
        f"padding."
    )
    assert attributes(field, ".patch") == [first, first, 70, 70]
    assert (
        field.locator(".outside")
        .get_attribute("d")
        .endswith(f"M0 0h{last + 1}v{last + 1}h-{last + 1}z")
    )
    x, y, side, _ = map(int, field.locator(".picture").get_attribute("viewBox").split())
    assert x <= first and y <= first and side >= 256 - 2 * first


def test_what_lies_beyond_the_other_edges_is_said_too(field):
    press(field, ".map", "End", "PageDown")
    first, last = edges(patchgan(), 29)
    assert last > 255
    assert field.locator("[data-show=entry]").inner_text() == (
        f"Entry [29, 29] sees rows {first} to 255 and columns {first} to 255: of its patch of "
        f"{square(70)} pixels it misses {last - 255} rows below and {last - 255} columns to the "
        f"right, which lie in the padding."
    )
    field.locator("[name=count]").select_option("1")
    for name, value in [("Kernel", "3"), ("Stride", "1"), ("Padding", "1")]:
        field.get_by_label(f"{name} of convolution 1").select_option(value)
    for row, above, column, beside in [
        ("PageDown", "below", "End", "to the right"),
        ("PageUp", "above", "Home", "to the left"),
    ]:
        press(field, ".map", row, column)
        assert (
            field.locator("[data-show=entry]")
            .inner_text()
            .endswith(
                f": of its patch of {square(3)} pixels it misses 1 row {above} and 1 column "
                f"{beside}, which lie in the padding."
            )
        )


def test_a_patch_of_padding_alone_is_called_that(field):
    field.locator("[name=count]").select_option("1")
    field.get_by_label("Kernel of convolution 1").select_option("1")
    field.get_by_label("Padding of convolution 1").select_option("2")
    press(field, ".map", "Home")
    assert "sees only padding" in field.locator("[data-show=entry]").inner_text()


def test_one_layer_of_the_stack_can_be_changed(field):
    field.locator("[name=count]").select_option("1")
    field.get_by_label("Kernel of convolution 1").select_option("3")
    field.get_by_label("Stride of convolution 1").select_option("3")
    field.get_by_label("Padding of convolution 1").select_option("0")
    assert field.locator("[name=preset]").input_value() == "own"
    assert field.locator("[data-show=field]").inner_text() == square(3)
    assert field.locator("[data-show=overlap]").inner_text() == "0 pixels"
    assert field.locator("[data-show=neighbour]").inner_text().endswith("share nothing.")
    field.locator("[name=count]").select_option("8")
    assert field.locator("tbody tr").count() == 8
    assert field.get_by_label("Kernel of convolution 8").count() == 1


def test_a_stack_that_does_not_fit_is_explained_and_can_be_left(field):
    field.locator("[name=size]").select_option("32")
    field.locator("[name=preset]").select_option("5")
    assert not field.locator(".result").is_visible()
    assert field.locator(".problem").inner_text() == (
        "Convolution 6 does not fit: its kernel spans 4 pixels, its padded input only 3. "
        "Take fewer layers or a larger picture."
    )
    field.locator("[name=size]").select_option("256")
    assert field.locator(".result").is_visible() and not field.locator(".problem").is_visible()


def test_a_pointer_and_the_sliders_select_a_unit_too(field):
    area = field.locator(".map").bounding_box()
    field.locator(".map").click(
        position={"x": area["width"] * 3.5 / 30, "y": area["height"] * 20.5 / 30}
    )
    assert attributes(field, ".one") == [3, 20, 1, 1]
    press(field, "[name=row]", "ArrowLeft")
    assert attributes(field, ".one") == [3, 19, 1, 1]


@pytest.mark.parametrize("kind, groups", KINDS)
def test_normalized_entries_are_the_companions(axes, kind, groups):
    x = block()
    expected = companions(kind, groups, x)
    after, found = axes.evaluate(
        "(root, [x, kind, groups]) => [root.explorer.normalize(x, kind, groups), "
        "x.map((maps, n) => maps.map(row => row.map(entry => entry.map((_, c) => "
        "root.explorer.statistics(x, kind, groups)[root.explorer.key(kind, groups, 4, n, c)]))))]",
        [x.tolist(), kind, groups],
    )
    np.testing.assert_allclose(after, expected, atol=1e-5)
    mean = np.vectorize(lambda of: of["mean"])(found)
    variance = np.vectorize(lambda of: of["variance"])(found)
    np.testing.assert_allclose((x - mean) / np.sqrt(variance + 1e-5), expected, atol=1e-5)


@pytest.mark.parametrize(
    "kind, groups, count, size",
    [
        ("batch", 2, 4, 48),
        ("instance", 2, 12, 16),
        ("layer", 2, 3, 64),
        ("group", 1, 3, 64),
        ("group", 2, 6, 32),
        ("group", 4, 12, 16),
    ],
)
def test_the_marked_entries_share_one_mean(axes, kind, groups, count, size):
    axes.get_by_label(kind, exact=True).check()
    assert axes.locator("[name=groups]").is_disabled() == (kind != "group")
    if kind == "group":
        axes.locator("[name=groups]").select_option(str(groups))
    press(axes, "td[tabindex='0']", "ArrowDown", "ArrowRight", "ArrowRight", "PageDown")
    index = (2, 2, 0, 3)

    def show(name):
        return axes.locator(f"[data-show={name}]").inner_text()

    x = block()
    assert [show("index"), show("count"), show("size")] == ["2, 2, 0, 3", str(count), str(size)]
    assert f": {count} means" in show("group") and f"each over {size} entries" in show("group")
    marked = axes.locator(".block tbody td").evaluate_all(
        "cells => cells.map(cell => cell.classList.contains('shares'))"
    )
    marked = np.reshape(marked, (3, 4, 4, 4)).transpose(0, 1, 3, 2)
    assert marked.sum() == size and marked[index]
    assert show("mean") == number(x[marked].mean()) and show("variance") == number(x[marked].var())
    after = companions(kind, groups, x)
    assert show("before") == f"{x[index]:.0f}" and show("after") == number(after[index])
    left = [np.ptp(after.mean(others)) > 0.01 for others in [(1, 2, 3), (0, 1, 2)]]
    opening = {
        (True, False): "The channels no longer",
        (False, True): "The pictures no longer",
        (False, False): "Neither pictures nor channels",
    }
    assert show("left").startswith(opening[tuple(left)] + " differ")
    # Those and no others: changing any of them, and nothing else, changes the selected entry.
    for other in [(0, 0, 0, 0), (2, 0, 0, 2), (2, 1, 1, 3), (1, 2, 0, 3), (2, 3, 3, 0)]:
        changed = x.copy()
        changed[other] += 5
        moved = abs(companions(kind, groups, changed)[index] - after[index]) > 1e-4
        assert moved == marked[other], other


def test_a_click_selects_an_entry_and_only_one_is_in_the_tab_order(axes):
    axes.locator(".block tbody tr").nth(5).locator("td").nth(0).click()
    assert axes.locator("[data-show=index]").inner_text() == "1, 1, 0, 0"
    assert axes.locator("td[tabindex='0']").count() == 1
    assert (
        axes.locator("td:focus")
        .get_attribute("aria-label")
        .startswith("0, picture 1, channel 0, row 1, column 0")
    )
    press(axes, "td[tabindex='0']", *["ArrowLeft"] * 3, *["ArrowUp"] * 9)
    assert axes.locator("[data-show=index]").inner_text() == "0, 0, 0, 0"


@pytest.mark.parametrize("name, root", FILES.items())
def test_screen_readers_hear_one_sentence_after_several_keys(page, name, root):
    explorer = page.locator(root).first
    explorer.evaluate("""root => {
        root.heard = [];
        const status = root.querySelector("[role=status]");
        new MutationObserver(() => root.heard.push(status.textContent)).observe(
            status, { childList: true });
        const keys = i => i && setTimeout(() => {  // four, one after the other
            root.querySelector("[tabindex='0']").dispatchEvent(
                new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
            keys(i - 1);
        });
        keys(4);
    }""")
    page.wait_for_timeout(1500)
    [sentence] = explorer.evaluate("root => root.heard")
    assert re.search(r"\d", sentence)


@pytest.mark.parametrize("name, root", FILES.items())
def test_two_copies_on_a_page_are_independent(page, name, root):
    first, second = page.locator(root).all()
    before = state(first.evaluate("root => root.outerHTML"))
    second.locator("select").first.evaluate("select => select.disabled = false")
    if name == "axes":
        second.get_by_label("layer", exact=True).check()
    press(second, "[tabindex='0']", "ArrowDown")
    assert state(first.evaluate("root => root.outerHTML")) == before
    assert state(second.evaluate("root => root.outerHTML")) != before


@pytest.mark.parametrize("name, root", FILES.items())
def test_an_explorer_that_jupyter_adds_to_a_page_starts_and_leaves_others_alone(page, name, root):
    press(page.locator(root).first, "[tabindex='0']", "ArrowUp")
    # Scripts that come as innerHTML do not run: Jupyter puts in copies, which do.
    page.evaluate(
        """html => {
        const output = document.createElement("div");
        output.innerHTML = html;
        for (const script of output.querySelectorAll("script")) {
            const copy = document.createElement("script");
            copy.textContent = script.textContent;
            script.replaceWith(copy);
        }
        document.querySelector("main").append(output);
    }""",
        read(name),
    )
    assert page.locator(root).count() == 3
    press(page.locator(root).last, "[tabindex='0']", "ArrowUp")
    first, second, third = [
        state(explorer.evaluate("root => root.outerHTML")) for explorer in page.locator(root).all()
    ]
    assert first == third != second == state(read(name))


# axe-core does not judge a text of one character.
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_digits_can_be_read(visit, page, theme):
    visit.turn(theme)
    for cell in ["td.shares", "td:not(.shares)"]:
        colours = page.locator(f".explorer-axes tbody {cell}").first.evaluate(
            "cell => [getComputedStyle(cell).color, getComputedStyle(cell).backgroundColor]"
        )
        dark, light = sorted(luminance(colour) for colour in colours)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colours


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)" as WCAG 2 defines it."""
    channels = (
        np.array(
            [int(value) for value in re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()]
        )
        / 255
    )
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_kept_out(visit, page, theme):
    page.locator(".explorer-axes").first.get_by_label("group", exact=True).check()
    page.locator(".explorer-field").first.locator("[name=size]").select_option("32")
    page.locator(".explorer-field").first.locator("[name=preset]").select_option("5")
    paper = page.locator(".explorer-axes").first
    visit.turn(theme)
    colour = paper.evaluate("root => getComputedStyle(root).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (theme == "light")
    assert visit.violations(theme, OPTIONS if theme == "light" else OPTIONS | COLOURS) == []


@pytest.mark.parametrize("width", [340, 1000])
def test_an_explorer_fits_its_page(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    wide = page.evaluate("""() => [...document.querySelectorAll("form, form *")].filter(
        element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1
            && getComputedStyle(element).display !== "inline"
            && !element.closest("svg, select")).map(element => element.outerHTML)""")
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 800, "height": 900})
