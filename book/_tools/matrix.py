"""Run the unit tests on every Python that the book promises, and as on Colab: `make matrix`.

Each gets an environment in _build/matrix: the Pythons hold what requirements.txt says, Colab's
what tests/colab.txt says and, as the first cell of a chapter installs it, the companion. A Python
that is not on this machine is left out. --quick leaves out this very Python, which `make test`
covers, and trains on Colab's versions only.
"""

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import determinism  # noqa: F401  the tests inherit its switches
from notebooks import ROOT
from repository import FIRST_CELL

ENVIRONMENTS = ROOT / "_build" / "matrix"
COLAB = ["3.13", "3.12"]  # the current runtime's Python, and the one before
# Of the built book, its tools or pages in a browser: one Python is enough for those.
LEFT_OUT = re.compile("test_book_|test_browser|test_explorers")
SLOW = re.compile("test_cyclegan|test_features|test_pix2pix|test_recorded|test_translator")


def promised():
    """The versions from the oldest to the newest that pyproject.toml allows."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = tomllib.loads(text)["project"]["requires-python"]
    oldest, beyond = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", bounds).groups())
    return [f"3.{minor}" for minor in range(oldest, beyond)]


def find(version):
    """The path of a Python of this version, or None. uv looks on the PATH; pyenv hides others."""
    hidden = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin"))
    path = os.pathsep.join([os.environ["PATH"], *hidden])
    command = ["uv", "python", "find", "--no-python-downloads", "--no-project", "--system", version]
    found = subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, encoding="utf-8"
    )
    return found.stdout.strip() or None


def colab_install(repository):
    """What the first cell of a chapter passes to pip, with a folder in place of an address."""
    line = FIRST_CELL.splitlines()[-1].strip().removeprefix("%pip ")
    return shlex.split(line.replace("git+{url}", shlex.quote(str(repository))))


def copy_project(folder):
    """Copy what pip needs, since it leaves files behind where it builds; the new folder."""
    shutil.copytree(ROOT / "companion", folder / "companion", dirs_exist_ok=True)
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(ROOT / name, folder)
    return folder


def prepare(name, python):
    """Make the environment anew and install into it; its folder."""
    folder = ENVIRONMENTS / name
    inside = folder / "bin" / "python"
    uv = ["uv", "pip", "install", "--quiet", "--python", inside]
    run(["uv", "venv", "--quiet", "--seed", "--clear", "--python", python, folder])
    project = copy_project(folder / "project")
    if name == "colab":
        run([*uv, "-r", ROOT / "tests" / "colab.txt"])
        run([inside, "-m", "pip", *colab_install(project)])
        run([*uv, "nbformat", "nbval", "pytest"])
    else:
        run([*uv, "--require-hashes", "-r", ROOT / "requirements.txt"])
        run([*uv, "--no-deps", project])
    return folder


def run(command):
    subprocess.run(command, cwd=ROOT, check=True)


def tests(quick):
    """The test files, which need neither the built book nor a browser; quick: no trainings."""
    left_out = [LEFT_OUT, SLOW] if quick else [LEFT_OUT]
    paths = sorted((ROOT / "tests").glob("test_*.py"))
    return [path for path in paths if not any(names.match(path.name) for names in left_out)]


def main(quick):
    own = "{}.{}".format(*sys.version_info)
    pythons = {version: find(version) for version in promised() if not (quick and version == own)}
    pythons["colab"] = next(filter(None, map(find, COLAB)), None)
    failed = []
    for name, python in pythons.items():
        if python is None:
            print(f"{name}: left out, there is no such Python here", flush=True)
            continue
        print(f"{name}: {python}", flush=True)
        try:
            # Not python -m pytest, which would import the companion from this folder.
            files = tests(quick and name != "colab")
            run([prepare(name, python) / "bin" / "pytest", "--quiet", "--disable-warnings", *files])
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error}", flush=True)
            failed.append(name)
    if failed:
        sys.exit(f"The tests fail in {', '.join(failed)}.")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
