"""Write what students and graders get from the masters: `make assignments`; grade: `make grade`.

The masters in book/assignments are notebooks in the format of otter assign: raw cells such as
# BEGIN QUESTION stand between the others. otter-grader is added by uv on top of the environment:
in the lock it would force an older wrapt on TensorFlow and bring thirty packages more.
"""

import argparse
import csv
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from notebooks import BOOK, ROOT

FOLDER = BOOK / "assignments"
OUTPUT = ROOT / "_build" / "assignments"
CONFIG = re.compile(r'""" # BEGIN TEST CONFIG\n(.*?)""" # END TEST CONFIG\n', re.DOTALL)
PROMPT = re.compile(r'""" # BEGIN PROMPT\n(.*?)""" # END PROMPT', re.DOTALL)


class Test(NamedTuple):
    points: float
    hidden: bool
    code: str


class Question(NamedTuple):
    name: str
    points: float
    solution: str
    tests: list[Test]


def masters():
    return sorted(FOLDER.glob("*.ipynb"))


def parse(path):
    """The sources of a master's code cells outside of questions, and its questions."""
    outside, questions, block, config = [], [], None, {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "raw":
            _, kind, *rest = cell.source.split("\n")[0].split(maxsplit=2) + [""]
            block = rest[0] if kind == "BEGIN" else None
            if kind == "BEGIN" and block == "QUESTION":
                config = yaml.safe_load(cell.source)
                questions.append(Question(config["name"], config["points"], "", []))
        elif cell.cell_type == "code" and block == "SOLUTION":
            question = questions.pop()
            source = PROMPT.sub("", cell.source)
            questions.append(question._replace(solution=question.solution + source + "\n"))
        elif cell.cell_type == "code" and block == "TESTS":
            config = yaml.safe_load(CONFIG.match(cell.source)[1])
            code = CONFIG.sub("", cell.source)
            test = Test(config["points"], config.get("hidden", False), code)
            questions[-1].tests.append(test)
        elif cell.cell_type == "code":
            outside.append(cell.source)
    return outside, questions


def assign(output=OUTPUT):
    """Write output/NAME/student and output/NAME/autograder for every master."""
    from otter.assign import main

    for master in masters():
        result = Path(output) / master.stem
        shutil.rmtree(result, ignore_errors=True)
        # The tests of tests/test_book_assignments.py run the solutions.
        main(str(master), str(result), no_pdfs=True, no_run_tests=True)
        student = result / "student"
        shutil.make_archive(str(student / "tests"), "zip", student, "tests")  # for Colab
        print(f"{result}: student, autograder", flush=True)


def grade(name, folder, output=OUTPUT):
    """Grade every notebook of a folder; write and return points.csv there."""
    # Otter changes the working directory while it grades, so the paths are absolute.
    zipped = sorted((Path(output) / name / "autograder").resolve().glob("*.zip"))
    if not zipped:
        names = ", ".join(path.stem for path in masters())
        raise SystemExit(f"NAME={name}: run `make assignments` first; the names are {names}.")
    table = Path(folder).resolve() / "points.csv"
    submissions = sorted(table.parent.glob("*.ipynb"))
    if not folder or not submissions:
        raise SystemExit(f"FOLDER={folder}: no notebooks there; put those to be graded into it.")

    from otter.api import grade_submission

    questions = parse(FOLDER / f"{name}.ipynb")[1]
    rows = []
    for submission in submissions:
        results = grade_submission(str(submission), str(zipped[0]), quiet=True)
        points = [round(results.get_score(question.name), 2) for question in questions]
        rows.append([submission.stem, *points, round(sum(points), 2)])
        print(*rows[-1], flush=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["submission", *(question.name for question in questions), "sum"])
        writer.writerows(rows)
    return table


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=OUTPUT)
    parser.add_argument("--grade", nargs=2, metavar=("NAME", "FOLDER"))
    options = parser.parse_args(arguments)
    if options.grade:
        print("written:", grade(*options.grade, options.output))
    else:
        assign(options.output)


if __name__ == "__main__":
    main(sys.argv[1:])
