"""The environment: Makefile, lock, environment.yml, table of contents."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import notebooks
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = notebooks.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def lock():
    """{name: text of its entry} of requirements.txt."""
    entries = re.split(r"(?m)^(?=[a-z])", (ROOT / "requirements.txt").read_text())
    return {re.split("[=<> ]", entry)[0]: entry for entry in entries if entry.strip()}


def test_every_entry_of_the_lock_is_pinned_and_hashed():
    for name, entry in lock().items():
        assert re.match(r"\S+==\S+", entry) and "--hash=sha256:" in entry, name


def test_the_lock_names_no_index():
    text = (ROOT / "requirements.txt").read_text()
    assert "index" not in re.sub(r"(?m)^\s*#.*$", "", text) and "://" not in text


@pytest.mark.parametrize(
    "wanted",
    [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["book"],
        *PROJECT["optional-dependencies"]["test"],
    ],
)
def test_the_lock_holds_what_the_project_asks_for(wanted):
    wanted = Requirement(wanted)
    entry = lock().get(canonicalize_name(wanted.name), "")
    version = re.match(r"\S+==([^\s;]+)", entry)
    assert version and version[1] in wanted.specifier, f"{wanted} is not in the lock: make lock"


def test_environment_yml_leaves_versions_to_the_package():
    python, *others = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert python == "python " + PROJECT["requires-python"]
    assert others == ["pip", {"pip": ["-e .[book,test]"]}]


def test_all_notebooks_are_in_the_table_of_contents():
    assert set((ROOT / "book").glob("*.ipynb")) == set(notebooks.pages(".ipynb"))


def test_a_page_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "_toc.yml").write_text("root: index\nparts: [{chapters: [{file: book/nowhere}]}]")
    (tmp_path / "index.md").touch()
    with pytest.raises(SystemExit, match="_toc.yml names book/nowhere, but there is no"):
        notebooks.pages()


# A python that writes down what it is asked to do. `-m venv` copies it into the new environment,
# where installing fails as long as a file `offline` lies in the folder.
FAKE = """#!/bin/sh
echo "$@" >> calls
case "$*" in
    *check_python.py*) exec {real} -c '
import sys, runpy
{lie}
runpy.run_path(sys.argv[1], run_name="__main__")' "$@" ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip install"*) test ! -e offline ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """make(PYTHON=..., lie=...) installs in a copy of the project; what make said and returned."""
    for name in ["Makefile", "pyproject.toml", "requirements.txt", "book/_tools/check_python.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def run(target=".venv/installed", lie="", **variables):
        fake = tmp_path / "bin" / "python3"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(FAKE.format(real=sys.executable, lie=lie))
        fake.chmod(0o755)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        return subprocess.run(
            ["make", target, *(f"{key}={value}" for key, value in variables.items())],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**inherited, "PATH": f"{fake.parent}:{os.environ['PATH']}"},
        )

    run.folder = tmp_path
    return run


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 14, 0)])
def test_a_python_that_does_not_fit_is_refused(make, version):
    result = make(lie=f"sys.version_info = {version}")
    assert result.returncode != 0
    assert "This book needs Python 3.11 to 3.13" in result.stderr
    assert f"is Python {version[0]}.{version[1]}" in result.stderr
    assert "make book PYTHON=python3.12" in result.stderr
    assert not (make.folder / ".venv").exists()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_refused(make, module):
    result = make(lie=f'sys.modules["{module}"] = None')
    assert result.returncode != 0 and "cannot create virtual environments" in result.stderr
    assert "python3-venv" in result.stderr and not (make.folder / ".venv").exists()


def test_a_python_that_is_not_there_is_refused(make):
    result = make(PYTHON="python3.99")
    assert result.returncode != 0 and "There is no python3.99 here" in result.stdout


def installs(folder):
    return (folder / "calls").read_text().count("--require-hashes -r requirements.txt")


def test_a_broken_install_is_repeated_and_a_complete_one_is_not(make):
    (make.folder / "offline").touch()
    assert make().returncode != 0 and not (make.folder / ".venv/installed").exists()
    (make.folder / "offline").unlink()
    assert make().returncode == 0 and installs(make.folder) == 2
    assert "--no-deps --no-build-isolation -e ." in (make.folder / "calls").read_text()
    assert make().returncode == 0 and installs(make.folder) == 2


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml"])
def test_a_new_lock_is_installed(make, changed):
    make()
    later = os.stat(make.folder / ".venv/installed").st_mtime + 2
    os.utime(make.folder / changed, (later, later))
    assert make().returncode == 0 and installs(make.folder) == 2


def test_an_install_that_breaks_while_renewing_does_not_count(make):
    make()
    later = os.stat(make.folder / ".venv/installed").st_mtime + 2
    os.utime(make.folder / "requirements.txt", (later, later))
    (make.folder / "offline").touch()
    assert make().returncode != 0 and not (make.folder / ".venv/installed").exists()


def test_help_lists_every_target(make):
    text = make("help").stdout
    targets = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text())[1].split()
    assert [name for name in targets if not re.search(rf"(?m)^make {name} +\w", text)] == []


# A command that writes down its name and what it is asked to do; as python3 it makes environments,
# as make it tells what it finds.
NOTE = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in "-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/pip" && cp "$0" "$3/bin/uv" ;; esac
case "$0" in
    */id) echo "$USER_ID" ;;
    */sudo) "$@" ;;
    */make) echo "CI=$CI $(command -v uv)" >> "$CALLS" ;;
esac
test "$(basename "$0")" != "$BROKEN"
"""


@pytest.fixture
def ci(tmp_path):
    """ci(*commands): run .ci/run on a machine that has those; the calls it made."""
    script, calls, commands = tmp_path / ".ci/run", tmp_path / "calls", tmp_path / "bin"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci/run", script)

    def run(*names, user_id=0, broken="none"):
        commands.mkdir()
        for name in ["bash", "sh", "dirname", "basename", "mktemp", "mkdir", "cp"]:
            (commands / name).symlink_to(shutil.which(name))
        for name in ["apt-get", "id", "make", "python3", "sudo", *names]:
            (commands / name).write_text(NOTE)
            (commands / name).chmod(0o755)
        result = subprocess.run(
            [script],
            cwd="/",
            env={
                "PATH": str(commands),
                "CALLS": str(calls),
                "USER_ID": str(user_id),
                "BROKEN": broken,
                "TMPDIR": str(tmp_path),
            },
        )
        return result.returncode, [
            line for line in calls.read_text().splitlines() if not line.startswith("id ")
        ]

    return run


def test_ci_runs_what_a_user_would(ci):
    code, calls = ci("chromium", "uv")
    assert code == 0 and calls[0] == "make lint book test reference"
    assert len(calls) == 2 and calls[1].startswith("CI=true /")


def test_ci_installs_the_browser_and_uv_that_are_missing(ci):
    code, calls = ci()
    assert code == 0 and [call.split()[:2] for call in calls[:5]] == [
        ["apt-get", "update"],
        ["apt-get", "install"],
        ["python3", "-m"],
        ["pip", "install"],
        ["make", "lint"],
    ]
    assert calls[1].endswith(" chromium") and calls[3].endswith(" uv")
    assert calls[5].endswith("/bin/uv")


def test_ci_installs_with_sudo_where_it_is_not_root(ci):
    code, calls = ci("uv", user_id=1000)
    assert code == 0 and [call.partition(" ")[0] for call in calls[:4]] == ["sudo", "apt-get"] * 2


@pytest.mark.parametrize("broken", ["apt-get", "pip", "make"])
def test_ci_fails_where_a_step_does(ci, broken):
    code, _ = ci(broken=broken)
    assert code != 0
