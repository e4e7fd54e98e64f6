"""The environment: Makefile, lock, environment.yml, Colab, switches, table of contents."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import determinism
import mathjax
import matrix
import notebooks
import pytest
import repository
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = notebooks.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lock():
    """{name: text of its entry} of requirements.txt."""
    entries = re.split(r"(?m)^(?=[a-z])", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    return {re.split("[=<> ]", entry)[0]: entry for entry in entries if entry.strip()}


def test_every_entry_of_the_lock_is_pinned_and_hashed():
    for name, entry in lock().items():
        assert re.match(r"\S+==\S+", entry) and "--hash=sha256:" in entry, name


def test_the_lock_names_no_index():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "index" not in re.sub(r"(?m)^\s*#.*$", "", text) and "://" not in text


@pytest.mark.parametrize(
    "wanted",
    [
        *PROJECT["dependencies"],
        *(x for extra in PROJECT["optional-dependencies"].values() for x in extra),
    ],
)
def test_the_lock_holds_what_the_project_asks_for(wanted):
    wanted = Requirement(wanted)
    entry = lock().get(canonicalize_name(wanted.name), "")
    version = re.match(r"\S+==([^\s;]+)", entry)
    assert version and version[1] in wanted.specifier, f"{wanted} is not in the lock: make lock"


def test_environment_yml_leaves_versions_to_the_package():
    python, *others = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    assert python == "python " + PROJECT["requires-python"]
    extras = ",".join(sorted(PROJECT["optional-dependencies"]))
    assert others == ["pip", {"pip": [f"-e .[{extras}]"]}]


def test_the_first_cell_installs_what_colab_lacks():
    colab = (ROOT / "tests/colab.txt").read_text(encoding="utf-8")
    brought = {canonicalize_name(name) for name in re.findall(r"(?m)^[\w-]+", colab)}
    needed = {canonicalize_name(Requirement(x).name) for x in PROJECT["dependencies"]}
    assert repository.LACKING.split() == sorted(needed - brought)


def test_colab_s_versions_are_those_the_project_allows():
    lines = (ROOT / "tests/colab.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    wanted = {x.name: x.specifier for x in map(Requirement, PROJECT["dependencies"])}
    assert {"tensorflow", "keras", "numpy", "ipython"} <= pinned.keys()
    assert [name for name in pinned if pinned[name] not in wanted[name]] == []


def test_all_notebooks_are_in_the_table_of_contents():
    assert set((ROOT / "book").glob("*.ipynb")) == set(notebooks.pages(".ipynb"))


def test_a_page_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "_toc.yml").write_text(
        "root: index\nparts: [{chapters: [{file: book/nowhere}]}]", encoding="utf-8"
    )
    (tmp_path / "index.md").touch()
    with pytest.raises(SystemExit, match="_toc.yml names book/nowhere, but there is no"):
        notebooks.pages()


# What a plain `pytest` computes with, in the tests and in the kernels that nbval starts.
SWITCHES_IN_TESTS = """
import os
import determinism
from tensorflow.python.framework.config import is_op_determinism_enabled

def test_switches():
    assert determinism.SWITCHES.items() <= os.environ.items()
    assert is_op_determinism_enabled()  # TensorFlow has seen it
"""
SWITCHES_IN_KERNELS = "import os\nprint(*[os.environ.get(name) for name in %r])"


def test_a_plain_pytest_sets_the_switches_of_make_test(tmp_path):
    for name in ["tests", "book"]:
        (tmp_path / name).mkdir()
        shutil.copy(ROOT / name / "conftest.py", tmp_path / name)
    (tmp_path / "tests/test_a.py").write_text(SWITCHES_IN_TESTS, encoding="utf-8")
    cell = new_code_cell(SWITCHES_IN_KERNELS % list(determinism.SWITCHES), execution_count=1)
    cell.outputs = [new_output("stream", text=" ".join(determinism.SWITCHES.values()) + "\n")]
    notebooks.write(tmp_path / "book/a.ipynb", new_notebook(cells=[cell]))
    clean = {k: v for k, v in os.environ.items() if k not in determinism.SWITCHES}
    for command in [["tests"], ["--nbval", "book"]]:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-c",
                ROOT / "pyproject.toml",
                "--rootdir",
                ROOT,
                *command,
            ],
            cwd=tmp_path,
            env=clean,
            check=True,
        )


def text_without_encoding(source):
    """The lines where a text file is read or written in the encoding of whoever runs it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            mode = next((x.value for x in node.args[1:2] if isinstance(x, ast.Constant)), "")
            text = name in ("read_text", "write_text") or (
                name == "open" and isinstance(node.func, ast.Name) and "b" not in mode
            )
            if text and not any(keyword.arg == "encoding" for keyword in node.keywords):
                yield node.lineno


def test_text_files_are_utf_8_everywhere():
    files = [
        file for folder in ["companion", "book", "tests"] for file in (ROOT / folder).rglob("*.py")
    ]
    found = [
        f'{file.relative_to(ROOT)}:{line} lacks encoding="utf-8"'
        for file in files
        for line in text_without_encoding(file.read_text(encoding="utf-8"))
    ]
    assert len(files) > 30 and found == []


# A python that only pretends to install: `-m venv` copies it into the new environment, which then
# holds the lock it was made from as `lock`, unless a file `offline` lies in the folder, and the
# companion's folder as `companion`.
FAKE = """#!/bin/sh
case "$*" in
    *check_python.py*) exec {real} -c '
import sys, runpy
{lie}
runpy.run_path(sys.argv[1], run_name="__main__")' "$@" ;;
    "-m venv"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python
        echo "command = $PWD/.venv" > .venv/pyvenv.cfg ;;
    *"pip install"*"-r requirements.txt") test ! -e offline && cp requirements.txt .venv/lock ;;
    *"pip install"*"-e .") pwd > .venv/companion ;;
    "-c import mathjax"*) exec {real} "$@" ;;
    *bench.py) env > environment ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """make(PYTHON=..., lie=...) installs in a copy of the project; what make said and returned."""
    folder = tmp_path / "project"
    for name in ["Makefile", "pyproject.toml", "requirements.txt", "book/_tools/check_python.py"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)

    def run(target=".venv/installed", lie="", **variables):
        fake = tmp_path / "bin" / "python3"
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(FAKE.format(real=sys.executable, lie=lie), encoding="utf-8")
        fake.chmod(0o755)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "TF_"))}
        return subprocess.run(
            ["make", target, *(f"{key}={value}" for key, value in variables.items())],
            cwd=run.folder,
            capture_output=True,
            text=True,
            env={**inherited, "PATH": f"{fake.parent}:{os.environ['PATH']}"},
        )

    run.folder = folder
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


def complete(make):
    """Whether make took the environment for complete, and it holds what the folder asks for."""
    if make().returncode or not (make.folder / ".venv/installed").exists():
        return False
    wanted = (make.folder / "requirements.txt").read_bytes()
    assert (make.folder / ".venv/lock").read_bytes() == wanted
    held = (make.folder / ".venv/companion").read_text(encoding="utf-8").strip()
    assert held == str(make.folder)
    return True


def renew(path):
    """Change a file's time; make compares it to that of the last installation."""
    later = os.stat(path.parent / ".venv/installed").st_mtime + 2
    os.utime(path, (later, later))


def test_a_broken_install_is_repeated_and_a_complete_one_is_not(make):
    (make.folder / "offline").touch()
    assert not complete(make)
    (make.folder / "offline").unlink()
    assert complete(make)
    (make.folder / ".venv/lock").unlink()
    assert make().returncode == 0 and not (make.folder / ".venv/lock").exists()


def test_a_new_lock_is_installed_and_one_that_breaks_does_not_count(make):
    assert complete(make)
    lock = make.folder / "requirements.txt"
    lock.write_text("# another\n", encoding="utf-8")
    renew(lock)
    (make.folder / "offline").touch()
    assert not complete(make)
    (make.folder / "offline").unlink()
    assert complete(make)


def test_a_new_pyproject_is_installed(make):
    assert complete(make)
    (make.folder / ".venv/companion").unlink()
    renew(make.folder / "pyproject.toml")
    assert complete(make)


def test_a_moved_checkout_gets_an_environment_of_its_own(make):
    assert complete(make)
    (make.folder / ".venv/bin/pytest").write_text("#!an/old/path", encoding="utf-8")
    make.folder = make.folder.rename(make.folder.with_name("moved"))
    (make.folder / "offline").touch()  # interrupted, it must not count the next time either
    assert not complete(make)
    (make.folder / "offline").unlink()
    assert complete(make) and not (make.folder / ".venv/bin/pytest").exists()
    inode = (make.folder / ".venv").stat().st_ino
    assert complete(make) and (make.folder / ".venv").stat().st_ino == inode


def test_half_a_copy_of_mathjax_does_not_count(make):
    target = "book/_static/mathjax"
    copy = make.folder.parent / "bin/cp"
    assert complete(make)
    copy.write_text('#!/bin/sh\ntest $1 != -R && exec /bin/cp "$@"', encoding="utf-8")
    copy.chmod(0o755)
    assert make(target).returncode != 0
    copy.unlink()
    assert make(target).returncode == 0
    source = Path(mathjax.__path__[0], "static/mathjax/es5")
    found = {file for file in (make.folder / target).rglob("*") if file.is_file()}
    assert len(found) > 20
    for file in found:
        assert file.read_bytes() == (source / file.relative_to(make.folder / target)).read_bytes()
    kinds = {file.relative_to(make.folder / target).parts[0] for file in found}
    assert kinds == {"tex-mml-chtml.js", "output", "input"}


def test_benchmarks_run_the_kernels_of_the_tests(make):
    assert make("bench").returncode == 0
    lines = (make.folder / "environment").read_text(encoding="utf-8").splitlines()
    for name in ["TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"]:
        assert f"{name}={determinism.SWITCHES[name]}" in lines


def test_help_lists_every_target(make):
    text = make("help").stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"\.PHONY: (.*)", makefile)[1].split()) - {"moved"}
    assert [name for name in targets if not re.search(rf"(?m)^make {name} +\w", text)] == []


# The matrix.


def test_the_matrix_has_every_python_that_the_project_promises(monkeypatch, capsys):
    monkeypatch.setattr(matrix, "find", lambda version: None)
    own = "{}.{}".format(*sys.version_info)
    for quick in [False, True]:
        matrix.main(quick)
        lines = capsys.readouterr().out.splitlines()
        expected = ["3.11", "3.12", "3.13", "colab"]
        if quick:
            expected.remove(own)
        assert [line.partition(":")[0] for line in lines] == expected
        assert all("there is no such Python here" in line for line in lines)


def test_the_matrix_installs_on_colab_what_the_first_cell_does():
    options = matrix.colab_install("/a folder")
    assert options == ["install", "-q", "--no-deps", "/a folder", *repository.LACKING.split()]


def test_the_matrix_fails_where_tests_do_and_runs_the_rest(monkeypatch):
    ran = []

    def run(command):
        ran.append(command)
        if "3.12" in str(command[0]):
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(matrix, "find", lambda version: f"python{version}")
    monkeypatch.setattr(matrix, "prepare", lambda name, python: matrix.ENVIRONMENTS / name)
    monkeypatch.setattr(matrix, "run", run)
    with pytest.raises(SystemExit, match="fail in 3.12"):
        matrix.main(quick=False)
    assert [command[0].parts[-3] for command in ran] == ["3.11", "3.12", "3.13", "colab"]
    names = {path.name for path in ran[0][3:]}
    assert {"test_layers.py", "test_pix2pix.py"} <= names and "test_browser.py" not in names


def test_the_matrix_runs_no_test_of_the_book_s_tools():
    # They need what only the lock holds; Colab's environment has the companion alone.
    tools = {path.stem for path in (ROOT / "book" / "_tools").glob("*.py")} | {"visits", "yaml"}
    for path in matrix.tests(quick=False):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {getattr(node, "module", None) for node in imports}
        modules |= {alias.name for node in imports for alias in node.names}
        assert not modules & tools, path.name


def test_the_quick_matrix_trains_on_colab_alone(monkeypatch):
    ran = {}
    monkeypatch.setattr(matrix, "find", lambda version: f"python{version}")
    monkeypatch.setattr(matrix, "prepare", lambda name, python: matrix.ENVIRONMENTS / name)
    monkeypatch.setattr(matrix, "run", lambda command: ran.update({command[0].parts[-3]: command}))
    matrix.main(quick=True)
    trains = {name for name, command in ran.items() if "test_pix2pix.py" in str(command)}
    assert trains == {"colab"} and all("test_layers.py" in str(x) for x in ran.values())
