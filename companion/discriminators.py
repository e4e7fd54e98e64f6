"""The discriminator: a PatchGAN, which judges overlapping patches instead of whole pictures."""

import keras

from companion._checks import whole_number
from companion.layers import initializer, normalization


def patchgan(size=256, channels=3, conditional=False, layers=3, filters=64, norm="instance"):
    """Return the PatchGAN discriminator (pix2pix paper, sections 3.2.2 and 6.1.2).

    size:        side of the square pictures in pixels, a multiple of 2**layers
    conditional: take two pictures, [source, image], and judge the pair (pix2pix); otherwise take
                 one picture (CycleGAN)
    layers:      convolutions of stride 2. 0 to 5 give receptive fields of 1, 16, 34, 70, 142 and
                 286 pixels; 0 is the paper's PixelGAN of 1x1 convolutions
    filters:     channels after the first convolution; they double with each layer up to 8 * filters
    norm:        see `companion.layers.normalization`; none on the first and the last convolution

    Output (N, rows, columns, 1): one logit per patch, positive for "real". With the default three
    layers a 256x256 picture gives 30x30 patches of 70x70 pixels.
    Raises ValueError for a size too small for the layers or not divisible, and for other arguments
    that make no network.
    """
    size, channels = whole_number("size", size), whole_number("channels", channels)
    layers, filters = whole_number("layers", layers, least=0), whole_number("filters", filters)
    if size % 2**layers or (layers and size < 2 ** (layers + 2)):
        raise ValueError(
            f"A PatchGAN with {layers} layers of stride 2 needs a size that is a multiple of "
            f"{2**layers} and at least {2 ** (layers + 2)}, not {size}: use fewer layers or larger "
            f"pictures."
        )
    use_bias = norm != "batch"

    def conv(x, width, kernel_size, strides, use_bias=use_bias):
        if kernel_size > 1:
            # Not "same": with a 4x4 kernel and stride 1 it pads 1 pixel before and 2 behind, and
            # the map of a 256x256 picture would be 32x32 instead of the paper's 30x30.
            x = keras.layers.ZeroPadding2D(1)(x)
        return keras.layers.Conv2D(
            width, kernel_size, strides, use_bias=use_bias, kernel_initializer=initializer()
        )(x)

    image = keras.Input((size, size, channels), name="image")
    inputs = x = image
    if conditional:
        source = keras.Input((size, size, channels), name="source")
        inputs = [source, image]
        x = keras.layers.Concatenate()(inputs)

    kernel_size, last_bias = (4, True) if layers else (1, use_bias)
    x = conv(x, filters, kernel_size, 2 if layers else 1, use_bias=True)
    x = keras.layers.LeakyReLU(0.2)(x)
    for layer in range(1, max(layers, 1) + 1):
        strides = 2 if layer < layers else 1
        x = conv(x, filters * min(2**layer, 8), kernel_size, strides)
        x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    x = conv(x, 1, kernel_size, 1, use_bias=last_bias)
    return keras.Model(inputs, x, name="patchgan")
