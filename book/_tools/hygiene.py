"""Check the form of every chapter and assignment; part of `make lint`.

A chapter is laid out like this (see an existing one):

    # Title                             and the opening screen
    (first code cell: the Colab cell of repository.py, tagged hide-input)
    ## What you will be able to do      a list of exactly three items
    **Time:** ... running 3 minutes on a CPU ...      one line
    **Prerequisites:** ...              one line
    ...
    ## What you learned                 the takeaways again
    ## Check yourself                   quick questions, answers collapsed
    ## Exercises                        ### Warm-up: ..., ### Core: ... and ### Stretch: ...
    ## References                       the last section

At most 45 cells are seen, those tagged remove-cell or hide-cell not counted.

A solution is collapsed in one of two ways, both of which also work in Colab and Jupyter:

- words or formulas: a Markdown cell with <details><summary>Solution</summary>, a blank line,
  ordinary Markdown, a blank line and </details>;
- code that is run: a code cell tagged hide-cell whose first line is "# @title Solution".

The masters of assignments begin with the same Colab cell and store no outputs.

An output that changes from run to run carries the tag nbval-ignore-output; a cell that is meant
to fail, raises-exception.
"""

import re
import sys

from markdown_it import MarkdownIt
from notebooks import ROOT, TIME, as_text, pages, read
from repository import FIRST_CELL, address, first_cell

LINES_PER_CELL = 25
CELLS_SEEN = 45
BYTES_PER_NOTEBOOK = 1_500_000
ENDING = ["What you learned", "Check yourself", "Exercises", "References"]
EXERCISES = ["Warm-up", "Core", "Stretch"]
MARKDOWN = MarkdownIt()


def problems(path, url):
    """What is wrong with one notebook, as lines of text that name the cell and the remedy."""
    notebook = read(path)
    found = file_problems(path, notebook) + first_cell_problems(notebook, url)
    found += structure_problems(notebook.cells)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("was not run from top to bottom: make execute CHAPTER=" + path.stem)
    for number, cell in enumerate(notebook.cells, 1):
        one = code_problems(cell) if cell.cell_type == "code" else markdown_problems(cell)
        found += [f"cell {number}: {problem}" for problem in one]
    return [f"{path.name}: {problem}" for problem in found]


def master_problems(path, url):
    """What is wrong with the master of an assignment, which stores no outputs."""
    notebook = read(path)
    found = file_problems(path, notebook) + first_cell_problems(notebook, url)
    if any(cell.get("outputs") for cell in notebook.cells):
        found.append("stores outputs, which may give answers away: clear them")
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            found += [f"cell {number}: {problem}" for problem in markdown_problems(cell)]
    return [f"{path.name}: {problem}" for problem in found]


def file_problems(path, notebook):
    size = path.stat().st_size
    if size > BYTES_PER_NOTEBOOK:
        return [f"has {size:,} bytes, more than {BYTES_PER_NOTEBOOK:,}: show smaller figures"]
    if path.read_text(encoding="utf-8") != as_text(notebook):
        return ["holds an editor's metadata: make execute CHAPTER=" + path.stem]
    return []


def first_cell_problems(notebook, url):
    cell = first_cell(notebook)
    if cell is None or cell.source != FIRST_CELL.format(url=url):
        return [
            "the first code cell is not the book's Colab cell: "
            f"copy it from another chapter, then make repository URL={url}"
        ]
    if "hide-input" not in cell.metadata.get("tags", []):
        return ["the Colab cell lacks the tag hide-input"]
    return []


def code_problems(cell):
    tags = cell.metadata.get("tags", [])
    found = []
    if len(cell.source.splitlines()) > LINES_PER_CELL:
        found.append(f"more than {LINES_PER_CELL} lines: one idea per cell")
    for output in cell.outputs:
        text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
        if output.output_type == "error" and "raises-exception" not in tags:
            found.append(f"ends in {output.ename}; if it is meant to, tag it raises-exception")
        if output.output_type == "stream" and output.name == "stderr":
            found.append("writes to stderr: " + text.strip().splitlines()[-1])
        if re.search(r"[\r\b\x1b]", text):
            found.append("stores a progress bar or terminal colours: use verbose=2 or 0")
        if re.search(r" at 0x[0-9a-f]+", text):
            found.append("shows a memory address, which differs in every run: name the value")
        if any("widget" in kind for kind in output.get("data", {})):
            found.append("stores a widget, which a page cannot show")
        if "image/png" in output.get("data", {}):
            if not output.metadata.get("image/png", {}).get("alt"):
                found.append("a figure without alt text: companion.plots.show(figure, alt)")
    return found


def markdown_problems(cell):
    found = []
    for block in MARKDOWN.parse(cell.source):
        for token in block.children or []:
            if token.type == "image" and not token.content.strip():
                found.append(f"the picture {token.attrs['src']} has no alt text: ![text](...)")
    for tag in re.findall(r"<img\b[^>]*>", cell.source):
        if not re.search(r'\balt="[^"]+"', tag):
            found.append(f"the picture {tag} has no alt text")
    return found


def headings(source):
    tokens = MARKDOWN.parse(source)
    return [
        (int(tag.tag[1]), text.content)
        for tag, text in zip(tokens, tokens[1:])
        if tag.type == "heading_open"
    ]


def sections(cells):
    """Pairs of a level-two heading and its cells; the heading's cell counts with what it begins.

    A cell may hold several headings: it is cut before each.
    """
    parts = [("", [])]
    for cell in cells:
        if cell.cell_type == "code":
            parts[-1][1].append(cell)
            continue
        first, *rest = re.split(r"(?m)^(?=## )", cell.source)
        if first:
            parts[-1][1].append(first)
        for text in rest:
            parts.append((headings(text)[0][1], [text]))
    return parts


def structure_problems(cells):
    found = []
    seen = sum(
        not {"remove-cell", "hide-cell"} & set(cell.metadata.get("tags", [])) for cell in cells
    )
    if seen > CELLS_SEEN:
        found.append(f"shows {seen} cells, more than {CELLS_SEEN}: collapse or drop some")
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    titles = [title for text in texts for level, title in headings(text) if level == 1]
    if len(titles) != 1 or not cells or not cells[0].source.startswith("# "):
        found.append(f"needs exactly one title (# ...), at the very top; it has {len(titles)}")
    parts = dict(sections(cells))
    order = [name for name, _ in sections(cells)]
    aims = parts.get("What you will be able to do")
    if aims is None:
        found.append("lacks the section ## What you will be able to do")
    elif sum(t.type == "list_item_open" for t in MARKDOWN.parse(aims[0])) != 3:
        found.append("What you will be able to do: needs a list of exactly three items")
    opening = "\n".join(texts)
    if not TIME.search(opening):
        found.append("lacks the line **Time:** ... running 3 minutes on a CPU")
    if not re.search(r"(?m)^\*\*Prerequisites:\*\* \S", opening):
        found.append("lacks the line **Prerequisites:** ...")
    if order[-len(ENDING) :] != ENDING:
        found.append(f"must end with the sections ## {', ## '.join(ENDING)}")
    return found + exercise_problems(parts.get("Exercises", []))


def exercise_problems(cells):
    found, exercises = [], []
    for cell in cells:
        if isinstance(cell, str):
            for text in re.split(r"(?m)^(?=### )", cell):
                if text.startswith("### "):
                    exercises.append([headings(text)[0][1], False])
                if exercises and re.search(r"<details>\s*<summary>Solution", text):
                    exercises[-1][1] = True
                    if "</summary>\n\n" not in text or "\n\n</details>" not in text:
                        found.append(
                            "a solution needs blank lines inside <details>, "
                            "or its Markdown is shown raw"
                        )
        elif "hide-cell" not in cell.metadata.get("tags", []):
            found.append(
                "a code cell among the exercises is not collapsed: tag it hide-cell "
                "and begin it with # @title Solution"
            )
        elif exercises:
            exercises[-1][1] = True
    names = [name.partition(":")[0] for name, _ in exercises]
    if names != EXERCISES:
        found.append(
            f"needs the exercises ### Warm-up: ..., ### Core: ... and ### Stretch: ..., not {names}"
        )
    return found + [
        f"the exercise {name!r} has no collapsed solution"
        for name, solved in exercises
        if not solved
    ]


def main():
    url, chapters = address(), pages(".ipynb")
    found = [problem for path in chapters for problem in problems(path, url)]
    masters = sorted((ROOT / "book/assignments").glob("*.ipynb"))
    found += [problem for path in masters for problem in master_problems(path, url)]
    listed = {path.resolve() for path in chapters}
    found += [
        f"{path.name}: is not in _toc.yml"
        for path in sorted((ROOT / "book").glob("*.ipynb"))
        if path.resolve() not in listed
    ]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(chapters)} chapters and {len(masters)} assignments are in order")


if __name__ == "__main__":
    main()
