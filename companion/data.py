"""From pictures to batches; the sources of pictures are handed on, as in `data.openmoji()`."""

import itertools

import numpy as np
import tensorflow as tf

from companion._checks import whole_number
from companion._sources import Split, Splits, cache_folder
from companion.download import SETS, download
from companion.earth import earth
from companion.emoji import emoji_styles, openmoji, part_of
from companion.folders import paired_folder, side_by_side_folder, unpaired_folders
from companion.pictures import denormalize, greyscale, normalize

__all__ = [
    "SETS",
    "Split",
    "Splits",
    "cache_folder",
    "denormalize",
    "download",
    "earth",
    "emoji_styles",
    "greyscale",
    "jitter",
    "mirror",
    "normalize",
    "openmoji",
    "paired_folder",
    "part_of",
    "side_by_side_folder",
    "to_dataset",
    "unpaired_folders",
]


def jitter(source, target, seed):
    """Enlarge a pair of pictures a little, crop it back at random, and mirror half of them.

    source, target: (H, W, C), uint8 or float; results are float32 with the same range and share
                    one draw, so that they stay a pair
    seed:           two integers; the same seed gives the same draw

    Raises ValueError for pictures of different sizes.
    Source: pix2pix paper, section 6.2: 256 pixels are enlarged to 286.
    """
    if source.shape[:2] != target.shape[:2]:
        raise ValueError(
            f"jitter cuts one window out of both pictures, which {source.shape} and "
            f"{target.shape} do not allow: resize one of them."
        )
    both = tf.concat([source, target], axis=-1)  # one picture, of 6 channels for instance
    height, width, channels = both.shape
    crop_seed, mirror_seed = tf.unstack(tf.random.split(seed, 2))
    both = tf.image.resize(both, [round(height * 286 / 256), round(width * 286 / 256)])
    both = tf.image.stateless_random_crop(both, [height, width, channels], crop_seed)
    both = tf.image.stateless_random_flip_left_right(both, mirror_seed)
    return both[..., : source.shape[-1]], both[..., source.shape[-1] :]


def mirror(source, target, seed):
    """Mirror half of the pairs, for pictures that jitter's enlarging would blur.

    source, target: (H, W, C), of any type; they share one draw, so that they stay a pair
    seed:           two integers; the same seed gives the same draw
    """
    mirrored = tf.random.stateless_uniform([], seed) < 0.5
    return tuple(tf.where(mirrored, image[:, ::-1], image) for image in (source, target))


def to_dataset(split, batch_size, augment=False, shuffle=False, paired=True, seed=0):
    """Return a `tf.data.Dataset` of batches (source, target), float32 in [-1, 1].

    augment: True jitters each picture anew in each epoch, pairs together; or a function of
             (source, target, seed) such as `mirror` to use instead of `jitter`
    shuffle: a new order in each epoch
    paired:  False draws the two sides independently; an epoch lasts as long as the longer one,
             and the shorter one starts over
    seed:    two datasets with the same seed give the same batches, epoch by epoch, whatever
             TensorFlow's global seed is

    Raises ValueError for an empty split, for a paired one whose sides differ in length, for
    pictures that are not uint8, and for other values of batch_size and augment.
    """
    source, target = split[:2]
    lengths = len(source), len(target)
    if min(lengths) == 0:
        raise ValueError("The split holds no pictures: does the data set have this part at all?")
    if paired and lengths[0] != lengths[1]:
        raise ValueError(
            f"{lengths[0]} sources and {lengths[1]} targets are not pairs: pass paired=False for "
            f"an unpaired data set."
        )
    whole_number("batch_size", batch_size)
    if not isinstance(augment, bool) and not callable(augment):
        raise ValueError(
            f"augment is {augment!r}; pass False, True or a function of (source, target, seed)."
        )
    change = jitter if augment is True else augment
    for images in (source, target):
        normalize(images[:0])  # refuses what is not uint8
    epochs = itertools.count()

    def epoch():
        # Numbers are shuffled, not pictures, so that nothing is copied. All randomness comes from
        # here, and comes as data: operations with a random state of their own would have to run
        # one after the other, or else which picture gets which draw would depend on timing.
        rng = np.random.default_rng([seed, next(epochs)])

        def order(length):
            rounds = range(0, max(lengths), length)
            numbers = [rng.permutation(length) if shuffle else np.arange(length) for _ in rounds]
            return np.concatenate(numbers)

        first = order(len(source))
        second = first if paired else order(len(target))
        seeds = rng.integers(2**31, size=(max(lengths), 2, 2), dtype="int32")
        for start in range(0, max(lengths), batch_size):
            part = slice(start, min(start + batch_size, max(lengths)))
            yield source[first[part]], target[second[part]], seeds[part]

    def prepare(one, other, seeds):
        one, other = normalize(one), normalize(other)
        if not augment:
            return one, other
        if paired:
            return change(one, other, seeds[0])
        return change(one, one, seeds[0])[0], change(other, other, seeds[1])[1]

    # The decoded pictures are in memory already, which makes a .cache() needless. With one, the
    # jitter would have to come after it: cached jitter is frozen at its first draw.
    arrays = [(source.shape[1:], "uint8"), (target.shape[1:], "uint8"), ((2, 2), "int32")]
    signature = tuple(tf.TensorSpec((None, *shape), dtype) for shape, dtype in arrays)
    batches = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    if augment:  # each picture has its own draw
        batches = batches.unbatch().map(prepare, tf.data.AUTOTUNE).batch(batch_size)
    else:
        batches = batches.map(prepare, tf.data.AUTOTUNE)
    number = tf.data.experimental.assert_cardinality(-(-max(lengths) // batch_size))
    return batches.apply(number).prefetch(tf.data.AUTOTUNE)
