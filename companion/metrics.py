"""How far outputs are from their targets: one number per picture, pictures in [-1, 1]."""

import numpy as np
import tensorflow as tf

from companion.pictures import _check_range


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


def colourfulness(images):
    """Return how colourful each picture (N, H, W, 3) looks, shape (N,): 0 is grey.

    A picture looks colourful where red and green, and yellow and blue, differ strongly and vary
    from place to place; the formula was fitted to what people said of photographs.
    Source: Hasler and Suesstrunk 2003, the metric for sRGB.
    """
    red, green, blue = np.moveaxis(_checked(images, images)[0], -1, 0) * 127.5
    opponents = np.stack([red - green, (red + green) / 2 - blue])  # (2, N, H, W)
    spread, offset = opponents.std(axis=(2, 3)), opponents.mean(axis=(2, 3))
    return np.hypot(*spread) + 0.3 * np.hypot(*offset)


def recognition(labels, recognized):
    """Return how well labels were recognized, as {measure: value from 0 to 1}.

    labels, recognized: whole numbers of one shape, the class of each pixel; a network names the
                        latter after looking at painted pictures

    pixel_accuracy: share of all pixels named rightly
    class_accuracy: the same for the pixels of each class, then the mean over the classes
    iou:            pixels named rightly over those that bear the class or are given its name, mean
                    over the classes
    Classes that no label has are left out of the means.

    Raises ValueError where the shapes differ.
    Source: the FCN score, pix2pix paper, section 4.1; its measures: Long et al. 2015, section 5.
    """
    labels, recognized = np.asarray(labels), np.asarray(recognized)
    if labels.shape != recognized.shape:
        raise ValueError(f"{labels.shape} labels and {recognized.shape} names differ in shape.")
    right = labels == recognized
    classes = [(labels == k, recognized == k) for k in np.unique(labels)]
    return {
        "pixel_accuracy": float(right.mean()),
        "class_accuracy": float(np.mean([right[is_k].mean() for is_k, _ in classes])),
        "iou": float(
            np.mean([(is_k & named_k).sum() / (is_k | named_k).sum() for is_k, named_k in classes])
        ),
    }


def _checked(target, output):
    """Return both as float32 arrays; refuse what cannot be compared."""
    target, output = np.asarray(target), np.asarray(output)
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
    _check_range("A metric (its target)", target)
    _check_range("A metric (its output)", output)
    return target.astype("float32"), output.astype("float32")
