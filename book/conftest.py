"""For `pytest --nbval book`: its kernels compute as those of `make execute` do."""

import functools

import determinism  # noqa: F401
from notebooks import TIME

# Masters hold no outputs; tests/test_book_assignments.py runs them.
collect_ignore = ["assignments"]


def pytest_configure(config):
    """Render the emoji once, before xdist's workers start, or the first cell shows a bar."""
    if not hasattr(config, "workerinput"):
        from companion import data

        data.openmoji(64)
        data.emoji_styles(64)


def pytest_collection_modifyitems(items):
    """Begin with what runs longest, so that no process waits long for the other at the end."""
    items.sort(key=lambda item: -minutes(item.path))


@functools.cache
def minutes(notebook):
    """The minutes that a chapter says it runs; 0 of other files."""
    found = TIME.search(notebook.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0
