"""Copy the repository for students, without what gives the assignments away: `make students`.

The copy holds what git tracks, as it stands in the working tree: an untracked file may be a
submission. Its own .git stays from one copy to the next, so a new one can be committed on top.
"""

import shutil
import subprocess
import sys

from notebooks import ROOT

OUTPUT = ROOT / "_build" / "students"
SECRET = "book/assignments", "tests/test_book_assignments.py"


def copy(output=OUTPUT, root=ROOT):
    """Replace what is in the folder output, except for its .git."""
    command = ["git", "ls-files", "-z", ".", *(f":!{path}" for path in SECRET)]
    listed = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        sys.exit(listed.returncode)  # git has said why
    output.mkdir(parents=True, exist_ok=True)
    for path in output.iterdir():
        if path.is_dir() and path.name != ".git":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    for name in listed.stdout.split("\0")[:-1]:
        if (root / name).exists():  # git lists what was deleted, too, until that is committed
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, output / name)


if __name__ == "__main__":
    copy()
    print(f"{OUTPUT}: the repository without {' and '.join(SECRET)}")
