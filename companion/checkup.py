"""A look at a folder of pictures before a network trains on it, and at what it learned after."""

import itertools
import shlex
import textwrap
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist

from companion._sources import progress
from companion.folders import (
    _SUFFIXES,
    _part_folders,
    _pictures_in,
    _read_picture,
    paired_folder,
    side_by_side_folder,
    unpaired_folders,
)

PARTS = "train", "validation", "test"
FEW = 100  # training pictures; the papers' smallest set, facades, has 400
_WRAPPER = textwrap.TextWrapper(
    88, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)
ALIKE = 16  # of 255; a copy saved as JPEG at another size differs by less, almost always


def sides(folder):
    """Return the folders of the two kinds of pictures, as {kind: folders of the three parts}.

    trainA and trainB in the folder: no pairs; source/train and target/train: pairs of the same
    name; train alone: pairs side by side, which are of one kind, "pair".

    Raises FileNotFoundError where none of these is there.
    """
    folder = Path(folder)
    if (folder / "trainA").is_dir():
        return {kind: _part_folders(folder, kind) for kind in "AB"}
    if (folder / "source").is_dir():
        return {kind: _part_folders(folder / kind) for kind in ("source", "target")}
    return {"pair": _part_folders(folder)}


def read_folder(folder, size=256, source="right"):
    """Return the Splits of a folder in any of the three layouts of `sides`.

    Arguments and errors are those of `companion.data.side_by_side_folder` and the others.
    """
    kinds = set(sides(folder))
    if kinds == {"A", "B"}:
        return unpaired_folders(folder, size)
    if kinds == {"pair"}:
        return side_by_side_folder(folder, size, source)
    return paired_folder(Path(folder, "source"), Path(folder, "target"), size)


@dataclass
class Report:
    """What a look at a folder found: three lists of sentences; print it to read them.

    next: the command to go on with
    """

    facts: list[str] = field(default_factory=list)
    to_mend: list[str] = field(default_factory=list)
    to_know: list[str] = field(default_factory=list)
    next: str = ""

    def __str__(self):
        def wrapped(sentences):
            return [_WRAPPER.fill(sentence) for sentence in sentences or ["nothing"]]

        lines = [*self.facts, "", "To mend before training:", *wrapped(self.to_mend)]
        lines += ["", "To know:", *wrapped(self.to_know), "", f"Next: {self.next}"]
        return "\n".join(lines)


def check_folder(folder):
    """Return a `Report` on a folder in any of the layouts of `sides`.

    To mend: pictures that cannot be read, that lack a partner or differ from it in shape, no
    pictures held out, and near-copies across the parts, which make a held-out error look too good.
    To know: files left out, few pictures, shapes that get squeezed, single pictures of another
    size than the rest, and kinds of colour that are mixed.

    Raises FileNotFoundError where the folder has none of these layouts.
    """
    report = Report()
    looks = {
        kind: {part: _look_at(path, kind, report) for part, path in zip(PARTS, parts)}
        for kind, parts in sides(folder).items()
    }
    for kind, parts in looks.items():
        counts = ", ".join(f"{len(parts[part])} {part}" for part in PARTS)
        report.facts.append(f"{kind}: {counts}")
        seen = [look for part in PARTS for look in parts[part].values()]
        shapes = Counter(f"{width}x{height}" for (width, height), _, _ in seen)
        modes = Counter(mode for _, mode, _ in seen)
        report.facts += [f"  pixels: {_commonest(shapes)}", f"  colours: {_commonest(modes)}"]
        if any(width != height for (width, height), _, _ in seen):
            report.to_know.append(f"{kind}: pictures that are not square will be squeezed.")
        if kind == "pair" and any(2 * width == height for (width, height), _, _ in seen):
            report.to_know.append(
                f"{kind}: pictures that are square as a whole; are these two side by side?"
            )
        odd = _rare(parts, 0)
        if odd and len(shapes) < 5:  # photos of all sizes are nothing to wonder at
            report.to_know.append(
                f"{kind}: of another size than the rest: {_some(odd)}; is that on purpose?"
            )
        if len(modes) > 1:
            mixed = "pictures of several kinds of colour"
            if rare := _rare(parts, 1):
                mixed = f"of another kind of colour than the rest: {_some(rare)}"
            report.to_know.append(
                f"{kind}: {mixed}. All become RGB, transparent ones on white; a grey one among "
                f"coloured ones teaches that grey is right."
            )
    if set(looks) == {"source", "target"}:
        looks = {"pair": _partners(looks, report)}
    for kind, parts in looks.items():
        if len(parts["train"]) < FEW:
            report.to_know.append(
                f"{kind}: with fewer than {FEW} training pictures a network soon knows them by "
                f"heart; judge it by pictures that are held out."
            )
        for first, second in itertools.combinations(PARTS, 2):
            _compare(kind, first, second, parts, report)
    if not any(all(parts[part] for parts in looks.values()) for part in PARTS[1:]):
        report.to_mend.append(
            f"{' and '.join(looks)}: no pictures are held out to judge by; move a tenth of them to "
            f"val."
        )
    command = "train cyclegan" if set(looks) == {"A", "B"} else "train pix2pix"
    command = "check" if report.to_mend else command
    report.next = f"python -m companion {command} {shlex.quote(str(folder))}"
    if not report.to_mend:
        report.next += " painter.keras"
    return report


def held_out_errors(translated, held_out, train):
    """Return {what: mean absolute error} on pairs kept out of training, 0 to 2, as losses have it.

    What the network made, uint8 (n, H, W, 3), stands beside two things that need no network: the
    source as it is, and the mean of all training targets, the same for every picture.
    """
    mean = train.target.mean(axis=0, dtype="float64")
    candidates = {
        "the translations": translated,
        "the sources, left alone": held_out.source,
        "the mean training target": mean,
    }
    target = held_out.target.astype("float32")
    return {what: float(abs(x - target).mean() / 127.5) for what, x in candidates.items()}


def contact_sheet(rows, side=128, gap=4):
    """Return rows of uint8 pictures (n, H, W, 3) as one Pillow picture, on white.

    side: in pixels, at least; smaller pictures are enlarged
    """
    side = max(side, rows[0].shape[1])
    columns, step = max(map(len, rows)), side + gap
    sheet = Image.new("RGB", (columns * step - gap, len(rows) * step - gap), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            picture = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(picture, (x * step, y * step))
    return sheet


def _look_at(folder, kind, report):
    """Return {name: (size, mode, thumbnail)} of one kind's pictures in one part."""
    looks = {}
    try:
        pictures = _pictures_in(folder)
    except ValueError as error:
        report.to_mend.append(str(error))
        return looks
    other = sorted(path.name for path in folder.iterdir()) if folder else []
    other = [x for x in other if Path(x).suffix.lower() not in _SUFFIXES and x[0] != "."]
    if other:
        report.to_know.append(
            f"{folder}: left out, since only {', '.join(_SUFFIXES)} are read: {_some(other)}."
        )
    for name, path in progress(pictures.items(), f"Looking at {folder}", delay=2):
        try:
            picture = _read_picture(path)
        except ValueError as error:
            report.to_mend.append(str(error))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, and readable
            with Image.open(path) as image:
                mode = image.mode
        width, height = picture.size
        columns = 2 if kind == "pair" else 1
        if width % columns:
            report.to_mend.append(f"{path} is {width} pixels wide, which makes no two halves.")
        thumbnail = picture.resize((8 * columns, 8), Image.Resampling.BOX)
        size = width // columns, height
        looks[name] = size, mode, np.asarray(thumbnail, "float32").ravel()
    return looks


def _partners(looks, report):
    """Return the pairs among the sources and targets, and report those that are none."""
    pairs = {}
    for part in PARTS:
        sources, targets = looks["source"][part], looks["target"][part]
        for one, other, kind in [(sources, targets, "target"), (targets, sources, "source")]:
            alone = sorted(one.keys() - other.keys())
            if alone:
                report.to_mend.append(f"{part}: without a {kind} of the same name: {_some(alone)}.")
        both = sorted(sources.keys() & targets.keys())
        other = [name for name in both if _ratio(sources[name]) != _ratio(targets[name])]
        if other:
            report.to_mend.append(f"{part}: source and target differ in shape: {_some(other)}.")
        pairs[part] = {
            name: (*sources[name][:2], np.append(sources[name][2], targets[name][2]))
            for name in both
        }
    return pairs


def _compare(kind, first, second, parts, report):
    one, other = parts[first], parts[second]
    if one and other:
        thumbnails = [[look[2] for look in part.values()] for part in (one, other)]
        # The largest difference, not the mean: white paper around it makes all drawings alike.
        found = np.argwhere(cdist(*thumbnails, "chebyshev") < ALIKE)
        names = [f"{list(one)[i]} = {list(other)[j]}" for i, j in found]
        if names:
            report.to_mend.append(
                f"{kind}: near-copies in {first} and {second} ({len(names)}): {_some(names)}."
            )


def _ratio(look):
    (width, height), _, _ = look
    return round(width / height, 2)


def _rare(parts, feature):
    """Return the pictures that differ in a feature of their look from more than half of all."""
    looks = {
        f"{part}/{name}": look[feature] for part in PARTS for name, look in parts[part].items()
    }
    counter = Counter(looks.values())
    usual = [value for value, count in counter.most_common(1) if 2 * count > len(looks)]
    return [name for name, value in looks.items() if usual and value not in usual]


def _commonest(counter):
    shown = ", ".join(f"{value} ({count})" for value, count in counter.most_common(3))
    return shown + (f" and {len(counter) - 3} others" if len(counter) > 3 else "")


def _some(names):
    return ", ".join(names[:5]) + (", ..." if names[5:] else "")
