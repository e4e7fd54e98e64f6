"""The loss terms, each a mean over batch, height, width and channels, each a float32 scalar."""

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
