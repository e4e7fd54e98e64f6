"""The loss terms, each a float32 scalar, each a mean over batch, height, width and channels.

The one exception is `style`, which adds up over pairs of channels, as its papers do.
"""

from keras import ops

ADVERSARIAL = "bce", "least_squares"


def adversarial(scores, real, kind="bce"):
    """Return how far the discriminator's scores are from saying `real` (True) or fake (False).

    scores: logits of any shape, for a PatchGAN (N, rows, columns, 1)
    kind:   "bce", binary cross-entropy (GAN paper, section 3; its generator here minimizes
            -log D, the non-saturating form), or "least_squares" (LSGAN paper, equation 2,
            without its factor 1/2)

    Raises ValueError for any other kind.
    """
    check_adversarial(kind)
    scores = ops.cast(scores, "float32")  # half precision ends here, before logarithms and sums
    labels = ops.ones_like(scores) if real else ops.zeros_like(scores)
    if kind == "least_squares":
        return l2(labels, scores)
    return ops.mean(ops.binary_crossentropy(labels, scores, from_logits=True))


def check_adversarial(kind):
    if kind not in ADVERSARIAL:
        raise ValueError(f'adversarial loss is {kind!r}; choose "bce" or "least_squares".')


def l1(target, output):
    """Return the mean absolute error (pix2pix paper, equation 3)."""
    return ops.mean(ops.abs(ops.cast(target, "float32") - ops.cast(output, "float32")))


def l2(target, output):
    """Return the mean squared error."""
    return ops.mean(ops.square(ops.cast(target, "float32") - ops.cast(output, "float32")))


def cycle(image, reconstruction):
    """Return the cycle-consistency term of one direction (CycleGAN paper, equation 2)."""
    return l1(image, reconstruction)


def identity(image, output):
    """Return the identity term: a picture of the target domain passes unchanged.

    CycleGAN paper, section 5.2.
    """
    return l1(image, output)


def content(target, features):
    """Return how far features are from those of the picture whose content is to stay.

    target, features: (N, H, W, C), one layer of a `features.vgg` for both pictures

    It is `l2`, the mean squared error (Johnson et al. 2016, equation 2). Gatys et al. (2016,
    equation 1) take half the sum instead of the mean.
    """
    return l2(target, features)


def gram_matrix(features):
    """Return the mean product of each two channels over all places, divided by C: (N, C, C).

    features: (N, H, W, C), any H and W; so the matrices of pictures of different sizes compare

    Raises ValueError for another number of axes.
    Source: Johnson et al. 2016, equation 3; the matrix of Gatys et al. is H * W * C times it.
    """
    features = ops.cast(features, "float32")  # sums of products overflow in half precision
    if len(features.shape) != 4:
        raise ValueError(f"features are (N, H, W, C), not {tuple(features.shape)}.")
    count, height, width, channels = ops.shape(features)
    flat = ops.reshape(features, (count, height * width, channels))
    entries = ops.cast(height * width * channels, "float32")
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / entries


def style(target, features, weights=None):
    """Return how far the Gram matrices of features are from those of the style picture.

    target:   {layer: (N, C, C)}, the style picture's `gram_matrix`, computed once
    features: {layer: (N, H, W, C)} of the picture that is painted; other layers are ignored
    weights:  {layer: weight}; by default one over the number of layers

    For each layer, the sum of all squared differences of the two matrices, a mean over the batch
    (Johnson et al. 2016, equation 4), times its weight. That is four times the term of Gatys et
    al. (2016, equations 4 and 5) where both pictures are equally large.

    Raises ValueError where features or weights lack a layer of the target.
    """
    if weights is None:
        weights = dict.fromkeys(target, 1 / max(len(target), 1))
    for name, given in ("features", features), ("weights", weights):
        if not target or not set(target) <= set(given):
            raise ValueError(f"{name} are of {list(given)}, the style's layers {list(target)}.")
    total = 0.0
    for layer, matrix in target.items():
        difference = gram_matrix(features[layer]) - ops.cast(matrix, "float32")
        squares = ops.sum(ops.square(difference), axis=(1, 2))
        total += weights[layer] * ops.mean(squares)
    return total


def total_variation(images, exponent=1.25):
    """Return how much pictures change from each pixel to the next.

    images:   (N, H, W, C), H and W from 2 on
    exponent: of the sum of both squared steps, to the right and downwards. 0.5 takes the square
              root: the total variation of Rudin, Osher and Fatemi (1992). 1 gives the squared
              steps, and 1.25, which Keras' style transfer made common, tolerates small steps
              still better and large ones less.

    Raises ValueError for pictures of one row or column, and for an exponent not above 0.
    """
    images = ops.cast(images, "float32")
    sides = images.shape[1:3]
    if len(images.shape) != 4 or any(side is not None and side < 2 for side in sides):
        raise ValueError(
            f"images are (N, H, W, C), H and W from 2 on, not {tuple(images.shape)}: there is no "
            f"step to another pixel."
        )
    if not exponent > 0:
        raise ValueError(f"exponent is {exponent!r}; pass a number above 0.")
    corner = images[:, :-1, :-1]
    squares = ops.square(images[:, 1:, :-1] - corner) + ops.square(images[:, :-1, 1:] - corner)
    # Where nothing changes, the slope of a root is infinite; it is taken as zero there.
    return ops.mean(ops.power(ops.maximum(squares, 1e-12), exponent))
