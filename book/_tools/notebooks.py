"""What the book's tools share: where the pages are, and how a notebook is read and written."""

import os
import re
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
# What a chapter says of its time, and in it the minutes (at most) that its cells take.
TIME = re.compile(r"\*\*Time:\*\* .*running (?:\d+ to )?(\d+) minutes? on a CPU")


def pages(suffix=""):
    """The files of the table of contents, in reading order; suffix ".ipynb" or ".md" selects."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"]]
    for part in toc.get("parts", []):
        names += [chapter["file"] for chapter in part["chapters"]]
    found = []
    for name in names:
        files = [ROOT / (name + end) for end in (".ipynb", ".md")]
        if not any(file.exists() for file in files):
            raise SystemExit(f"_toc.yml names {name}, but there is no {name}.ipynb or {name}.md")
        found += [file for file in files if file.exists() and file.name.endswith(suffix)]
    return found


def read(path):
    return nbformat.read(path, as_version=4)


def as_text(notebook):
    """The notebook's file, byte for byte: the metadata that authors mean and nothing of editors."""
    notebook = nbformat.from_dict(notebook)
    keep = {key: notebook.metadata[key] for key in ["accelerator"] if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **keep,
        }
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.source.startswith("# @title"):
            cell.metadata.cellView = "form"  # Colab then hides the code, as the page does
        if cell.cell_type == "code":
            cell.outputs = joined_streams(cell.outputs)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def joined_streams(outputs):
    """Consecutive prints as one output: how they were flushed must not show in the file."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and output.get("name") == last.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def write(path, notebook):
    """Replace the file in one step; leave it alone where nothing changed."""
    text = as_text(notebook)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    half = path.with_suffix(".part")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)
    return True
