"""Pictures from folders: pairs side by side, pairs in two folders, two piles without pairs.

Pictures are squeezed to size x size and kept in memory, decoded, at 3 * size * size bytes each:
1,000 pictures of 256x256 take 200 MB.
"""

import unicodedata
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from companion._checks import whole_number
from companion._sources import Split, Splits, progress

_SUFFIXES = [".bmp", ".jpeg", ".jpg", ".png", ".webp"]


def side_by_side_folder(folder, size=256, source="right"):
    """Return Splits of pairs stored as one picture file each, left half and right half.

    folder: has the subfolder train and, where the set has them, val (or validation) and test
    source: the half that is the source; "right" as in pix2pix' facades (photo left, labels right)

    Raises FileNotFoundError for missing folders, ValueError for an empty one, for unreadable
    pictures, for an odd width and for a size that is not a whole number from 1 on.
    """
    if source not in ("left", "right"):
        raise ValueError(f'source is {source!r}; choose the half that is it, "left" or "right".')

    def read(part):
        pictures = _pictures_in(part)
        halves = _read_pictures(pictures.values(), size, columns=2)
        left, right = halves[:, 0], halves[:, 1]
        pair = (right, left) if source == "right" else (left, right)
        return Split(*pair, list(pictures))

    return Splits(*(read(part) for part in _part_folders(folder)))


def paired_folder(source_folder, target_folder, size=256):
    """Return Splits of pairs stored as two picture files of the same name in two folders.

    Both folders have the subfolder train and, where the set has them, val (or validation) and
    test. Suffixes may differ: train/1.png of one folder and train/1.jpg of the other are a pair.

    Raises FileNotFoundError for missing folders, ValueError for an empty one, for unreadable
    pictures and for pictures without a partner.
    """

    def read(source_part, target_part):
        sources, targets = _pictures_in(source_part), _pictures_in(target_part)
        alone = sorted(sources.keys() ^ targets.keys())
        if alone:
            raise ValueError(
                f"{len(alone)} pictures have no partner of the same name in the other folder "
                f"({source_part or source_folder}, {target_part or target_folder}): "
                f"{', '.join(alone[:5])}{', ...' if alone[5:] else ''}. Rename or remove them."
            )
        return Split(
            _read_pictures(sources.values(), size)[:, 0],
            _read_pictures([targets[name] for name in sources], size)[:, 0],
            list(sources),
        )

    parts = zip(_part_folders(source_folder), _part_folders(target_folder))
    return Splits(*(read(*part) for part in parts))


def unpaired_folders(folder, size=256):
    """Return Splits of unpaired pictures from the subfolders trainA, trainB, testA and testB.

    This is how CycleGAN's data sets are stored. A is the source, B the target; valA and valB are
    read as well where the set has them. See `Split` for the names.

    Raises FileNotFoundError for missing folders, ValueError for an empty one and for unreadable
    pictures.
    """

    def read(part_a, part_b):
        sources, targets = _pictures_in(part_a), _pictures_in(part_b)
        return Split(
            _read_pictures(sources.values(), size)[:, 0],
            _read_pictures(targets.values(), size)[:, 0],
            [*sources, *targets],
        )

    parts = zip(_part_folders(folder, "A"), _part_folders(folder, "B"))
    return Splits(*(read(*part) for part in parts))


def _part_folders(folder, domain=""):
    """Return the subfolders for train, validation and test; None for one that is not there."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}: check the path.")

    def find(*names):
        paths = [folder / f"{name}{domain}" for name in names]
        return next((path for path in paths if path.is_dir()), None)

    train, validation, test = find("train"), find("val", "validation"), find("test")
    if train is None:
        raise FileNotFoundError(
            f"{folder} has no subfolder train{domain}: put the training pictures there, and "
            f"others, if there are any, in val{domain} and test{domain}."
        )
    return train, validation, test


def _pictures_in(folder):
    """Return the pictures of a folder as a dict from name to path, sorted by name."""
    if folder is None:
        return {}
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    # A Mac spells é as e and an accent: the same name from elsewhere shall be its partner.
    named = sorted(
        (unicodedata.normalize("NFC", path.stem), path)
        for path in files
        if path.suffix.lower() in _SUFFIXES
    )
    if not named:
        raise ValueError(
            f"{folder} holds no pictures ({', '.join(_SUFFIXES)}): put some there, or remove it."
        )
    for (name, path), (next_name, following) in pairwise(named):
        if name == next_name:
            raise ValueError(f"{path} and {following.name} share one name: rename one of them.")
    return dict(named)


def _read_pictures(paths, size, columns=1):
    """Return pictures, each cut into equal columns, as uint8 (n, columns, size, size, 3)."""
    whole_number("size", size)
    images = np.empty((len(paths), columns, size, size, 3), np.uint8)
    for i, path in enumerate(progress(paths, "Reading pictures", delay=2)):
        image = _read_picture(path)
        width, rest = divmod(image.width, columns)
        if rest:
            raise ValueError(
                f"{path} is {image.width} pixels wide, an odd number: are these two "
                f"pictures side by side? Crop or remove it."
            )
        for column in range(columns):
            # Cut first: resizing first would mix the halves where they meet.
            part = image.crop((column * width, 0, (column + 1) * width, image.height))
            images[i, column] = part.resize((size, size), Image.Resampling.BICUBIC)
    return images


def _read_picture(path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, and readable
            image = Image.open(path)
        with image:
            if image.mode[0] in "IF":  # Pillow would cut everything above 255 off
                raise ValueError(f"{image.mode} is more than 8 bits a channel")
            image = ImageOps.exif_transpose(image)  # phones store photos lying, plus a note
            if not image.has_transparency_data:
                return image.convert("RGB")
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} has too many pixels to be read: make it smaller.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as a picture ({error}): convert it to an 8-bit PNG, or move it "
            f"out of the folder."
        ) from error
