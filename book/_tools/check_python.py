"""Say clearly why this Python cannot make the book's environment; silent when it can.

Runs before anything is installed, under whatever Python there is: no library, no new syntax.
"""

import io
import re
import sys

with io.open("pyproject.toml", encoding="utf-8") as file:  # noqa: UP020  Python 2 has no other
    bounds = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', file.read())
oldest, beyond = int(bounds.group(1)), int(bounds.group(2))

if not (3, oldest) <= sys.version_info[:2] < (3, beyond):
    sys.exit(
        "This book needs Python 3.%d to 3.%d; %s is Python %d.%d.\n"
        "Install one of these and name it, for example: make book PYTHON=python3.%d"
        % ((oldest, beyond - 1, sys.executable) + tuple(sys.version_info[:2]) + (beyond - 2,))
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError as error:
    sys.exit(
        "%s cannot create virtual environments (%s).\n"
        "Install its venv module (on Debian and Ubuntu: apt install python3-venv), "
        "or name another Python: make book PYTHON=python3.%d" % (sys.executable, error, beyond - 2)
    )
