"""The loss terms, each a mean over batch, height, width and channels, each returning a scalar."""

from keras import ops


def adversarial(scores, real, kind="bce"):
    """Return how far the discriminator's scores are from saying `real` (True) or fake (False).

    scores: logits of any shape, for a PatchGAN (N, rows, columns, 1)
    kind:   "bce", binary cross-entropy (GAN paper, section 3; its generator here minimizes
            -log D, the non-saturating form), or "least_squares" (LSGAN paper, equation 2,
            without its factor 1/2)

    Raises ValueError for any other kind.
    """
    labels = ops.ones_like(scores) if real else ops.zeros_like(scores)
    if kind == "bce":
        return ops.mean(ops.binary_crossentropy(labels, scores, from_logits=True))
    if kind == "least_squares":
        return l2(labels, scores)
    raise ValueError(f'adversarial loss is {kind!r}; choose "bce" or "least_squares".')


def l1(target, output):
    """Return the mean absolute error (pix2pix paper, equation 3)."""
    return ops.mean(ops.abs(target - output))


def l2(target, output):
    """Return the mean squared error."""
    return ops.mean(ops.square(target - output))


def cycle(image, reconstruction, weight=10.0):
    """Return the cycle-consistency term of one direction (CycleGAN paper, equation 2)."""
    return weight * l1(image, reconstruction)


def identity(image, output, weight=5.0):
    """Return the identity term: a picture of the target domain passes unchanged.

    CycleGAN paper, section 5.2; the weight is half that of the cycle.
    """
    return weight * l1(image, output)
