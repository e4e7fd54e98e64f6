"""How far outputs are from their targets: one number per picture, pictures in [-1, 1]."""

import numpy as np
import tensorflow as tf


def error(target, output):
    """Return the mean absolute error of each picture, shape (N,), between 0 and 2.

    target, output: float arrays (N, H, W, C) in [-1, 1].
    Raises ValueError where the shapes differ or values lie outside [-1, 1]; so do all metrics here.
    """
    target, output = checked(target, output)
    return np.abs(target - output).mean(axis=(1, 2, 3))


def psnr(target, output):
    """Return the peak signal-to-noise ratio of each picture in decibels, shape (N,)."""
    return tf.image.psnr(*checked(target, output), max_val=2.0).numpy()


def ssim(target, output):
    """Return the structural similarity of each picture, shape (N,), 1 for equal pictures.

    H and W at least 11, the size of the Gaussian window (Wang et al. 2004, section III.B).
    """
    return tf.image.ssim(*checked(target, output), max_val=2.0).numpy()


def checked(target, output):
    target, output = np.asarray(target, "float32"), np.asarray(output, "float32")
    if target.shape != output.shape:
        raise ValueError(
            f"Target {target.shape} and output {output.shape} differ in shape: "
            f"compare pictures one to one."
        )
    for name, pictures in [("target", target), ("output", output)]:
        if not (np.abs(pictures) <= 1 + 1e-3).all():  # also finds NaN
            raise ValueError(
                f"The {name} holds values from {pictures.min():.4g} to {pictures.max():.4g}, but "
                f"metrics want pictures in [-1, 1]: see companion.data.normalize."
            )
    return target, output
