"""Pictures: where they come from (OpenMoji, folders, downloads) and how they become batches."""

import difflib
import itertools
import os
import stat
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps
from tqdm import tqdm  # noqa: F401

from companion._sources import Split, Splits, cache_folder, progress
from companion.earth import earth  # noqa: F401
from companion.emoji import emoji_styles, openmoji, part_of  # noqa: F401

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # in a notebook without widgets, pooch's tqdm misses them
    import pooch


# Folders of pictures. Pictures are squeezed to size x size and kept in memory, decoded, at
# 3 * size * size bytes each: 1,000 pictures of 256x256 take 200 MB.

SUFFIXES = [".bmp", ".jpeg", ".jpg", ".png", ".webp"]


def side_by_side_folder(folder, size=256, source="right"):
    """Return Splits of pairs stored as one picture file each, left half and right half.

    folder: has the subfolder train and, where the set has them, val (or validation) and test
    source: the half that is the source; "right" as in pix2pix' facades (photo left, labels right)

    Raises FileNotFoundError for missing folders, ValueError for an empty one, for unreadable
    pictures and for an odd width.
    """
    if source not in ("left", "right"):
        raise ValueError(f'source is {source!r}; choose the half that is it, "left" or "right".')

    def read(part):
        pictures = pictures_in(part)
        halves = read_pictures(pictures.values(), size, columns=2)
        left, right = halves[:, 0], halves[:, 1]
        pair = (right, left) if source == "right" else (left, right)
        return Split(*pair, list(pictures))

    return Splits(*(read(part) for part in part_folders(folder)))


def paired_folder(source_folder, target_folder, size=256):
    """Return Splits of pairs stored as two picture files of the same name in two folders.

    Both folders have the subfolder train and, where the set has them, val (or validation) and
    test. Suffixes may differ: train/1.png of one folder and train/1.jpg of the other are a pair.

    Raises FileNotFoundError for missing folders, ValueError for an empty one, for unreadable
    pictures and for pictures without a partner.
    """

    def read(source_part, target_part):
        sources, targets = pictures_in(source_part), pictures_in(target_part)
        alone = sorted(sources.keys() ^ targets.keys())
        if alone:
            raise ValueError(
                f"{len(alone)} pictures have no partner of the same name in the other folder "
                f"({source_part or source_folder}, {target_part or target_folder}): "
                f"{', '.join(alone[:5])}{', ...' if alone[5:] else ''}. Rename or remove them."
            )
        return Split(
            read_pictures(sources.values(), size)[:, 0],
            read_pictures([targets[name] for name in sources], size)[:, 0],
            list(sources),
        )

    parts = zip(part_folders(source_folder), part_folders(target_folder))
    return Splits(*(read(*part) for part in parts))


def unpaired_folders(folder, size=256):
    """Return Splits of unpaired pictures from the subfolders trainA, trainB, testA and testB.

    This is how CycleGAN's data sets are stored. A is the source, B the target; valA and valB are
    read as well where the set has them. See `Split` for the names.

    Raises FileNotFoundError for missing folders, ValueError for an empty one and for unreadable
    pictures.
    """

    def read(part_a, part_b):
        sources, targets = pictures_in(part_a), pictures_in(part_b)
        return Split(
            read_pictures(sources.values(), size)[:, 0],
            read_pictures(targets.values(), size)[:, 0],
            [*sources, *targets],
        )

    parts = zip(part_folders(folder, "A"), part_folders(folder, "B"))
    return Splits(*(read(*part) for part in parts))


def part_folders(folder, domain=""):
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


def pictures_in(folder):
    """Return the pictures of a folder as a dict from name to path, sorted by name."""
    if folder is None:
        return {}
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    paths = sorted((p for p in files if p.suffix.lower() in SUFFIXES), key=lambda p: p.stem)
    if not paths:
        raise ValueError(
            f"{folder} holds no pictures ({', '.join(SUFFIXES)}): put some there, or remove it."
        )
    for path, following in itertools.pairwise(paths):
        if path.stem == following.stem:
            raise ValueError(f"{path} and {following.name} share one name: rename one of them.")
    return {path.stem: path for path in paths}


def read_pictures(paths, size, columns=1):
    """Return pictures, each cut into equal columns, as uint8 (n, columns, size, size, 3)."""
    images = np.empty((len(paths), columns, size, size, 3), np.uint8)
    for i, path in enumerate(progress(paths, "Reading pictures", delay=2)):
        image = read_picture(path)
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


def read_picture(path):
    try:
        with Image.open(path) as image:
            if image.mode[0] in "IF":  # Pillow would cut everything above 255 off
                raise ValueError(f"{image.mode} is more than 8 bits a channel")
            image = ImageOps.exif_transpose(image)  # phones store photos lying, plus a note
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as a picture ({error}): convert it to an 8-bit PNG, or move it "
            f"out of the folder."
        ) from error


# Downloads: the CycleGAN authors' data sets.

ADDRESS = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/"
SETS = {  # name: (bytes of name.zip, its SHA-256)
    "apple2orange": (78456409, "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8"),
    "facades": (35135868, "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0"),
    "horse2zebra": (116867962, "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1"),
    "maps": (1476754427, "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e"),
    "monet2photo": (305231073, "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04"),
    "summer2winter_yosemite": (
        132640856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    "vangogh2photo": (
        306590349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
}


def download(name):
    """Return the folder of a CycleGAN data set, downloading it on first use; a key of `SETS`.

    Read it with `unpaired_folders`. It is kept in `cache_folder()`.

    Raises ValueError for an unknown name or an unsafe archive, OSError where the download fails.
    Source: the CycleGAN authors' server, `ADDRESS`; sizes and checksums from `SETS`.
    """
    if name not in SETS:
        close = difflib.get_close_matches(name, SETS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"There is no data set {name!r}.{hint} Known are {', '.join(SETS)}.")
    folder = cache_folder() / name
    if not folder.is_dir():
        archive = download_archive(name)
        extract(archive, folder)
        archive.unlink()
    return folder


def download_archive(name):
    url, (size, sha256) = f"{ADDRESS}{name}.zip", SETS[name]

    def fetch(url, path, _):
        reason = "no more were sent"
        try:
            with progress(
                None, f"Downloading {name}", total=size, unit="B", unit_scale=True
            ) as bar:
                pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, path, None)
        except OSError as error:
            reason = error
        arrived = os.path.getsize(path)
        if arrived != size:
            raise OSError(f"{arrived:,} of {size:,} bytes arrived: {reason}")

    pooch.get_logger().setLevel("WARNING")  # it announces each download on stderr
    try:  # pooch downloads aside, checks the SHA-256 and renames
        path = pooch.retrieve(
            url, f"sha256:{sha256}", f"{name}.zip", cache_folder(), downloader=fetch
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name} could not be downloaded from {url}, and nothing was kept. Try again; if it "
            f"fails each time, the server or the network in between has a problem. Now: {error}"
        ) from None
    return Path(path)


def extract(archive, folder):
    """Extract the folder of the same name from a zip archive, all of it or nothing."""
    with zipfile.ZipFile(archive) as entries:
        for entry in entries.infolist():
            link = stat.S_ISLNK(entry.external_attr >> 16)
            if link or entry.filename.startswith("/") or ".." in entry.filename.split("/"):
                raise ValueError(
                    f"{archive} is unsafe: its entry {entry.filename!r} leads out of the folder. "
                    f"Nothing was extracted; delete the archive."
                )
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            for entry in progress(entries.infolist(), f"Extracting {folder.name}", delay=2):
                entries.extract(entry, aside)
            if not Path(aside, folder.name).is_dir():
                raise ValueError(f"{archive} has no folder {folder.name}: delete the archive.")
            os.replace(Path(aside, folder.name), folder)


# From pictures to batches.


def normalize(images):
    """Return uint8 pictures as float32 in [-1, 1], the range of the generators' tanh.

    Raises ValueError for other types.
    """
    if images.dtype != "uint8":
        raise ValueError(
            f"normalize wants uint8 pictures (0 to 255), not {images.dtype}: they may be "
            f"normalized already."
        )
    is_array = isinstance(images, np.ndarray)
    images = images.astype("float32") if is_array else tf.cast(images, "float32")
    return images / 127.5 - 1


def denormalize(images):
    """Return float pictures in [-1, 1] as a uint8 array: the inverse of `normalize`.

    Values up to 0.001 beyond the range are rounding errors. Raises ValueError for others.
    """
    images = np.asarray(images)
    if images.dtype.kind in "bui" or not np.all(np.abs(images) <= 1.001):
        raise ValueError(
            f"denormalize wants float pictures in [-1, 1], not {images.dtype} with values from "
            f"{images.min()} to {images.max()}: is it the output of a tanh, or of normalize?"
        )
    return np.rint((images.astype("float32") + 1) * 127.5).astype("uint8")


def jitter(source, target, seed):
    """Enlarge a pair of pictures a little, crop it back at random, and mirror half of them.

    source, target: (H, W, 3), uint8 or float; results are float32 with the same range and share
                    one draw, so that they stay a pair
    seed:           two integers; the same seed gives the same draw

    Source: pix2pix paper, section 6.2: 256 pixels are enlarged to 286.
    """
    pair = jitter_one(tf.concat([source, target], axis=-1), seed)  # one picture of 6 channels
    return pair[..., :3], pair[..., 3:]


def jitter_one(image, seed):
    height, width, channels = image.shape
    crop_seed, mirror_seed = tf.unstack(tf.random.split(seed, 2))
    image = tf.image.resize(image, [round(height * 286 / 256), round(width * 286 / 256)])
    image = tf.image.stateless_random_crop(image, [height, width, channels], crop_seed)
    return tf.image.stateless_random_flip_left_right(image, mirror_seed)


def to_dataset(split, batch_size, augment=False, shuffle=False, paired=True, seed=0):
    """Return a `tf.data.Dataset` of batches (source, target), float32 in [-1, 1].

    augment: jitter each picture anew in each epoch, pairs together
    shuffle: a new order in each epoch
    paired:  False draws the two sides independently; an epoch lasts as long as the longer one,
             and the shorter one starts over
    seed:    two datasets with the same seed give the same batches, epoch by epoch

    Raises ValueError for an empty split, and for a paired one whose sides differ in length.
    """
    lengths = len(split.source), len(split.target)
    if min(lengths) == 0:
        raise ValueError("The split holds no pictures: does the data set have this part at all?")
    if paired and lengths[0] != lengths[1]:
        raise ValueError(
            f"{lengths[0]} sources and {lengths[1]} targets are not pairs: pass paired=False for "
            f"an unpaired data set."
        )
    # The decoded pictures are in memory already, which makes a .cache() needless. With one, the
    # jitter would have to come after it: cached jitter is frozen at its first draw.
    with tf.device("CPU"):  # or else TensorFlow copies the whole set to the GPU
        sides = [tf.data.Dataset.from_tensor_slices(images) for images in split[:2]]
    if paired:
        pictures = tf.data.Dataset.zip(tuple(sides))
        if shuffle:  # pictures, not batches, and all of them: a small buffer only shuffles locally
            pictures = pictures.shuffle(lengths[0], seed=seed)
    else:
        if shuffle:  # with one seed, sides of equal length would stay in step
            sides = [x.shuffle(n, seed=seed + i) for i, (x, n) in enumerate(zip(sides, lengths))]
        pictures = tf.data.Dataset.zip(tuple(x.repeat() for x in sides)).take(max(lengths))

    pictures = pictures.map(lambda *pair: tuple(map(normalize, pair)), tf.data.AUTOTUNE)
    if augment:
        # Random numbers come as data, two for each picture. Operations with a random state of
        # their own would have to run one after the other, or else which picture gets which draw
        # would depend on timing.
        draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

        def move(pair, draw):
            if paired:
                return jitter(*pair, draw)
            return jitter_one(pair[0], draw), jitter_one(pair[1], draw + 1)

        pictures = tf.data.Dataset.zip((pictures, draws)).map(move, tf.data.AUTOTUNE)
    return pictures.batch(batch_size).prefetch(tf.data.AUTOTUNE)
