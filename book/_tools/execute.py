"""Run chapters from top to bottom and store their outputs: `make execute [CHAPTER=name]`.

The kernel starts in the notebook's own folder, as Jupyter, Colab and nbval do.
"""

import re
import sys
import time
from pathlib import Path

import determinism  # noqa: F401  the kernel inherits its switches
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from notebooks import BOOK, pages, read, write

SECONDS_PER_CELL = 1200
# What TensorFlow 2.21 writes to stderr when it is imported, whatever its log level is.
IMPORT_LOG = re.compile(r"(WARNING: All log messages before absl|I\d{4} [\d:.]+ +\d+ \w+\.cc:).*\n")


def execute(path):
    """Run one notebook and store it; a cell that fails leaves the file as it was."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    where = "before its first cell"

    def remember(cell, cell_index):
        nonlocal where
        where = f"in cell {cell_index + 1}:\n{cell.source}\n"

    client.on_cell_start = remember
    try:
        client.execute()
    except CellExecutionError as error:
        raise SystemExit(
            f"{path.name} failed {where}\n{error.ename}: {error.evalue}\n"
            "The file was left as it was."
        ) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise SystemExit(
            f"{path.name} failed {where}\n{error}\nThe file was left as it was."
        ) from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = without_import_log(cell.outputs)
    return write(path, notebook)


def without_import_log(outputs):
    """Drop TensorFlow's import log; everything else on stderr stays, and is a defect."""
    for output in outputs:
        if output.get("name") == "stderr":
            output.text = IMPORT_LOG.sub("", output.text)
    return [output for output in outputs if output.get("text") != ""]


def main(names):
    chapters = [BOOK / f"{Path(name).stem}.ipynb" for name in names] or pages(".ipynb")
    for path in chapters:
        if not path.exists():
            known = ", ".join(page.stem for page in pages(".ipynb"))
            raise SystemExit(f"There is no chapter {path.stem}. Chapters: {known}")
        start = time.monotonic()
        changed = execute(path)
        print(
            f"{path.stem}: {time.monotonic() - start:.0f} s, "
            f"{'outputs changed' if changed else 'unchanged'}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
