"""The tools behind the notebooks: execution, hygiene, the repository's address."""

import copy

import execute
import hygiene
import notebooks
import pytest
import readme_picture
import repository
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

URL = "https://github.com/someone/a-fork"
OPENING = """# A title

## What you will be able to do

- see
- measure
- decide

**Time:** reading 5 minutes; running 1 minute on a CPU.

**Prerequisites:** [Data](data.ipynb)."""
EXERCISES = """## What you learned

Much.

## Check yourself

What?

## Exercises

### Warm-up: one

<details><summary>Solution</summary>

In *words*.

</details>

### Core: two"""
CLOSING = """### Stretch: three

<details>
<summary>Solution</summary>

$x$

</details>

## References

None."""


def store(folder, cells, name="chapter.ipynb"):
    """Write a notebook in the book's form; the cells get ids that do not change."""
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    notebooks.write(folder / name, new_notebook(cells=cells))
    return folder / name


def code(source, *outputs, tags=()):
    cell = new_code_cell(source, outputs=list(outputs))
    if tags:
        cell.metadata.tags = list(tags)
    return cell


def tidy_cells():
    picture = new_output(
        "display_data", {"image/png": "iVBORw0KGgo="}, metadata={"image/png": {"alt": "A dot"}}
    )
    cells = [
        new_markdown_cell(OPENING),
        code(repository.FIRST_CELL.format(url=URL), tags=["hide-input"]),
        code("print(1)", new_output("stream", text="1\n"), picture),
        new_markdown_cell(EXERCISES),
        code("# @title Solution\nprint(2)", tags=["hide-cell"]),
        new_markdown_cell(CLOSING),
    ]
    for number, cell in enumerate(cells[i] for i in (1, 2, 4)):
        cell.execution_count = number + 1
    return cells


# Execution


def test_unchanged_results_give_unchanged_bytes(tmp_path):
    path = store(
        tmp_path,
        [
            code("import sys\nfor i in range(3):\n    print(i)\n    sys.stdout.flush()"),
            code("1 / 3"),
        ],
    )
    assert execute.execute(path)
    first = path.read_bytes()
    assert not execute.execute(path) and path.read_bytes() == first
    loop, third = notebooks.read(path).cells
    assert [output.text for output in loop.outputs] == ["0\n1\n2\n"]
    assert third.outputs[0].data["text/plain"] == "0.3333333333333333"
    assert (loop.execution_count, third.execution_count) == (1, 2) and loop.metadata == {}


def test_the_kernel_starts_in_the_notebooks_folder(tmp_path):
    path = store(tmp_path, [code("import os\nos.getcwd()")])
    execute.execute(path)
    assert str(tmp_path.resolve()) in str(notebooks.read(path).cells[0].outputs[0].data)


def test_a_cell_that_fails_is_named_and_leaves_the_file(tmp_path):
    path = store(tmp_path, [code("print(1)"), code("x = 0\n1 / x")])
    before = path.read_bytes()
    with pytest.raises(SystemExit) as error:
        execute.execute(path)
    assert "chapter.ipynb failed in cell 2:\nx = 0\n1 / x" in str(error.value)
    assert "ZeroDivisionError: division by zero" in str(error.value)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_of_stderr_only_tensorflows_import_log_is_dropped():
    log = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
        "I0000 00:00:1795329232.877311   10465 port.cc:153] oneDNN custom operations are on.\n"
    )
    warning = "UserWarning: something worth reading\n"
    outputs = [
        new_output("stream", name="stderr", text=log),
        new_output("stream", name="stderr", text=log + warning),
        new_output("stream", name="stdout", text="I0000 00:00:1.5 7 is printed by a chapter\n"),
    ]
    _, mixed, printed = outputs
    assert execute.without_import_log(outputs) == [mixed, printed]
    assert mixed.text == warning


def test_a_chapter_that_does_not_exist_is_named():
    with pytest.raises(SystemExit, match="There is no chapter nothing. Chapters: "):
        execute.main(["nothing"])


def test_editors_metadata_is_removed_and_meaning_kept(tmp_path):
    cell = code("1", tags=["hide-cell"])
    cell.metadata |= {"execution": {"iopub.status.busy": "now"}, "collapsed": False}
    notebook = new_notebook(cells=[cell], metadata={"widgets": {}, "accelerator": "GPU"})
    notebooks.write(tmp_path / "a.ipynb", notebook)
    clean = notebooks.read(tmp_path / "a.ipynb")
    assert clean.cells[0].metadata == {"tags": ["hide-cell"]}
    assert set(clean.metadata) == {"accelerator", "kernelspec", "language_info"}


# Hygiene


def test_the_book_is_in_order():
    hygiene.main()


def test_the_readme_shows_what_the_first_chapter_shows():
    assert readme_picture.PICTURE.read_bytes() == readme_picture.picture()


def test_a_tidy_chapter_has_no_problems(tmp_path):
    path = store(tmp_path, tidy_cells())
    assert hygiene.problems(path, URL) == []
    assert notebooks.read(path).cells[4].metadata.cellView == "form"


def change(index, **fields):
    return lambda cells: cells[index].update(fields)


def replace(index, old, new):
    def edit(cells):
        assert old in cells[index].source
        cells[index].source = cells[index].source.replace(old, new)

    return edit


def output(*arguments, tags=(), **fields):
    def edit(cells):
        cells[2].outputs = [new_output(*arguments, **fields)]
        cells[2].metadata.tags = list(tags)

    return edit


def remarks(number):
    def edit(cells):
        cells[3:3] = [new_markdown_cell("A remark.") for _ in range(number)]

    return edit


PNG = {"image/png": "iVBORw0KGgo="}
DEFECTS = {
    "first cell": (replace(1, "pooch", "pooh"), "first code cell is not the book's Colab cell"),
    "first cell's tag": (change(1, metadata={}), "lacks the tag hide-input"),
    "not run": (change(2, execution_count=None), "was not run from top to bottom"),
    "run out of order": (change(2, execution_count=7), "make execute CHAPTER=chapter"),
    "long cell": (change(2, source="x = 1\n" * 26), "cell 3: more than 25 lines"),
    "error": (
        output("error", ename="ValueError", evalue="", traceback=[]),
        "cell 3: ends in ValueError",
    ),
    "stderr": (
        output("stream", name="stderr", text="W0000 a warning\n"),
        "cell 3: writes to stderr: W0000 a warning",
    ),
    "progress bar": (output("stream", text="1/9\r2/9"), "stores a progress bar"),
    "colour": (output("stream", text="\x1b[1mEpoch"), "stores a progress bar or terminal colours"),
    "address": (
        output("execute_result", {"text/plain": "<A at 0x7f01c0>"}, execution_count=2),
        "shows a memory address",
    ),
    "widget": (
        output("display_data", {"application/vnd.jupyter.widget-view+json": {}}),
        "stores a widget",
    ),
    "no alt": (output("display_data", PNG), "cell 3: a figure without alt text"),
    "empty alt": (
        output("display_data", PNG, metadata={"image/png": {"alt": ""}}),
        "cell 3: a figure without alt text",
    ),
    "picture": (replace(5, "None.", "![](a.png)"), "cell 6: the picture a.png has no alt text"),
    "img": (replace(5, "None.", "<img src='a.png'>"), "cell 6: the picture <img"),
    "no title": (replace(0, "# A title", "A title"), "needs exactly one title"),
    "two titles": (replace(5, "None.", "# Another"), "needs exactly one title"),
    "no aims": (replace(0, "## What you", "## What we"), "lacks the section ## What you will"),
    "two aims": (replace(0, "- decide\n", ""), "needs a list of exactly three items"),
    "no time": (replace(0, "on a CPU", "somewhere"), "lacks the line **Time:**"),
    "no minutes": (replace(0, "running 1", "running one"), "lacks the line **Time:**"),
    "no prerequisites": (replace(0, "**Prerequisites:**", "You need"), "**Prerequisites:** ..."),
    "no takeaways": (replace(3, "## What you learned", "## Then"), "must end with the sections"),
    "no questions": (replace(3, "## Check yourself", "### Ask"), "must end with the sections"),
    "many cells": (remarks(41), "shows 46 cells, more than 45"),
    "not last": (replace(5, "None.", "None.\n\n## More"), "must end with the sections"),
    "two exercises": (replace(5, "### Stretch: three", ""), "needs the exercises ### Warm-up"),
    "no solution": (replace(5, "Solution", "Hint"), "'Stretch: three' has no collapsed solution"),
    "raw solution": (replace(3, "</summary>\n", "</summary>"), "needs blank lines inside"),
    "open solution": (change(4, metadata={}), "among the exercises is not collapsed"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_named(tmp_path, defect):
    edit, expected = DEFECTS[defect]
    cells = tidy_cells()
    edit(cells)
    found = hygiene.problems(store(tmp_path, cells), URL)
    assert [problem for problem in found if expected in problem], found
    assert all(problem.startswith("chapter.ipynb: ") for problem in found)


def test_collapsed_cells_are_not_counted(tmp_path):
    cells = tidy_cells()
    remarks(50)(cells)
    for cell in cells[3:23]:
        cell.metadata.tags = ["remove-cell"]
    assert hygiene.problems(store(tmp_path, cells), URL) == []


def test_an_intended_error_is_no_defect(tmp_path):
    cells = tidy_cells()
    output("error", ename="ValueError", evalue="", traceback=[], tags=["raises-exception"])(cells)
    assert hygiene.problems(store(tmp_path, cells), URL) == []


def test_an_editors_metadata_is_a_defect(tmp_path):
    path = store(tmp_path, tidy_cells())
    path.write_text(
        path.read_text(encoding="utf-8").replace('"name": "python3"', '"name": "my-env"'),
        encoding="utf-8",
    )
    assert hygiene.problems(path, URL) == [
        "chapter.ipynb: holds an editor's metadata: make execute CHAPTER=chapter"
    ]


def test_a_heavy_notebook_is_a_defect(tmp_path):
    cells = tidy_cells()
    cells[2].outputs[1].data = {"image/png": "A" * 1_500_000}
    [problem] = hygiene.problems(store(tmp_path, cells), URL)
    assert "bytes, more than 1,500,000: show smaller figures" in problem


# The repository's address


def test_config_and_notebooks_name_one_address():
    expected = repository.FIRST_CELL.format(url=repository.address())
    for path in notebooks.pages(".ipynb"):
        assert repository.first_cell(notebooks.read(path)).source == expected, path.name


@pytest.fixture
def project(tmp_path):
    (tmp_path / "_config.yml").write_text(
        f"title: A\nrepository:\n  # why\n  url: {URL}\n  branch: main\nother:\n  url: x\n",
        encoding="utf-8",
    )
    (tmp_path / "book").mkdir()
    for name in ["a.ipynb", "b.ipynb"]:
        store(tmp_path / "book", copy.deepcopy(tidy_cells()), name)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_a_new_address_is_written_everywhere(project):
    before = contents(project)
    new = "https://github.com/teacher/course"
    changed = repository.point_to(new + ".git", project, project / "book")
    assert [path.name for path in changed] == ["_config.yml", "a.ipynb", "b.ipynb"]
    assert repository.address(project) == new
    expected = {path: text.replace(URL.encode(), new.encode()) for path, text in before.items()}
    assert contents(project) == expected


def test_the_same_address_changes_no_byte(project):
    before = contents(project)
    assert repository.point_to(URL, project, project / "book") == []
    assert contents(project) == before


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://github.com/a/b",
        "git@github.com:a/b",
        "https://github.com/a",
        "https://a/b/c d",
        "https://github.com/a/b;rm",
    ],
)
def test_what_is_no_https_address_is_refused(project, url):
    before = contents(project)
    with pytest.raises(SystemExit, match="is not the https address of a repository"):
        repository.point_to(url, project, project / "book")
    assert contents(project) == before


def test_a_notebook_without_the_cell_stops_before_anything_changes(project):
    store(project / "book", [code("1")], "c.ipynb")
    before = contents(project)
    with pytest.raises(SystemExit, match="c.ipynb does not begin with the book's Colab cell"):
        repository.point_to("https://github.com/teacher/course", project, project / "book")
    assert contents(project) == before
