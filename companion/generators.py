"""The two generators: pix2pix's U-Net and CycleGAN's ResNet."""

import numbers

import keras
from keras import layers

from companion._checks import whole_number
from companion.layers import ReflectionPadding2D, initializer, normalization


def unet(size=256, channels=3, filters=64, norm="batch", dropout=0.5, upsample="transpose"):
    """Return the U-Net generator (pix2pix paper, sections 3.2.1 and 6.1.1).

    size:     side of the square pictures in pixels, a power of two from 8 on. The encoder halves it
              down to 1x1, at most eight times.
    filters:  channels after the first convolution; they double with each halving up to 8 * filters
    norm:     see `companion.layers.normalization`; none on the first convolution, on the innermost
              and on the output, as in the paper's erratum: normalizing a 1x1 map leaves zeros
    dropout:  rate in the first three decoder blocks, the only source of noise
    upsample: "transpose" for transposed convolutions, "resize" for nearest-neighbour + convolution

    Input and output (N, size, size, channels), float32 in [-1, 1].
    Raises ValueError for a size that cannot be halved down to one pixel, and for other arguments
    that make no network.
    """
    size, channels = whole_number("size", size), whole_number("channels", channels)
    filters = whole_number("filters", filters)
    if not isinstance(dropout, numbers.Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout must be a rate from 0 to less than 1, not {dropout!r}.")
    if size < 8 or size & (size - 1):
        raise ValueError(
            f"The U-Net halves its pictures down to one pixel, so size must be a power of two "
            f"from 8 on, not {size}: resize the pictures first."
        )
    levels = min(size.bit_length() - 1, 8)
    widths = [filters * min(2**level, 8) for level in range(levels)]
    use_bias = norm != "batch"  # the shift of a batch norm would undo a bias

    x = image = keras.Input((size, size, channels))
    skips = []
    for level, width in enumerate(widths):
        if level > 0:
            x = layers.LeakyReLU(0.2)(x)
        x = layers.Conv2D(width, 4, 2, "same", use_bias=use_bias, kernel_initializer=initializer())(
            x
        )
        if 0 < level < levels - 1:
            x = normalization(norm)(x)
        skips.append(x)

    skips.pop()  # the innermost map is the decoder's input, not a skip
    for block, width in enumerate(reversed(widths[:-1])):
        x = layers.ReLU()(x)
        x = double(x, width, 4, upsample, use_bias)
        x = normalization(norm)(x)
        if dropout and block < 3:
            x = layers.Dropout(dropout)(x)
        x = layers.Concatenate()([skips.pop(), x])
    x = layers.ReLU()(x)
    x = double(x, channels, 4, upsample, use_bias=True)
    return keras.Model(image, layers.Activation("tanh", dtype="float32")(x), name="unet")


def resnet(size=256, channels=3, filters=64, blocks=9, norm="instance", upsample="transpose"):
    """Return the ResNet generator (CycleGAN paper, section 4 and appendix 7.2).

    size:     side of the square pictures in pixels, a multiple of 4 from 8 on
    filters:  channels at full resolution; the residual blocks have 4 * filters
    blocks:   residual blocks; the paper takes 6 at 128x128 and 9 from 256x256 on
    norm, upsample: as for `unet`

    Input and output (N, size, size, channels), float32 in [-1, 1].
    Raises ValueError for a size that is not a multiple of 4, and for other arguments that make no
    network.
    """
    size, channels = whole_number("size", size), whole_number("channels", channels)
    filters, blocks = whole_number("filters", filters), whole_number("blocks", blocks, least=0)
    if size < 8 or size % 4:
        raise ValueError(
            f"The ResNet halves its pictures twice, so size must be a multiple of 4 from 8 on, "
            f"not {size}: resize or crop the pictures first."
        )
    use_bias = norm != "batch"

    def conv(x, width, kernel_size, strides=1, use_bias=use_bias):
        return layers.Conv2D(
            width, kernel_size, strides, use_bias=use_bias, kernel_initializer=initializer()
        )(x)

    x = image = keras.Input((size, size, channels))
    x = conv(ReflectionPadding2D(3)(x), filters, 7)
    x = layers.ReLU()(normalization(norm)(x))

    for width in [2 * filters, 4 * filters]:
        # Not "same": with a 3x3 kernel and stride 2 it pads only at the bottom and on the right.
        x = conv(layers.ZeroPadding2D(1)(x), width, 3, strides=2)
        x = layers.ReLU()(normalization(norm)(x))

    for _ in range(blocks):
        shortcut = x
        x = conv(ReflectionPadding2D(1)(x), 4 * filters, 3)
        x = layers.ReLU()(normalization(norm)(x))
        x = conv(ReflectionPadding2D(1)(x), 4 * filters, 3)
        x = layers.Add()([shortcut, normalization(norm)(x)])  # and no activation after the sum

    for width in [2 * filters, filters]:
        x = double(x, width, 3, upsample, use_bias)
        x = layers.ReLU()(normalization(norm)(x))

    x = conv(ReflectionPadding2D(3)(x), channels, 7, use_bias=True)
    return keras.Model(image, layers.Activation("tanh", dtype="float32")(x), name="resnet")


def double(x, width, kernel_size, upsample, use_bias):
    """Return the map x, (N, H, W, C), twice as large: (N, 2 * H, 2 * W, width).

    kernel_size: 4 (pix2pix) or 3 (CycleGAN); with "resize" it is 3
    upsample:    "transpose" for a transposed convolution of stride 2, "resize" for
                 nearest-neighbour + convolution (Odena, Dumoulin and Olah 2016: no checkerboards)

    Raises ValueError for any other upsample.
    """
    options = {"use_bias": use_bias, "kernel_initializer": initializer()}
    if upsample == "resize":
        return layers.Conv2D(width, 3, padding="same", **options)(layers.UpSampling2D(2)(x))
    if upsample != "transpose":
        raise ValueError(f'upsample is {upsample!r}; choose "transpose" or "resize".')
    if kernel_size == 4:
        return layers.Conv2DTranspose(width, 4, 2, "same", **options)(x)
    # A 3x3 kernel has no middle to share between two pixels: "same" would land one pixel off the
    # reference's grid. So compute the full map and cut its first row and column.
    x = layers.Conv2DTranspose(width, kernel_size, 2, "valid", **options)(x)
    return layers.Cropping2D(((1, 0), (1, 0)))(x)
