"""How far outputs are from their targets: one number per picture, pictures in [-1, 1]."""

import numpy as np
import tensorflow as tf


def mean_absolute_error(target, output):
    """Return the mean absolute error of each picture, shape (N,), between 0 and 2.

    target, output: float arrays (N, H, W, C) in [-1, 1].
    Raises ValueError for other shapes, shapes that differ and values outside [-1, 1]; so do all
    metrics here.
    """
    target, output = _checked(target, output)
    return np.abs(target - output).mean(axis=(1, 2, 3))


def psnr(target, output):
    """Return the peak signal-to-noise ratio of each picture in decibels, shape (N,)."""
    return tf.image.psnr(*_checked(target, output), max_val=2.0).numpy()


def ssim(target, output):
    """Return the structural similarity of each picture, shape (N,), 1 for equal pictures.

    Raises ValueError also for H or W below 11, the size of the Gaussian window.
    Source: Wang et al. 2004, section III.B.
    """
    target, output = _checked(target, output)
    if min(target.shape[1:3]) < 11:
        raise ValueError(
            f"SSIM compares windows of 11x11 pixels, which pictures of shape {target.shape} do not "
            f"hold: compare larger ones, or take another metric."
        )
    return tf.image.ssim(target, output, max_val=2.0).numpy()


def _checked(target, output):
    target, output = np.asarray(target, "float32"), np.asarray(output, "float32")
    if target.shape != output.shape:
        raise ValueError(
            f"Target {target.shape} and output {output.shape} differ in shape: "
            f"compare pictures one to one."
        )
    if target.ndim != 4:
        raise ValueError(
            f"Metrics want batches of pictures (N, H, W, C), not {target.shape}: a single picture "
            f"is picture[None]."
        )
    for name, pictures in [("target", target), ("output", output)]:
        if not (np.abs(pictures) <= 1 + 1e-3).all():  # also finds NaN
            raise ValueError(
                f"The {name} holds values from {pictures.min():.4g} to {pictures.max():.4g}, but "
                f"metrics want pictures in [-1, 1]: see companion.data.normalize."
            )
    return target, output
