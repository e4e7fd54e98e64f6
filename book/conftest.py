"""For `pytest --nbval book`: its kernels compute as those of `make execute` do."""

import determinism  # noqa: F401
