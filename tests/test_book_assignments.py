"""The assignments: full marks for the solutions, points lost for plausible errors, no leaks.

Here a master's cells run in this process, each statement of a test as otter runs it. One test asks
otter itself, if uv is there to add it.
"""

import ast
import csv
import dis
import functools
import os
import re
import shutil
import subprocess
import types

import assignments
import hygiene
import nbformat
import notebooks
import pytest
import repository

from companion import recorded

MASTERS = {path.stem: path for path in assignments.masters()}
QUESTIONS = [
    (name, question) for name, path in MASTERS.items() for question in assignments.parse(path)[1]
]


def each_question(function):
    names = [f"{name}-{question.name}" for name, question in QUESTIONS]
    return pytest.mark.parametrize("name, question", QUESTIONS, ids=names)(function)


@pytest.fixture(scope="module", autouse=True)
def recordings_are_read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "load", functools.cache(recorded.load))
        yield


@functools.cache
def set_up(name):
    """What the cells outside of the questions define."""
    defined = {}
    for source in assignments.parse(MASTERS[name])[0]:
        if "google.colab" not in source:  # those of Colab and otter
            exec(source, defined)
    return defined


def passes(code, defined):
    """Whether no statement of a test fails or shows a value, which otter counts as failing."""
    shown = []
    defined = {**defined, "print": lambda *values: shown.append(values)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.displayhook", lambda x: x is None or shown.append(x))
        try:
            for statement in ast.parse(code).body:
                exec(compile(ast.Interactive([statement]), "a test", "single"), defined)
        except Exception:
            return False
    return not shown


def points(name, question, solution):
    """What an answer to one question gets, the other questions unanswered."""
    defined = dict(set_up(name))
    exec(solution, defined)
    return sum(test.points for test in question.tests if passes(test.code, defined))


def test_there_are_three_of_ten_points():
    assert sorted(MASTERS) == ["cyclegan", "discriminator", "pix2pix"]
    for name in MASTERS:
        questions = [question for of, question in QUESTIONS if of == name]
        assert 4 <= len(questions) <= 6
        assert sum(question.points for question in questions) == 10


@each_question
def test_points_are_stated_and_shared_between_public_and_hidden_tests(name, question):
    assert sum(test.points for test in question.tests) == question.points
    assert {test.hidden for test in question.tests} == {True, False}
    words = notebooks.read(MASTERS[name]).cells
    titles = [cell.source for cell in words if cell.source.startswith(f"## {question.name[1:]}. ")]
    assert len(titles) == 1 and f"\n*{question.points:g} points.*" in titles[0]


@each_question
def test_the_solution_gets_all_points(name, question):
    assert points(name, question, question.solution) == question.points


@each_question
def test_a_missing_answer_loses_all_points(name, question):
    assert points(name, question, "...") == 0


def names(code, kinds):
    """The global names that a piece of code, functions inside included, reads or defines."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname in kinds}
    inner = [x for x in code.co_consts if isinstance(x, types.CodeType)]
    return found.union(*(names(x, kinds) for x in inner))


def test_no_question_needs_another_one():
    """So a wrong answer, or none, costs no points elsewhere."""
    for name in MASTERS:
        defined, used = {}, {}
        for of, question in QUESTIONS:
            if of == name:
                code = compile(question.solution, question.name, "exec")
                defined[question.name] = names(code, {"STORE_NAME"})
                tests = "\n".join(test.code for test in question.tests)
                code = compile(question.solution + tests, question.name, "exec")
                own = names(code, {"STORE_NAME"})
                used[question.name] = names(code, {"LOAD_NAME", "LOAD_GLOBAL"}) - own
        assert all(defined.values())
        for one in used:
            for other in used.keys() - {one}:
                assert not used[one] & (defined[other] - set_up(name).keys()), (name, one, other)


# Plausible errors: what an answer has in place of the solution, and the points that this costs.
WRONG = {
    ("discriminator", "q1"): [
        ("begins at the picture", 0.5, {"reversed(layers)": "layers"}),
        ("gap behind the last pixel", 0.5, {"(kernel - 1) * dilation + 1": "kernel * dilation"}),
    ],
    ("discriminator", "q2"): [
        (
            "padding counted in pixels of the picture",
            1.5,
            {
                "stride - padding\n": "stride\n",
                "stride - padding + kernel": "stride + kernel",
                "return first, last": "more = sum(layer[2] for layer in layers)\n"
                "    return first - more, last - more",
            },
        ),
        ("last column left out", 0.75, {"<= column <= last": "<= column < last"}),
    ],
    ("discriminator", "q3"): [
        ("Keras' own slope", 1, {"LeakyReLU(0.2)": "LeakyReLU()"}),
        ("sigmoid", 1, {"Model([heights, picture], x)": "Model([heights, picture], x / (1 + x))"}),
        (
            "inputs joined the wrong way round",
            1,
            {"()([heights, picture])": "()([picture, heights])"},
        ),
        ("every layer normalized", 1, {"number in (1, 2)": "number < 3"}),
        (
            "batch norm",
            1.5,
            {
                "GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)": (
                    "BatchNormalization()"
                )
            },
        ),
        (
            "padding of Keras",
            1.5,
            {"ZeroPadding2D(1)(x)": "Identity()(x)", "4, stride)": '4, stride, "same")'},
        ),
    ],
    ("discriminator", "q4"): [
        ("doesn't change the map", 0.5, {"network([-maps, pictures])": "None"}),
        ("measures a leaking window", 0.5, {"receptive_field(n": "measured_receptive_field(n"}),
        ("asks no distant pixel", 0.5, {"corner[:, -1, -1] = 5": "corner[:, 8, 8] = 0"}),
        ("looks at ordinary inputs", 1, {"1e9 * maps, 1e9 * pictures": "maps, pictures"}),
    ],
    ("discriminator", "q5"): [
        ("border of probabilities", 0.5, {'"bce": 0.0': '"bce": 0.5'}),
        ("test places", 0.5, {".validation[:2]": ".test[:2]"}),
        ("one answer for a grid", 1.5, {"np.array(": "np.mean("}),
    ],
    ("pix2pix", "q1"): [
        ("both labels softened", 0.75, {"tf.zeros_like(p": "(1 - goal) * tf.ones_like(p"}),
        (
            "logarithm of zero",
            0.75,
            {
                "tf.nn.sigmoid_cross_entropy_with_logits(goal": "-log_likelihood(goal",
                "    real, painted": "    def log_likelihood(label, x):\n"
                "        p = tf.sigmoid(x)\n"
                "        return label * tf.math.log(p) + (1 - label) * tf.math.log(1 - p)\n\n"
                "    real, painted",
            },
        ),
    ],
    ("pix2pix", "q2"): [
        ("divides by all pixels", 1, {"/ tf.maximum(number, 1.0)": "/ np.size(target)"}),
        ("nothing by nothing", 0.5, {"tf.maximum(number, 1.0)": "number"}),
        (
            "mean of the pictures' means",
            0.5,
            {
                "target - painting))": "target - painting), [1, 2, 3])",
                "reduce_sum(chosen) *": "reduce_sum(chosen, [1, 2, 3]) *",
                "total / tf": "tf.reduce_mean(total / tf",
                "(number, 1.0)": "(number, 1.0))",
            },
        ),
    ],
    ("pix2pix", "q3"): [
        ("minimax", 0.5, {"tf.reduce_mean(wished)": "-tf.reduce_mean(tf.nn.softplus(scores))"}),
        ("squares", 0.5, {"tf.abs(target - painting)": "tf.square(target - painting)"}),
    ],
    ("pix2pix", "q4"): [
        ("the label left wrong", 1, {"mean((painted - 1) ** 2) + 30": "mean(painted**2) + 30"}),
        (
            "the gradient left astray",
            1.5,
            {"= generator.trainable_variables": "= generator.trainable_variables + weights"},
        ),
    ],
    ("pix2pix", "q5"): [
        ("mean of the test pictures", 0.25, {"pairs.train.target": "pairs.test.target"}),
        ("pixels up to 255", 0.5, {"data.normalize(pairs.t": "1.0 * (pairs.t"}),
    ],
    ("pix2pix", "q6"): [
        ("too few steps", 1.5, {"steps_per_epoch=200": "steps_per_epoch=20"}),
    ],
    ("cyclegan", "q1"): [
        ("both loops from the same side", 0.75, {"ab(ba(b))": "ba(ab(b))"}),
        ("who writes learns nothing", 0.75, {"ba(ab(a))": "ba(tf.stop_gradient(ab(a)))"}),
        (
            "weights exchanged",
            0.75,
            {"weight_a * loop_a + weight_b": "weight_b * loop_a + weight_a"},
        ),
    ],
    ("cyclegan", "q2"): [
        ("the other pile's pictures", 1.25, {"ab(b)": "ab(a)", "ba(a)": "ba(b)"}),
        ("one mean for the batch", 0.75, {"[1, 2]": "[0, 1, 2]"}),
        ("brightness", 0.75, {"[1, 2]": "[1, 2, 3]"}),
    ],
    ("cyclegan", "q3"): [
        ("keeps no new picture", 1, {"self.pictures[place] = self": "_ = self"}),
        ("keeps no copy", 0.5, {"picture.copy()": "picture"}),
        ("the other chance", 1.5, {">= self.chance": "< self.chance"}),
    ],
    ("cyclegan", "q4"): [
        ("compares paintings with paintings", 1.5, {"real[brushes": "painted[brushes"}),
        ("numbers of rows for brushes", 2, {"occur[int(distance.argmin())]": "distance.argmin()"}),
        ("the generator of the way back", 0.75, {"generator_ab": "generator_ba"}),
    ],
    ("cyclegan", "q5"): [
        ("mild and healthy exchanged", 0.75, {"R": "no adversarial", "S": "healthy"}),
        ("one loop for none", 0.5, {"Q": "no cycle", "T": "one cycle"}),
        ("a diagnosis twice", 0.75, {"P": "one cycle"}),
    ],
}
CASES = [(*key, *case) for key, cases in WRONG.items() for case in cases]


@pytest.mark.parametrize(
    "name, number, error, lost, changes", CASES, ids=[f"{x[0]}-{x[1]}-{x[2]}" for x in CASES]
)
def test_a_plausible_error_loses_its_points(name, number, error, lost, changes):
    [question] = [question for of, question in QUESTIONS if (of, question.name) == (name, number)]
    solution = question.solution
    if (name, number) == ("cyclegan", "q5"):  # without the examination, which takes long
        solution = solution[solution.index("diagnosis =") :] + f"diagnosis |= {changes}"
        changes = {}
    for right, wrong in changes.items():
        assert right in solution, right
        solution = solution.replace(right, wrong)
    assert points(name, question, solution) == question.points - lost


def test_every_question_has_a_plausible_error():
    assert set(WRONG) == {(name, question.name) for name, question in QUESTIONS}


# What otter makes of the masters.


def make(*arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=notebooks.ROOT, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """A folder with what `make assignments` writes."""
    if not shutil.which("uv") and not os.environ.get("CI"):
        pytest.skip("make assignments needs uv")
    folder = tmp_path_factory.mktemp("assignments")
    result = make("assignments", f"OUTPUT={folder}")
    if result.returncode and not os.environ.get("CI"):
        pytest.skip(f"uv cannot add otter-grader here: {result.stderr[-300:]}")
    assert result.returncode == 0, result.stderr
    return folder


def sources(path):
    return "\n".join(cell.source for cell in notebooks.read(path).cells)


def test_cases(folder):
    """The code of all tests that otter has written into a folder, in Python's own layout."""
    codes = []
    for path in sorted(folder.glob("*.py")):
        defined = {}
        exec(path.read_text(encoding="utf-8"), defined)
        codes += [case["code"] for suite in defined["test"]["suites"] for case in suite["cases"]]
    return ast.unparse(ast.parse(re.sub(r"(?m)^(>>>|\.\.\.) ?", "", "\n".join(codes))))


test_cases.__test__ = False  # a helper


@pytest.mark.parametrize("name", MASTERS)
def test_students_get_no_hidden_test(handed_out, name):
    folder = handed_out / name
    given, graded = (test_cases(folder / kind / "tests") for kind in ["student", "autograder"])
    files = {path.name for path in (folder / "student").iterdir()}
    assert files == {f"{name}.ipynb", "tests", "tests.zip"}
    for of, question in QUESTIONS:
        for test in question.tests if of == name else []:
            code = ast.unparse(ast.parse(test.code))
            assert code in graded and (code in given) != test.hidden
            assert test.code not in sources(folder / "student" / f"{name}.ipynb")


@pytest.mark.parametrize("name", MASTERS)
def test_students_get_no_solution(handed_out, name):
    given = sources(handed_out / name / "student" / f"{name}.ipynb")
    prompts = "\n".join(assignments.PROMPT.findall(sources(MASTERS[name])))
    for of, question in QUESTIONS:
        if of == name:
            blocks = re.findall(
                r"# BEGIN SOLUTION.*?\n(.*?)# END SOLUTION", question.solution, re.DOTALL
            )
            lines = {line.strip() for line in "".join(blocks).splitlines()}
            secret = {line for line in lines if len(line) > 20 and line not in prompts}
            assert secret and not [line for line in secret if line in given], question.name
    assert "SOLUTION" not in given and "hidden: true" not in given


def test_otter_grades_what_is_missing_and_what_is_wrong(handed_out, tmp_path):
    notebook = notebooks.read(handed_out / "discriminator/autograder/discriminator.ipynb")
    for cell in notebook.cells:
        if cell.source.startswith("def window("):
            cell.source = cell.source.replace("return side", "return 1 / 0")
        if cell.source.startswith("def span("):
            cell.source = "raise NotImplementedError"
        if cell.source.startswith("def described("):
            cell.source = cell.source.replace("LeakyReLU(0.2)", "LeakyReLU()")
    nbformat.write(notebook, tmp_path / "somebody.ipynb")
    result = make("grade", "NAME=discriminator", f"FOLDER={tmp_path}", f"OUTPUT={handed_out}")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "points.csv").open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    expected = {"q1": 0, "q2": 0, "q3": 1, "q4": 3, "q5": 1.5, "sum": 5.5}
    assert row.pop("submission") == "somebody"
    assert {key: float(value) for key, value in row.items()} == expected


def test_grading_says_what_is_missing(tmp_path):
    with pytest.raises(SystemExit, match="NAME=pixpix: run `make assignments` first.*pix2pix"):
        assignments.grade("pixpix", tmp_path, tmp_path)
    (tmp_path / "pix2pix/autograder").mkdir(parents=True)
    (tmp_path / "pix2pix/autograder/tests.zip").touch()
    for folder in ["", tmp_path / "nowhere"]:
        with pytest.raises(SystemExit, match="FOLDER=.*: no notebooks there"):
            assignments.grade("pix2pix", folder, tmp_path)


# The masters' form and address.


def test_masters_are_held_to_the_form_and_the_address(tmp_path):
    path = tmp_path / "pix2pix.ipynb"
    shutil.copy(MASTERS["pix2pix"], path)
    assert hygiene.master_problems(path, repository.address()) == []
    [elsewhere] = hygiene.master_problems(path, "https://github.com/someone/a-fork")
    assert "Colab cell" in elsewhere
    notebook = notebooks.read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[2].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    notebooks.write(path, notebook)
    [output] = hygiene.master_problems(path, repository.address())
    assert "stores outputs" in output


def test_a_fork_s_address_reaches_the_masters(tmp_path):
    book = tmp_path / "book"
    shutil.copytree(assignments.FOLDER, book / "assignments")
    shutil.copy(notebooks.ROOT / "_config.yml", tmp_path)
    url = "https://github.com/someone/a-fork"
    changed = repository.point_to(url, tmp_path, book)
    assert {path.stem for path in changed} == {"_config", *MASTERS}
    for path in (book / "assignments").glob("*.ipynb"):
        assert hygiene.master_problems(path, url) == []
