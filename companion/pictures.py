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


def greyscale(images):
    """Return uint8 colour pictures (..., 3) in shades of grey, again with three channels.

    Raises ValueError for other types and other numbers of channels.
    Source: luma of ITU-R BT.601, as televisions without colour showed it.
    """
    images = np.asarray(images)
    if images.dtype != "uint8" or images.shape[-1] != 3:
        raise ValueError(
            f"greyscale wants uint8 pictures with 3 channels, not {images.dtype} {images.shape}."
        )
    luma = np.rint(images @ np.array([0.299, 0.587, 0.114], "float32"))
    return np.repeat(luma[..., None].astype("uint8"), 3, axis=-1)


def _check_range(who, images):
    """Raise ValueError for an array that does not hold float pictures in [-1, 1], or holds NaN."""
    if images.dtype.kind in "bui" or not np.all(np.abs(images) <= 1.001):
        raise ValueError(
            f"{who} wants float pictures in [-1, 1], not {images.dtype} with values from "
            f"{images.min()} to {images.max()}: is it the output of a tanh, or of normalize?"
        )
