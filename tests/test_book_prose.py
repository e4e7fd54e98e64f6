"""The checker of the prose: on the book itself, on a chapter that lies and on an honest one."""

import re

import nbformat
import notebooks
import prose
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def chapter(folder, *words, name="unet.ipynb"):
    """A chapter with this prose and one cell that shows 0.1168, 54,414,979 and (1, 256, 256, 3)."""
    cell = new_code_cell("print(error, model.count_params(), shape)  # seed=1234")
    cell.outputs = [
        new_output("stream", text="0.1168 54,414,979 (1, 256, 256, 3)\n"),
        new_output("display_data", {"image/png": "4242", "text/plain": "<Figure>"}),
    ]
    cells = [cell, *map(new_markdown_cell, words)]
    path = folder / name
    nbformat.write(new_notebook(cells=cells), path)
    return path


def problems(folder, words, facts=(), name="unet.ipynb"):
    return prose.problems([chapter(folder, words, name=name)], facts, {"isola2017"})


def test_the_book():
    pages, facts, bibliography = notebooks.pages(), prose.facts(), prose.bibliography()
    found = prose.problems(pages, facts, bibliography)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "words",
    [
        "The error is 0.117, or 0.1168 to be exact, at a size of 256.",
        "It has 54,414,979 parameters, 54.4 million, seeded with 1234: $54{,}414{,}979$.",
        "Use `Conv2D(256, 3)` at 256x256 or 256×256 pixels; for 2000 steps of 0.02, about 50 %.",
        "`pix2pix` with `float32`, `conv4_2`, VGG-19, `0x1F600`, U+1F600, TensorFlow 2.21.0.",
        "See [Isola et al. (2017)](https://example.org/1611.07004), Section 3.32, (Mirza, 2014).",
        "{cite:p}`isola2017` and <img src='a.png' width='640' alt='12 34'>\n\n![45 cats](a-67.png)",
        "Formula $x_{12} + x_1$.\n\n## References\n\n1. Isola, CVPR 2017, pages 1125-1134.",
        "Call `generators.unet`, `companion.losses` or `companion.layers.ReflectionPadding2D()`.",
        "See `companion/losses.py`, `losses.py`, `pix2pix.keras` and `keras.layers.Conv2D`.",
    ],
)
def test_an_honest_chapter_passes(tmp_path, words):
    assert problems(tmp_path, words) == []


@pytest.mark.parametrize(
    "words, lie",
    [
        ("The error is 0.116.", "0.116"),
        ("The error is 0.12 on 257 pictures.", "257"),
        ("It has 54.5 million parameters.", "54.5 million"),
        ("Of 4242 pictures", "4242"),
        ("It takes 128x256 pictures.", "128"),
        ("A weight of $\\lambda = 11$.", "11"),
        ("Call `Conv2D(64,3)`.", "64"),
        ("```python\nepochs = 123\n```", "123"),
        ("| a | b |\n|---|---|\n| 1 | 35 |", "35"),
        ("<details><summary>Solution</summary>\n\nIt is 77.\n\n</details>", "77"),
        ("## References\n\nx\n\n## Next\n\nIt is 78.", "78"),
        ("A rate of 2.5e-4.", "2.5e-4"),
        ("It is 1.0 exactly twice, 1.1 never.", "1.1"),
    ],
)
def test_a_number_without_source_is_a_lie(tmp_path, words, lie):
    [problem] = problems(tmp_path, words)
    assert f"unet.ipynb: prints {lie}, which no cell or output of its section shows" in problem


def shows(text):
    cell = new_code_cell("print(value)")
    cell.outputs = [new_output("stream", text=text)]
    return cell


def sectioned(folder, *cells):
    """The problems of a chapter with these cells behind an opening that says 0.43 and shows 64."""
    opening = [new_markdown_cell("# A title\n\nIt is 0.43."), shows("64")]
    cells = [new_markdown_cell(x) if isinstance(x, str) else x for x in (*opening, *cells)]
    path = folder / "unet.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return prose.problems([path], [], {"isola2017"})


def lies(found):
    return [re.search("prints (\\S+), which no cell or output of its section", x)[1] for x in found]


def test_a_number_is_shown_in_its_own_section_or_among_the_settings(tmp_path):
    first = ["## One\n\nIt is 0.43, not 0.87; pictures of 64 pixels.", shows("0.43")]
    second = ["## Two\n\nIt is 0.87, not 0.43.", shows("0.87")]
    assert lies(sectioned(tmp_path, *first, *second)) == ["0.87", "0.43"]


def test_opening_summary_and_exercises_repeat_what_others_say(tmp_path):
    body = ["## One\n\nIt is 0.43.", shows("0.434 0.87")]
    summary = "## What you learned\n\nIt is 0.43, about 0.4, and 0.87."
    exercises = ["## Exercises\n\nInstead of 0.43 and 0.87 you get 0.66.", shows("0.66")]
    assert lies(sectioned(tmp_path, *body, summary, *exercises)) == ["0.87", "0.87"]


def test_code_in_the_prose_may_use_any_cell_of_the_chapter(tmp_path):
    body = ["## One\n\nCall `Conv2D(96, 3)`.", "## Two\n\n", shows("96")]
    assert lies(sectioned(tmp_path, *body)) == ["0.43"]


def test_html_shows_no_number(tmp_path):
    cell = new_code_cell("explorer()")
    cell.outputs = [
        new_output("display_data", {"text/html": "<p>0.43 0.87</p>", "text/plain": "-"})
    ]
    assert lies(sectioned(tmp_path, cell, "So 0.87.")) == ["0.43", "0.87"]


@pytest.mark.parametrize(
    "words, lie",
    [
        ("Call `generators.unett`.", "generators.unett"),
        ("Call `x = companion.losses.l3(a)`.", "companion.losses.l3"),
        ("The module companion.loses does it.", "companion.loses"),
        ("See `companion/loses.py`.", "companion.loses.py"),
        ("```python\nmodel = pix2pix.Pix2Pax(1)\n```", "pix2pix.Pix2Pax"),
        ("`layers.Conv2D`", "layers.Conv2D"),
    ],
)
def test_a_name_that_does_not_exist_is_a_lie(tmp_path, words, lie):
    [problem] = problems(tmp_path, words)
    assert f"unet.ipynb: names {lie}, which the package does not have" in problem


def fact(**changes):
    return {"value": 286, "where": ["unet"], "citation": "isola2017", **changes}


def test_a_fact_supports_its_number(tmp_path):
    assert problems(tmp_path, "Resize to 286.", [fact()]) == []
    assert problems(tmp_path, "Resize to 286.", [fact(citation="the paper's code, main.lua")]) == []


def test_a_fact_is_for_the_chapters_it_names(tmp_path):
    wrong, unused = problems(tmp_path, "Resize to 286.", [fact(where=["data"])])
    assert "prints 286" in wrong and "a fact with this value is for data" in wrong
    assert unused == "facts.yml: 286 is not used in data: remove it there"


def test_a_fact_must_be_used_and_cited(tmp_path):
    (unused,) = problems(tmp_path, "Resize.", [fact()])
    assert "286 is not used in unet" in unused
    (uncited,) = problems(tmp_path, "Resize to 286.", [fact(citation="isola2018")])
    assert "286 cites isola2018, which references.bib does not have" in uncited
