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
import sys
import types
import unicodedata
from pathlib import Path

import assignments
import hygiene
import nbformat
import notebooks
import numpy as np
import pytest
import repository
import students
import tensorflow as tf

from companion import data, recorded

MASTERS = {path.stem: path for path in assignments.masters()}
ALL = [(name, question) for name in MASTERS for question in assignments.parse(MASTERS[name])[1]]
IN_WORDS = [(name, question) for name, question in ALL if question.manual]
QUESTIONS = [(name, question) for name, question in ALL if not question.manual]


def each_question(function):
    names = [f"{name}-{question.name}" for name, question in QUESTIONS]
    return pytest.mark.parametrize("name, question", QUESTIONS, ids=names)(function)


class Once:
    """A recorded network that answers each question once and remembers, which saves a minute."""

    def __init__(self, network):
        self.network, self.answers = network, {}

    def __call__(self, x):
        return self.answer(self.network, x)

    def predict(self, x, verbose=0):
        return self.answer(self.network.predict, x, verbose=verbose)

    def answer(self, function, x, **options):
        key = len(options), *(np.asarray(part).tobytes() for part in tf.nest.flatten(x))
        if key not in self.answers:
            self.answers[key] = function(x, **options)
        return self.answers[key]


@pytest.fixture(scope="module", autouse=True)
def recordings_and_data_are_asked_once():
    load = recorded.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "load", functools.cache(lambda *names: Once(load(*names))))
        for pictures in ["earth", "emoji_styles"]:
            patch.setattr(data, pictures, functools.cache(getattr(data, pictures)))
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


def test_each_has_ten_points_two_of_them_for_an_answer_in_words():
    for name in MASTERS:
        questions = [question for of, question in ALL if of == name]
        assert 5 <= len(questions) <= 7
        assert sum(question.points for question in questions) == 10
        assert [question.points for question in questions if question.manual] == [2]


def test_points_are_stated():
    for name, question in ALL:
        words = [cell.source for cell in notebooks.read(MASTERS[name]).cells]
        [text] = [text for text in words if text.startswith(f"## {question.name[1:]}. ")]
        assert f"\n*{question.points:g} point" in text


@each_question
def test_points_are_shared_between_public_and_hidden_tests(name, question):
    assert sum(test.points for test in question.tests) == question.points
    assert {test.hidden for test in question.tests} == {True, False}


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


def test_tests_load_their_own_data():
    """So who calls something else `train` gets the messages of what is wrong, and no other."""
    for name, question in QUESTIONS:
        tests = compile("\n".join(test.code for test in question.tests), question.name, "exec")
        asked = names(tests, {"LOAD_NAME", "LOAD_GLOBAL"}) & set_up(name).keys()
        asked -= names(tests, {"STORE_NAME"})
        own = names(compile(question.solution, question.name, "exec"), {"STORE_NAME"})
        for one in asked - own:
            value = set_up(name)[one]
            assert callable(value) or isinstance(value, types.ModuleType), (question.name, one)


# What a student may paste into the step of pix2pix, in front of what is there.
PASTED = """
    model = Pix2Pix(generator, discriminator, 30.0, "least_squares")
    model.compile(g_optimizer, d_optimizer, run_eagerly=True)
    return model.train_on_batch(source, target)
"""

# The step of pix2pix as it is handed out, in parts.
WATCHED = {"= discriminator.trainable_variables": "= tape.watched_variables()"}
AWAY = {"mean((painted - 1) ** 2)  # l": "mean(painted**2)  # l"}
FIRST_TURN = "    with tf.GradientTape() as tape:  # the discriminator's turn\n"
PAINTS = "painting = generator(source, training=True)  # line 2\n"

# Plausible errors: what an answer has in place of the solution, and the points that this costs.
WRONG = {
    ("discriminator", "q1"): [
        ("begins at the picture", 0.5, {"reversed(layers)": "layers"}),
        ("gap behind the last pixel", 0.75, {"(kernel - 1) * dilation + 1": "kernel * dilation"}),
    ],
    ("discriminator", "q2"): [
        (
            "padding counted in pixels of the picture",
            1,
            {
                "stride - padding": "stride",
                "return first, last": "more = sum(layer[2] for layer in layers)\n"
                "    return first - more, last - more",
                "return column in": "return column + sum(layer[2] for layer in layers) in",
            },
        ),
        ("last column left out", 0.5, {"in columns\n": "in columns - {max(columns)}\n"}),
        (
            "takes the span for all that is seen",
            0.25,
            {"return column in columns": "return min(columns) <= column <= max(columns)"},
        ),
    ],
    ("discriminator", "q3"): [
        ("Keras' own slope", 0.75, {"LeakyReLU(0.2)": "LeakyReLU()"}),
        (
            "sigmoid",
            0.75,
            {"Model([heights, picture], x)": "Model([heights, picture], x / (1 + x))"},
        ),
        (
            "inputs joined the wrong way round",
            0.75,
            {"()([heights, picture])": "()([picture, heights])"},
        ),
        ("every layer normalized", 0.75, {"number in (1, 2)": "number < 3"}),
        (
            "batch norm",
            1.25,
            {
                "GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)": (
                    "BatchNormalization()"
                )
            },
        ),
        (
            "padding of Keras",
            1,
            {"ZeroPadding2D(1)(x)": "Identity()(x)", "4, stride)": '4, stride, "same")'},
        ),
    ],
    ("discriminator", "q4"): [
        ("doesn't change the map", 0.5, {"network([-maps, pictures])": "None"}),
        (
            "measures a leaking window",
            0.5,
            {"receptive_field.receptive_field(n": "receptive_field.measured_receptive_field(n"},
        ),
        ("takes wide windows, too", 0.5, {"side <= 40": "side <= 70"}),
        (
            "looks at rows alone",
            0.25,
            {
                "receptive_field.receptive_field(network)": (
                    "receptive_field.receptive_field(network)[:1]"
                )
            },
        ),
        ("asks no distant pixel", 0.5, {"far[:, 40:] = far[:, :, 40:] = 5": "far[:, 8, 8] = 0"}),
        (
            "looks for a layer that leaks",
            0.5,
            {
                "if not np.array_equal(scores[:, 0, 0], network([maps + far, pictures + far])"
                "[:, 0, 0])": "if any('norm' in layer.name for layer in network.layers)"
            },
        ),
        ("looks at ordinary inputs", 0.5, {"(1e8, 1e9)": "(0.1, 1)"}),
        ("asks for a bound above alone", 0.5, {" or larger.min() >= 2 * large.min()": ""}),
        (
            "looks for a layer that bounds",
            0.5,
            {
                "larger.max() <= 2 * large.max() or larger.min() >= 2 * large.min()": (
                    "isinstance(network.layers[-1], keras.layers.Activation)"
                )
            },
        ),
        ("always fine", 2.5, {"    rng = ": '    return "fine"\n    rng = '}),
    ],
    ("discriminator", "q5"): [
        ("border of probabilities", 0.25, {'"bce": 0.0': '"bce": 0.5'}),
        ("test places", 0.5, {".validation[:2]": ".test[:2]"}),
        ("one answer for a grid", 1.25, {"np.array(": "np.mean("}),
        (
            "mean of two shares",
            0.25,
            {
                "np.concatenate([real.ravel(), painted.ravel()]).mean()": (
                    "(real.mean() + painted.mean()) / 2"
                )
            },
        ),
    ],
    ("pix2pix", "q1"): [
        ("knows the public value", 1.25, {"return 0.5 *": "return np.log(2) + 0 *"}),
        ("both labels softened", 0.5, {"tf.zeros_like(p": "(1 - goal) * tf.ones_like(p"}),
        (
            "logarithm of zero",
            0.25,
            {
                "tf.nn.sigmoid_cross_entropy_with_logits(goal": "-log_likelihood(goal",
                "    real, painted": "    def log_likelihood(label, x):\n"
                "        p = tf.sigmoid(x)\n"
                "        return label * tf.math.log(p) + (1 - label) * tf.math.log(1 - p)\n\n"
                "    real, painted",
            },
        ),
        (
            "NumPy, without a gradient",
            0.25,
            {"    real, painted =": "    real = np.array(real)\n    real, painted ="},
        ),
    ],
    ("pix2pix", "q2"): [
        (
            "divides by all pixels",
            0.5,
            {"/ tf.maximum(number, 1.0)": "/ tf.cast(tf.size(target), 'float32')"},
        ),
        ("nothing by nothing", 0.25, {"tf.maximum(number, 1.0)": "number"}),
        (
            "nothing by nothing in the gradient",
            0.25,
            {"total / tf.maximum(number, 1.0)": "tf.where(number > 0, total / number, 0.0)"},
        ),
        ("ignores the mask", 1.25, {"tf.cast(mask,": "tf.ones_like(mask,"}),
        (
            "mean of the pictures' means",
            0.25,
            {
                "target - painting))": "target - painting), [1, 2, 3])",
                "reduce_sum(chosen) *": "reduce_sum(chosen, [1, 2, 3]) *",
                "total / tf": "tf.reduce_mean(total / tf",
                "(number, 1.0)": "(number, 1.0))",
            },
        ),
        ("NumPy, without a gradient", 0.25, {"- painting)": "- np.array(painting))"}),
        (
            "asks an array whether a pixel is chosen",
            0.25,
            {"    chosen = ": "    if not mask.any():\n        return 0.0\n    chosen = "},
        ),
        (
            "a target that must be an array",
            0.25,
            {"target.shape[-1]": "np.array(target).shape[-1]"},
        ),
    ],
    ("pix2pix", "q3"): [
        ("minimax", 0.75, {"tf.reduce_mean(wished)": "-tf.reduce_mean(tf.nn.softplus(scores))"}),
        ("knows the public value", 0.75, {"_mean(wished) +": "_mean(0 * wished) + np.log(2) +"}),
        ("squares", 0.25, {"tf.abs(target - painting)": "tf.square(target - painting)"}),
        ("NumPy, without a gradient", 0.25, {"- painting)": "- np.array(painting))"}),
    ],
    ("pix2pix", "q4"): [
        ("the label left wrong", 0.5, AWAY),
        (
            "the gradient left astray",
            1,
            WATCHED,
        ),
        ("the companion's step, pasted", 1, {"    mean = tf.reduce_mean\n": PASTED}),
        ("another line for the first", 0.5, {"{7, 11}": "{3, 11}"}),
        ("another line for the second", 0.5, {"{7, 11}": "{7, 12}"}),
        ("loss for score", 0.5, {"np.sqrt(adversarial)": "adversarial"}),
        ("one bound for all", 0.75, {"return 0.5 *": "return 0.5\n    return 0.5 *"}),
    ],
    ("pix2pix", "q5"): [
        ("mean of the validation pictures", 0.5, {"(train.target": "(validation.target"}),
        ("one colour", 0.5, {"axis=0": "axis=(0, 1, 2)"}),
        ("pixels up to 255", 0.5, {"data.normalize(train": "1.0 * (train"}),
    ],
    ("pix2pix", "q6"): [
        ("never trains", 1.75, {"model.fit(batches, ": "_ = dict("}),
        ("learns the test pairs", 0.25, {"(train, 8": "(data.earth(32).test, 8", "=200": "=100"}),
        (
            "no discriminator",
            0.75,
            {
                "model.compile(Adam(4e-4, beta_1=0.5), Adam(4e-4, beta_1=0.5))": (
                    'model = generator\nmodel.compile(Adam(1e-3), "mae")'
                )
            },
        ),
    ],
    ("cyclegan", "q1"): [
        ("costs nothing", 1.25, {"return weight_a": "return 0.0\n    return weight_a"}),
        ("both loops from the same side", 0.5, {"ab(ba(b))": "ba(ab(b))"}),
        ("who writes learns nothing", 0.5, {"ba(ab(a))": "ba(tf.stop_gradient(ab(a)))"}),
        ("nobody learns from B", 0.5, {"ab(ba(b))": "tf.stop_gradient(ab(ba(b)))"}),
        (
            "weights exchanged",
            0.5,
            {"weight_a * loop_a + weight_b": "weight_b * loop_a + weight_a"},
        ),
    ],
    ("cyclegan", "q2"): [
        ("costs nothing", 1.75, {"return apart(b": "return 0.0\n    return apart(b"}),
        ("the other pile's pictures", 1.25, {"ab(b)": "ab(a)", "ba(a)": "ba(b)"}),
        ("one mean for the batch", 0.5, {"[1, 2]": "[0, 1, 2]"}),
        ("brightness", 0.5, {"[1, 2]": "[1, 2, 3]"}),
        ("a generator learns nothing", 0.5, {"ba(a))": "tf.stop_gradient(ba(a)))"}),
        ("mean colours learn nothing", 0.5, {"(y, [1, 2])": "(tf.stop_gradient(y), [1, 2])"}),
    ],
    ("cyclegan", "q3"): [
        ("keeps no new picture", 1, {"self.pictures[place] = self": "_ = self"}),
        ("keeps no copy", 0.25, {"picture.copy()": "picture"}),
        ("the other chance", 1.5, {">= self.chance": "< self.chance"}),
        ("exchanges nothing", 1.5, {"if len(self": "return picture\n        if len(self"}),
        ("always the first place", 0.25, {"self.random.integers(self.size)": "0"}),
    ],
    ("cyclegan", "q4"): [
        (
            "mean for median",
            0.5,
            {"np.median(pictures[numbers == number]": "np.mean(pictures[numbers == number]"},
        ),
        ("other pixels as a colour", 1.25, {"numbers[numbers >= 0]": "numbers"}),
        ("pixels in [-1, 1]", 0.5, {"data.denormalize(painted)": "painted"}),
        (
            "the translation's own colours",
            0.5,
            {
                "looks_like(flat(originals), data.denormalize(returned))": (
                    "looks_like(flat(data.denormalize(painted)), data.denormalize(returned))"
                )
            },
        ),
        ("the wrong way back", 0.5, {"generator_ba.predict": "generator_ab.predict"}),
        (
            "forgets the colours left out",
            0.5,
            {
                "len({mapping.get(colour, colour) for colour in range(6)}) == 6": (
                    "len(set(mapping.values())) == len(mapping)"
                )
            },
        ),
        (
            "takes an exchange for a loss",
            0.75,
            {
                "len({mapping.get(colour, colour) for colour in range(6)}) == 6": (
                    "all(key == value for key, value in mapping.items())"
                )
            },
        ),
    ],
    ("cyclegan", "q5"): [
        ("the other pile comes home", 0.5, {"apart(b, ab(fake_a))": "apart(a, ba(fake_b))"}),
        ("identity of one generator", 0.5, {"apart(b, ab(b)) + ": ""}),
        ("asks about real pictures", 0.5, {"judge(fake_b)": "judge(b)"}),
        ("looks at one loop", 0.25, {'("home a", "home b")': '2 * ("home b",)'}),
        ("border at the healthy one", 0.5, {"> 0.35": "> 0.14"}),
        ("border at the sick one", 0.25, {"> 0.35": "> 0.55"}),
        ("forgets the adversarial term", 0.25, {'else "no adversarial"': 'else "healthy"'}),
    ],
}
CASES = [(*key, *case) for key, cases in WRONG.items() for case in cases]

# Other right ways: what they have in place of the solution.
RIGHT = {
    ("pix2pix", "q4"): [
        (
            "paints before the tape",
            WATCHED
            | {
                FIRST_TURN + "        " + PAINTS: "    " + PAINTS + FIRST_TURN,
                "{7, 11}": "{2, 11}",
            },
        ),
        (
            "stops the gradient at the painter",
            WATCHED
            | {
                PAINTS: PAINTS.replace("#", "; painting = tf.stop_gradient(painting)  #"),
                "{7,": "{2,",
            },
        ),
        (
            "stops the gradient at the discriminator",
            WATCHED
            | {
                "painting], training=True)  # line 4": (
                    "tf.stop_gradient(painting)], training=True)  # line 4"
                ),
                "{7, 11}": "{4, 11}",
            },
        ),
        (
            "other weights for the optimizer",
            WATCHED
            | {
                "zip(tape.gradient(d_loss, weights), weights))": (
                    "zip(tape.gradient(d_loss, discriminator.trainable_variables),"
                    " discriminator.trainable_variables))"
                ),
                "{7, 11}": "{8, 11}",
            },
        ),
        (
            "turns the scores round",
            AWAY
            | {
                "discriminator([source, painting], training=True)  # line 10": (
                    "1 - discriminator([source, painting], training=True)  # line 10"
                ),
                "{7, 11}": "{7, 10}",
            },
        ),
        (
            "writes the term into the sum",
            AWAY | {"adversarial + 30": "mean((painted - 1) ** 2) + 30", "{7, 11}": "{7, 13}"},
        ),
    ],
}
WAYS = [(*key, *case) for key, cases in RIGHT.items() for case in cases]


def changed(name, number, changes):
    """By how many points a solution gets more with these changes."""
    [question] = [question for of, question in QUESTIONS if (of, question.name) == (name, number)]
    solution = question.solution
    for right, other in changes.items():
        assert right in solution, right
        solution = solution.replace(right, other)
    return points(name, question, solution) - question.points


@pytest.mark.parametrize(
    "name, number, error, lost, changes", CASES, ids=[f"{x[0]}-{x[1]}-{x[2]}" for x in CASES]
)
def test_a_plausible_error_loses_its_points(name, number, error, lost, changes):
    assert changed(name, number, changes) == -lost


@pytest.mark.parametrize("name, number, way, changes", WAYS, ids=[f"{x[0]}-{x[2]}" for x in WAYS])
def test_another_right_way_gets_all_points(name, number, way, changes):
    assert changed(name, number, changes) == 0


def test_the_borders_of_the_model_answer_part_the_textbook_s_cases():
    [q5] = [question for name, question in QUESTIONS if (name, question.name) == ("cyclegan", "q5")]
    defined = dict(set_up("cyclegan"))
    exec(q5.solution, defined)
    for case in defined["CASES"]:
        pictures = defined["a"], defined["b"], defined["judge"]
        assert (
            defined["diagnose"](defined["examine"](*defined["networks"](case), *pictures)) == case
        )


def test_every_question_of_code_has_a_plausible_error():
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


@functools.cache
def secret_lines():
    """The long lines of solutions, model answers and hidden tests, but for what students get."""
    found = set()
    for name, question in ALL:
        public = "\n".join(assignments.PROMPT.findall(sources(MASTERS[name])))
        texts = [test.code for test in question.tests if test.hidden]
        if question.manual:
            texts.append(question.solution)
        block = r"# BEGIN SOLUTION.*?\n(.*?)# END SOLUTION"
        texts += re.findall(block, question.solution, re.DOTALL)
        lines = {line.strip() for text in texts for line in text.splitlines()}
        lines = {line for line in lines if len(line) > 45 and line not in public}
        assert lines, question.name
        found |= lines
    return found


def given_away(text):
    return [line for line in secret_lines() if line in text]


@pytest.mark.parametrize("name", MASTERS)
def test_students_get_no_solution(handed_out, name):
    given = sources(handed_out / name / "student" / f"{name}.ipynb")
    assert given_away(given) == []
    assert "SOLUTION" not in given and "hidden: true" not in given


def test_otter_grades_what_is_missing_and_what_is_wrong(handed_out, tmp_path):
    notebook = notebooks.read(handed_out / "discriminator/autograder/discriminator.ipynb")
    model = notebook.cells.pop(-2).source
    for cell in notebook.cells:
        if cell.source.startswith("def window("):
            cell.source = cell.source.replace("return side", "return 1 / 0")
        if cell.source.startswith("def span("):
            cell.source = "raise NotImplementedError"
        if cell.source.startswith("def described("):
            cell.source = cell.source.replace("LeakyReLU(0.2)", "LeakyReLU()")
        if cell.source.startswith("_Type your answer here"):
            cell.source = "Because\n\n# of the eyes"
    nbformat.write(notebook, tmp_path / "somebody.ipynb")
    (tmp_path / "torn.ipynb").write_text("{", encoding="utf-8")
    result = make("grade", "NAME=discriminator", f"FOLDER={tmp_path}", f"OUTPUT={handed_out}")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "points.csv").open(encoding="utf-8") as file:
        row, torn = csv.DictReader(file)
    expected = {"q1": 0, "q2": 0, "q3": 0.75, "q4": 2.5, "q5": 1.25, "sum (of 8)": 4.5}
    assert row.pop("submission") == "somebody" and row.pop("q6") == ""
    assert "q3: Recompute a score by hand" in row["remarks"] and "q4" not in row.pop("remarks")
    assert {key: float(value) for key, value in row.items()} == expected
    assert torn["sum (of 8)"] == "" and "no notebook" in torn["remarks"]
    answers = (tmp_path / "answers.md").read_text(encoding="utf-8")
    [title] = [question.name for name, question in IN_WORDS if name == "discriminator"]
    assert answers == (
        f"# {title}, 2 points\n\n{model}\n\n## somebody\n\nBecause\n\n# of the eyes\n\n## torn\n\n"
    )


def test_grading_again_keeps_the_rows_and_what_was_typed_into_them(tmp_path, monkeypatch):
    (tmp_path / "pix2pix/autograder").mkdir(parents=True)
    (tmp_path / "pix2pix/autograder/tests.zip").touch()
    asked = []

    def graded(submission, zipped, tested, limit):
        asked.append(submission.stem)
        return dict.fromkeys(tested, 1), ["a remark, with a comma"]

    monkeypatch.setattr(assignments, "graded", graded)
    for name in ["early", "late"]:
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / f"{name}.ipynb")
        table = assignments.grade("pix2pix", tmp_path, tmp_path)
        with table.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        [place] = [place for place, title in enumerate(header) if title == "q7"]
        if name == "early":
            assert rows[0][place] == ""
            rows[0][place] = "1.5"
            with table.open("w", newline="", encoding="utf-8-sig") as file:  # a spreadsheet's way
                csv.writer(file).writerows([header, *rows, [""] * len(header)])
    assert asked == ["early", "late"]
    assert [(row[0], row[place], row[-1]) for row in rows] == [
        ("early", "1.5", "a remark, with a comma"),
        ("late", "", "a remark, with a comma"),
    ]
    text = table.read_text(encoding="utf-8")
    for other in ["", text.replace(",", ";")]:
        table.write_text(other, encoding="utf-8")
        with pytest.raises(SystemExit, match="points.csv has other columns"):
            assignments.grade("pix2pix", tmp_path, tmp_path)
        assert table.read_text(encoding="utf-8") == other  # what was typed is still there


def test_a_student_s_answer_in_words_is_found_where_it_was_typed(handed_out, tmp_path):
    for name, question in IN_WORDS:
        notebook = notebooks.read(handed_out / name / "student" / f"{name}.ipynb")
        [place] = [
            number
            for number, cell in enumerate(notebook.cells)
            if cell.source == "_Type your answer here, replacing this text._"
        ]
        notebook.cells[place].source = "One."
        notebook.cells.insert(place + 1, nbformat.v4.new_markdown_cell("Two."))
        notebook.cells.append(nbformat.v4.new_markdown_cell("A note at the end."))
        nbformat.write(notebook, tmp_path / "somebody.ipynb")
        assert assignments.answer(tmp_path / "somebody.ipynb", question) == "One.\n\nTwo."


def test_grading_stops_what_takes_too_long(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "endless.ipynb")
    found = assignments.graded(tmp_path / "endless.ipynb", tmp_path / "no.zip", ["q1"], 0.05)
    assert found == ({}, ["stopped after 0.05 s"])


@pytest.mark.parametrize(
    "source, names",
    [
        ("abs = lambda x: 0", ["abs"]),
        ("%time 1\nfor sum in (1, 2):\n    !ls", ["sum"]),
        ("def float(x):\n    return 1", ["float"]),
        ("from numpy import abs, sum as total", ["abs"]),
        ("import builtins as b", ["builtins"]),
        ("np.allclose = print", ["np.allclose"]),
        ("a = abs(-1)\nself.x = np.abs(a)\nthis is no Python", []),
        ("self.x = float(a)\nmean = sum(x)", []),
    ],
)
def test_cells_that_may_bend_the_tests_are_named(source, names):
    cell = nbformat.v4.new_code_cell(source)
    found = assignments.look_at(nbformat.v4.new_notebook(cells=[cell]))
    assert found == [f"look at it: gives {name} another meaning" for name in names]


def test_grading_says_what_is_missing(tmp_path):
    with pytest.raises(SystemExit, match="NAME=pixpix: run `make assignments` first.*pix2pix"):
        assignments.grade("pixpix", tmp_path, tmp_path)
    (tmp_path / "pix2pix/autograder").mkdir(parents=True)
    (tmp_path / "pix2pix/autograder/tests.zip").touch()
    for folder in ["", tmp_path / "nowhere"]:
        with pytest.raises(SystemExit, match="FOLDER=.*: no notebooks there"):
            assignments.grade("pix2pix", folder, tmp_path)


# The copy of the repository for students.


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    if not (notebooks.ROOT / ".git").exists():
        pytest.skip("make students copies what git tracks")
    folder = tmp_path_factory.mktemp("students") / "copy"
    students.copy(folder)
    return folder


def test_the_students_copy_gives_nothing_away(copy):
    files = [path for path in copy.rglob("*") if path.is_file()]
    assert len(files) > 200 and {copy / "Makefile", copy / "tests/test_data.py"} <= set(files)
    for path in files:
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert given_away(sources(path) if path.suffix == ".ipynb" else text) == [], path


def test_the_students_copy_is_in_order(copy):
    for command in [["-m", "ruff", "check"], ["book/_tools/hygiene.py"]]:
        result = subprocess.run(
            [sys.executable, *command], cwd=copy, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr
    assert "and 0 assignments are in order" in result.stdout


@pytest.mark.skipif(not shutil.which("git"), reason="make students needs git")
def test_a_new_copy_for_students_replaces_the_last_but_for_its_git(tmp_path):
    root, output = tmp_path / "root", tmp_path / "root/_build/students"
    for path in ["kept.md", "gone.md", "book/assignments/a.ipynb", "submission.ipynb"]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("as committed", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "kept.md", "gone.md", "book"], cwd=root, check=True)
    (root / "kept.md").write_text("as it stands", encoding="utf-8")
    (root / "gone.md").unlink()
    for path in [".git/config", "book/old.ipynb", "old.md"]:
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (output / path).touch()
    students.copy(output, root)
    files = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert files == {".git/config", "kept.md"}
    assert (output / "kept.md").read_text(encoding="utf-8") == "as it stands"


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


# What the page for teachers says of chapters and assignments.


def test_the_page_for_teachers_states_the_points():
    page = (notebooks.BOOK / "teaching.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| \*\*\d\*\*, `(\w+)` .*", page)
    assert sorted(rows) == sorted(MASTERS)
    for name in rows:
        [row] = re.findall(rf"(?m)^\| .*`{name}` .*", page)
        stated = [
            int(whole or 0) + unicodedata.numeric(part or "0")
            for whole, part in re.findall(r"\((\d?)([¼½¾]?)\)", row)
        ]
        assert stated == [question.points for of, question in QUESTIONS if of == name]


def test_the_plans_keep_to_what_chapters_build_on():
    page = (notebooks.BOOK / "teaching.md").read_text(encoding="utf-8")
    plans = re.findall(r"(?m)(?:^\d+\. .*\n)+", page)
    assert len(plans) == 2 and min(plan.count("\n") for plan in plans) >= 5
    for plan in plans:
        taught = []
        for name in re.findall(r"\]\((\w+)\.ipynb\)", plan):
            [line] = re.findall(
                r"\*\*Prerequisites:\*\* .*", sources(notebooks.BOOK / f"{name}.ipynb")
            )
            needed = set(re.findall(r"\]\((\w+)(?:\.ipynb)?\)", line))
            assert needed <= set(taught), (name, needed - set(taught))
            taught.append(name)


def test_links_to_a_chapter_left_out_become_text(tmp_path):
    (tmp_path / "_tools").mkdir()
    shutil.copy(notebooks.BOOK / "_tools/page_fixes.py", tmp_path / "_tools")
    (tmp_path / "_config.yml").write_text(
        "only_build_toc_files: true\n"
        "sphinx: {local_extensions: {page_fixes: _tools}, config: {nb_ipywidgets_js: {}}}\n",
        encoding="utf-8",
    )
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: first\n", encoding="utf-8")
    text = "# First\n\nRead [the *second* one](second.ipynb) now.\n"
    (tmp_path / "first.md").write_text(text, encoding="utf-8")
    shutil.copy(notebooks.BOOK / "deployment.ipynb", tmp_path / "second.ipynb")
    command = Path(sys.executable).with_name("jupyter-book")
    book = [command, "build", "-q", "-W", "-n", tmp_path]
    result = subprocess.run(book, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "_build/html/first.html").read_text(encoding="utf-8")
    assert "Read the second one now." in re.sub("<[^>]+>", "", page)
    (tmp_path / "second.ipynb").unlink()  # then it is a slip, and the build says so
    assert subprocess.run(book, capture_output=True).returncode
