"""For `pytest --nbval book`: its kernels compute as those of `make execute` do."""

import determinism  # noqa: F401


def pytest_configure(config):
    """Render the emoji once, before xdist's workers start, or the first cell shows a bar."""
    if not hasattr(config, "workerinput"):
        from companion import data

        data.openmoji(64)
        data.emoji_styles(64)
