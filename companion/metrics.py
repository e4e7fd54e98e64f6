"""How good outputs are: against their targets picture by picture, or as two sets of pictures.

Pictures are float arrays in [-1, 1]; a comparison with targets gives one number per picture.
"""

import functools

import numpy as np
import scipy.linalg
import tensorflow as tf

from companion.features import vgg
from companion.pictures import _check_range

# The last convolution before each of VGG16's poolings, as LPIPS takes them.
_PERCEPTUAL = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")


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

    Brightness counts from black, -1, since its term compares ratios.
    Raises ValueError also for H or W below 11, the size of the Gaussian window.
    Source: Wang et al. 2004, section III.B.
    """
    target, output = _checked(target, output)
    if min(target.shape[1:3]) < 11:
        raise ValueError(
            f"SSIM compares windows of 11x11 pixels, which pictures of shape {target.shape} do not "
            f"hold: compare larger ones, or take another metric."
        )
    return tf.image.ssim(target + 1, output + 1, max_val=2.0).numpy()


def perceptual_distance(target, output, layers=_PERCEPTUAL):
    """Return how differently VGG16 sees each two pictures, shape (N,), 0 for equal pictures.

    target, output: float arrays (N, H, W, 3) in [-1, 1], H and W from 32 on
    layers:         of `companion.features.vgg`; each adds between 0 and 2

    In each layer the features of each place are scaled to length 1, subtracted and squared; the
    result is a sum over channels and layers, and a mean over places. LPIPS further weighs each
    channel by what people said of pairs of pictures; here all weigh the same, so that values cannot
    be compared with published ones.
    Raises ValueError also for other channels, smaller pictures and unknown layers.
    Source: Zhang et al. 2018, equation 1, without its learned weights.
    """
    target, output = _checked(target, output)
    if min(target.shape[1:3]) < 32 or target.shape[3] != 3:
        raise ValueError(
            f"VGG sees pictures (N, H, W, 3) from 32x32 pixels on, not {target.shape}."
        )
    network, distances = _vgg(tuple(layers)), []
    for i in range(0, len(target), 16):
        seen, painted = network(target[i : i + 16]), network(output[i : i + 16])
        apart = [
            tf.reduce_sum((_unit(seen[layer]) - _unit(painted[layer])) ** 2, axis=-1)
            for layer in layers
        ]  # (16, h, w) each
        distances.append(sum(tf.reduce_mean(squares, axis=[1, 2]) for squares in apart))
    return np.concatenate(distances) if distances else np.zeros(0, "float32")


def _unit(features):
    return features / (tf.norm(features, axis=-1, keepdims=True) + 1e-10)


_vgg = functools.cache(vgg)  # reading the weights takes longer than a few pictures


def frechet_distance(features_a, features_b):
    """Return the Frechet distance of two sets of features, 0 for equal means and covariances.

    features_a, features_b: (N, D) and (M, D), one row per picture, such as a network's features
                            averaged over places; N and M from 2 on

    Takes each set for a normal distribution. The covariance of few pictures is a poor estimate,
    which makes the distance too large: compare sets of one size only. FID is this distance on 2048
    features of an Inception network, so that values on other features cannot be compared with
    published ones.
    Source: Heusel et al. 2017, equation 6.
    """
    a, b = _checked_features(features_a, features_b)
    apart = a.mean(axis=0) - b.mean(axis=0)
    # Square roots r of the covariances, r.T @ r; then the trace of the square root of their
    # product is the sum of the singular values of r_a @ r_b.T.
    roots = [np.linalg.qr(x - x.mean(axis=0), mode="r") / np.sqrt(len(x) - 1) for x in (a, b)]
    shared = scipy.linalg.svdvals(roots[0] @ roots[1].T).sum()
    return float(apart @ apart + (roots[0] ** 2).sum() + (roots[1] ** 2).sum() - 2 * shared)


def kernel_distance(features_a, features_b):
    """Return the kernel distance of two sets of features, unbiased: 0 on average for equal ones.

    features_a, features_b: (N, D) and (M, D), one row per picture; N and M from 2 on

    How much more alike two pictures of one set are than two of different sets. The likeness is the
    polynomial (x.y / D + 1)^3; a picture is not compared with itself, which keeps the average right
    for any number of pictures, and lets single values fall below 0. KID is this distance on 2048
    features of an Inception network.
    Source: Binkowski et al. 2018, section 4; the estimate: Gretton et al. 2012, equation 3.
    """
    a, b = _checked_features(features_a, features_b)

    def likeness(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):
        pairs = likeness(x, x)
        return (pairs.sum() - np.trace(pairs)) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * likeness(a, b).mean())


def colourfulness(images):
    """Return how colourful each picture (N, H, W, 3) looks, shape (N,): 0 is grey.

    A picture looks colourful where red and green, and yellow and blue, differ strongly and vary
    from place to place; the formula was fitted to what people said of photographs.
    Raises ValueError also for pictures of another number of channels.
    Source: Hasler and Suesstrunk 2003, the metric for sRGB.
    """
    images, _ = _checked(images, images)
    if images.shape[-1] != 3:
        raise ValueError(
            f"Colourfulness compares red, green and blue, so pictures need 3 channels: these have "
            f"shape {images.shape}."
        )
    red, green, blue = np.moveaxis(images, -1, 0) * 127.5
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


def _checked_features(features_a, features_b):
    """Return both as float64 arrays; refuse what is not two sets of rows of one length."""
    both = [np.asarray(features, "float64") for features in (features_a, features_b)]
    shapes = " and ".join(str(x.shape) for x in both)
    if any(x.ndim != 2 for x in both) or both[0].shape[1] != both[1].shape[1]:
        raise ValueError(
            f"Features {shapes} are not two sets of rows of one length, (N, D) and (M, D): average "
            f"maps of features over their places."
        )
    if min(len(x) for x in both) < 2:
        raise ValueError(f"Features {shapes}: a set of fewer than two pictures has no spread.")
    if not all(np.isfinite(x).all() for x in both):
        raise ValueError("Features hold NaN or infinity: look at the pictures they come from.")
    return both


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
