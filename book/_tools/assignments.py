"""Write what students and graders get from the masters: `make assignments`; grade: `make grade`.

The masters in book/assignments are notebooks in the format of otter assign: raw cells such as
# BEGIN QUESTION stand between the others. otter-grader is added by uv on top of the environment:
in the lock it would force an older wrapt on TensorFlow and bring thirty packages more.
"""

import argparse
import ast
import builtins
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from notebooks import BOOK, ROOT

FOLDER = BOOK / "assignments"
OUTPUT = ROOT / "_build" / "assignments"
LIMIT = 300  # seconds for a notebook; its own trainings are in them
MODULES = "np", "tf", "keras", "data", "earth", "recorded"  # as the masters import them
CONFIG = re.compile(r'""" # BEGIN TEST CONFIG\n(.*?)""" # END TEST CONFIG\n', re.DOTALL)
PROMPT = re.compile(r'""" # BEGIN PROMPT\n(.*?)""" # END PROMPT', re.DOTALL)


class Test(NamedTuple):
    points: float
    hidden: bool
    code: str


class Question(NamedTuple):
    name: str
    points: float
    manual: bool  # asks for words, which a person reads
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
                manual = config.get("manual", False)
                questions.append(Question(config["name"], config["points"], manual, "", []))
        elif block == "SOLUTION":
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

    if not masters():
        raise SystemExit("There is no book/assignments here: this is a copy for students.")
    for master in masters():
        result = Path(output) / master.stem
        shutil.rmtree(result, ignore_errors=True)
        # The tests of tests/test_book_assignments.py run the solutions.
        main(str(master), str(result), no_pdfs=True, no_run_tests=True)
        student = result / "student"
        shutil.make_archive(str(student / "tests"), "zip", student, "tests")  # for Colab
        print(f"{result}: student, autograder", flush=True)


def grade(name, folder, output=OUTPUT, limit=LIMIT):
    """Grade the new notebooks of a folder, each in a process of its own; return points.csv there.

    Rows that the table has already stay as they are, with what was typed into them. A notebook's
    row is written as soon as it is known. limit: seconds for each. What asks for words goes into
    answers.md, and stays empty in the table.
    """
    # Otter changes the working directory while it grades, so the paths are absolute.
    zipped = sorted((Path(output) / name / "autograder").resolve().glob("*.zip"))
    if not zipped:
        names = ", ".join(path.stem for path in masters())
        raise SystemExit(f"NAME={name}: run `make assignments` first; the names are {names}.")
    table = Path(folder).resolve() / "points.csv"
    submissions = sorted(table.parent.glob("*.ipynb"))
    if not folder or not submissions:
        raise SystemExit(f"FOLDER={folder}: no notebooks there; put those to be graded into it.")
    questions = parse(FOLDER / f"{name}.ipynb")[1]
    table.with_name("answers.md").write_text(answers(questions, submissions), encoding="utf-8")
    names = [question.name for question in questions]
    tested = {question.name: question.points for question in questions if not question.manual}
    header = ["submission", *names, f"sum (of {sum(tested.values()):g})", "remarks"]
    rows = earlier(table, header)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([header, *rows])
        file.flush()
        for submission in submissions:
            if submission.stem in [row[0] for row in rows]:
                continue
            points, remarks = graded(submission, zipped[0], tested, limit)
            total = round(sum(points.values()), 2) if points else ""
            cells = [*(points.get(question, "") for question in names), total]
            writer.writerow([submission.stem, *cells, "; ".join(remarks)])
            file.flush()
            print(submission.stem, *cells, *remarks, sep=" | ", flush=True)
    return table


def earlier(table, header):
    """The rows that a table has already; it may have been through a spreadsheet."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8-sig") as file:
        first, *rows = [*csv.reader(file)] or [[]]
    if first != header:
        raise SystemExit(
            f"{table} has other columns than {', '.join(header)}, separated by commas: save it "
            "with these, or move it away to grade everything anew."
        )
    return [row for row in rows if any(row)]


def answers(questions, submissions):
    """What was answered in words, side by side behind the model answer, as Markdown."""
    parts = []
    for question in questions:
        if question.manual:
            title = f"# {question.name}, {question.points:g} points"
            parts.append(f"{title}\n\n{question.solution.strip()}")
            parts += [f"## {path.stem}\n\n{answer(path, question)}" for path in submissions]
    return "\n\n".join(parts)


def answer(submission, question):
    """The cells between the text of a question in words and what otter ends it with."""
    try:
        cells = nbformat.read(submission, as_version=4).cells
    except Exception:  # whatever a student hands in; its row says what is wrong
        return ""
    texts, inside = [], False
    for cell in cells:
        if cell.source.startswith("<!-- END QUESTION"):
            inside = False
        elif inside:
            texts.append(cell.source)
        elif f"\n## {question.name[1:]}. " in cell.source:
            inside = True
    return "\n\n".join(texts)


def graded(submission, zipped, questions, limit):
    """{question: points}, empty if the notebook could not be graded, and remarks."""
    try:
        remarks = look_at(nbformat.read(submission, as_version=4))
    except Exception as error:  # whatever a student hands in
        return {}, [f"no notebook: {error!r}"[:120]]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        result, log = Path(folder) / "result.json", Path(folder) / "log"
        command = [sys.executable, __file__, "--one", submission, zipped, result]
        here = {**os.environ, "TMPDIR": folder}  # so that nothing is left of what is stopped
        with log.open("w", encoding="utf-8") as out:
            try:
                subprocess.run(command, stdout=out, stderr=out, timeout=limit, env=here)
            except subprocess.TimeoutExpired:
                return {}, [f"stopped after {limit:g} s", *remarks]
        if not result.exists():
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            return {}, [f"not graded: {' '.join(last)[:200]}", *remarks]
        points, failed = json.loads(result.read_text(encoding="utf-8"))
    return {name: round(points[name], 2) for name in questions}, remarks + failed


def grade_one(submission, zipped, result):
    """Write what otter finds into a file: {question: points} and the messages of failed tests."""
    from otter.api import grade_submission

    results = grade_submission(submission, zipped, quiet=True)
    points = {name: test.score for name, test in results.results.items()}
    failed = [
        f"{name}: {case.test_case.failure_message}"
        for name, test in results.results.items()
        for case in test.test_case_results
        if not case.passed
    ]
    Path(result).write_text(json.dumps([points, failed]), encoding="utf-8")


def look_at(notebook):
    """Remarks on cells that may bend the tests, which run among the student's own names."""
    found = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                tree = ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", cell.source))
            except SyntaxError:
                continue  # such a cell defines nothing
            for node in ast.walk(tree):
                found |= rebound(node)
    return [f"look at it: gives {name} another meaning" for name in sorted(found)]


def rebound(node):
    """Names of builtins, and attributes such as np.allclose, to which a node gives a value."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return {ast.unparse(node)} if ast.unparse(node.value) in MODULES else set()
    if isinstance(node, ast.Import | ast.ImportFrom):
        imported = {alias.name for alias in node.names}
        names = {alias.asname or alias.name for alias in node.names} | imported & {"builtins"}
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        names = {node.name}
    else:
        stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        names = {node.id} if stored else set()
    return names & {*dir(builtins), "builtins"}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=OUTPUT)
    parser.add_argument("--limit", type=float, default=LIMIT)
    parser.add_argument("--grade", nargs=2, metavar=("NAME", "FOLDER"))
    parser.add_argument("--one", nargs=3, metavar=("SUBMISSION", "ZIP", "RESULT"))
    options = parser.parse_args(arguments)
    if options.one:
        grade_one(*options.one)
    elif options.grade:
        print("written:", grade(*options.grade, options.output, options.limit))
    else:
        assign(options.output)


if __name__ == "__main__":
    main(sys.argv[1:])
