"""Check the words of the book against its code: names must exist, numbers must have a source.

A name is a dotted one that begins with the package or one of its modules: `data.openmoji`,
`companion.losses.l1`, `companion/data.py`. A number of two or more significant digits must occur,
rounded as the prose rounds it, in one of these places:

- a code cell or an output of the same section (## heading), where it can be looked up; an output of
  HTML, such as an explorer, does not count
- the first section with code, which holds the settings
- book/facts.yml
- for the opening, the exercises and sections without code, which repeat: the prose of the others,
  as far as that has a source
- for code in the prose, which names settings or proposes some: any cell or output of the chapter

Numbers in the section References, in addresses, in names (pix2pix, conv4_2, VGG-19, 0x1F600), years
in brackets and places in papers ("Section 3.3") are not looked at.
"""

import importlib
import pkgutil
import re
from decimal import Decimal
from typing import NamedTuple

import hygiene
import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from notebooks import BOOK, read
from pybtex.database import parse_file

import companion

MARKDOWN = MarkdownIt().enable("table").use(dollarmath_plugin)
MODULES = {module.name for module in pkgutil.iter_modules(companion.__path__)}
DOTTED = re.compile(r"(?<![\w./-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
FILE_ENDINGS = {"py", "ipynb", "keras", "h5", "onnx", "tflite", "npz", "png", "svg", "md", "yml"}
TOKEN = re.compile(
    r"""
    https?://\S+ | arXiv:\S+ | 0[xX][0-9a-fA-F]+ | U\+[0-9a-fA-F]+      # addresses
  | (?:Section|Figure|Table|Equation|Appendix)s?\s+\d[\d.]*             # places in papers
  | (?<=[(,.\s])(?:19|20)\d\d(?=[)\];])                                 # years: (2017)
  | [^\W\d]\w*(?:-\d[\w.]*)?                                            # names
  | \d+(?:\.\d+){2,}                                                    # versions: 2.21.0
  | (?P<number>(?:\d{1,3}(?:[,_\u202f\u00a0]\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?)
    (?:\s+(?P<scale>thousand|million|billion)\b)?
    """,
    re.VERBOSE,
)
SCALES = {None: 1, "thousand": 10**3, "million": 10**6, "billion": 10**9}


def numbers(text):
    """Triples (as written, value, half the last digit's unit) of the numbers in a text."""
    text = re.sub(r"(?<=\d)(?<!\b0)x(?=\d)", " x ", text)  # 64x64 is two numbers, 0x40 is a name
    found = []
    for match in TOKEN.finditer(text):
        if match["number"]:
            value = Decimal(re.sub(r"[,_\u202f\u00a0]", "", match["number"]))
            scale = SCALES[match["scale"]]
            unit = Decimal(10) ** value.as_tuple().exponent
            found.append((match[0], value * scale, unit * scale / 2))
    return found


def significant_digits(written):
    mantissa = re.split("[eE]|\\s", written)[0]
    digits = re.sub(r"\D", "", mantissa).lstrip("0")
    return len(digits if "." in mantissa else digits.rstrip("0"))


def values(text):
    """Every value that a text of code, output or fact can be read as."""
    separate = text.replace(",", ", ")  # (64,128) is two numbers, 1,024 may be one
    return {value for _, value, _ in numbers(text) + numbers(separate)}


def supported(number, known):
    _, value, half = number
    return any(abs(value - source) <= half for source in known)


def pieces(source):
    """Pairs (kind, text) of a Markdown text's running words, code and formulas."""
    found, references = [], False
    tokens = MARKDOWN.parse(source)
    for before, token in zip([None, *tokens], tokens):
        if token.type == "inline" and before.type == "heading_open" and before.tag in ("h1", "h2"):
            references = token.content == "References"
        if references:
            continue
        if token.type in ("fence", "code_block"):
            found.append(("code", re.sub(r"(?m)^:\w[\w-]*:.*$", "", token.content)))
        elif token.type == "html_block":
            found.append(("words", re.sub(r"<[^>]*>", " ", token.content)))
        elif token.type.startswith("math_block"):
            found.append(("formula", token.content))
        elif token.type == "inline":
            found += inline_pieces(token)
    return found


def inline_pieces(block):
    kinds = {"code_inline": "code", "math_inline": "formula", "math_inline_double": "formula"}
    found = [(kinds[token.type], token.content) for token in block.children if token.type in kinds]
    marks = {"softbreak": " ", "hardbreak": " ", "link_close": "]", "text": "", "text_special": ""}
    words = [
        marks.get(token.type, " ` ") or token.content
        for token in block.children
        if not token.type.endswith("_open")
    ]
    return [("words", "".join(words)), *found]


def readable(kind, text):
    """The text as its numbers are to be read."""
    if kind == "code":
        return text.replace(",", ", ")
    if kind == "formula":
        text = text.replace("{,}", ",").replace(r"\,", "")
        return re.sub(r"_(\{[^}]*\}|\w)", " ", text)  # indices are names
    return text


def missing_name(dotted):
    """Whether a dotted name claims to be the package's and is not."""
    parts = dotted.split(".")
    if parts[0] == "companion":
        parts = parts[1:]
    elif parts[0] not in MODULES:
        return False
    if parts[-1] in FILE_ENDINGS:
        parts = parts[:-1]
    thing = companion
    for number, part in enumerate(parts):
        if number == 0 and part in MODULES:
            thing = importlib.import_module(f"companion.{part}")
        elif not hasattr(thing, part):
            return True
        else:
            thing = getattr(thing, part)
    return False


def name_problems(parts):
    for kind, text in parts:
        for dotted in DOTTED.findall(text.replace("companion/", "companion.")):
            if (kind == "code" or dotted.startswith("companion.")) and missing_name(dotted):
                yield (
                    f"names {dotted}, which the package does not have "
                    "(a name of Keras is written in full: keras.layers.Conv2D)"
                )


class Section(NamedTuple):
    pieces: list  # of its Markdown
    shown: set  # values in its code cells and their outputs
    repeats: bool  # what other sections say


def output_text(output):
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")


def sections(path):
    if path.suffix == ".md":
        return [Section(pieces(path.read_text(encoding="utf-8")), set(), False)]
    found = []
    for heading, parts in hygiene.sections(read(path).cells):
        words = "\n\n".join(part for part in parts if isinstance(part, str))
        cells = [part for part in parts if not isinstance(part, str)]
        shown = [cell.source + "\n" + "\n".join(map(output_text, cell.outputs)) for cell in cells]
        repeats = not cells or heading in ("", "Exercises")
        found.append(Section(pieces(words), values("\n".join(shown)), repeats))
    return found


def statements(path, cited):
    """Triples (text, number, values that support it) of all numbers of a page's prose.

    cited: values of the facts for this page
    """
    parts = sections(path)
    everything = set().union(*(part.shown for part in parts))
    settings = next((part.shown for part in parts if part.shown), set())
    found = [
        (part.repeats, text, number, everything if kind == "code" else part.shown | settings)
        for part in parts
        for kind, text in part.pieces
        for number in numbers(readable(kind, text))
        if significant_digits(number[0]) >= 2
    ]
    said = {n[1] for _, _, n, shown in found if supported(n, shown | cited)}
    return [(text, n, shown | said if repeats else shown) for repeats, text, n, shown in found]


def problems(paths, facts, bibliography):
    """What is wrong with the prose of these pages and with the list of facts, as lines of text."""
    found, used = [], set()
    for path in paths:
        parts = [piece for part in sections(path) for piece in part.pieces]
        found += [f"{path.name}: {problem}" for problem in name_problems(parts)]
        known = [(fact, values(str(fact["value"]))) for fact in facts]
        cited = set().union(*(shown for fact, shown in known if path.stem in fact["where"]))
        for text, number, shown in statements(path, cited):
            fitting = [fact for fact, value in known if supported(number, value)]
            here = [fact for fact in fitting if path.stem in fact["where"]]
            used |= {(str(fact["value"]), path.stem) for fact in here}
            if not here and not supported(number, shown):
                elsewhere = {name for fact in fitting for name in fact["where"]}
                found.append(
                    f"{path.name}: prints {number[0]}, which no cell or output of its section "
                    f"shows: {' '.join(text.split())[:100]!r}. Compute it there, say it where it "
                    "is computed, or cite it in book/facts.yml"
                    + (
                        f" (a fact with this value is for {', '.join(sorted(elsewhere))})"
                        if elsewhere
                        else ""
                    )
                )
    for fact in facts:
        name, source = f"facts.yml: {fact['value']}", fact["citation"]
        found += [
            f"{name} is not used in {where}: remove it there"
            for where in fact["where"]
            if (str(fact["value"]), where) not in used
        ]
        if " " not in source and source not in bibliography:
            found.append(f"{name} cites {source}, which references.bib does not have")
    return found


def facts():
    return yaml.safe_load((BOOK / "facts.yml").read_text(encoding="utf-8")) or []


def bibliography():
    return set(parse_file(str(BOOK / "references.bib")).entries)
