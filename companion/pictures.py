"""Pictures as bytes and as numbers: 0 to 255 at the edges, -1 to 1 inside."""

import numpy as np
import tensorflow as tf


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
    _check_range("denormalize", images)
    return np.rint((images.astype("float32") + 1) * 127.5).astype("uint8")


def _check_range(who, images):
    """Raise ValueError for an array that does not hold float pictures in [-1, 1], or holds NaN."""
    if images.dtype.kind in "bui" or not np.all(np.abs(images) <= 1.001):
        raise ValueError(
            f"{who} wants float pictures in [-1, 1], not {images.dtype} with values from "
            f"{images.min()} to {images.max()}: is it the output of a tanh, or of normalize?"
        )
