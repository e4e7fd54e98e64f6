"""How much of the picture one pixel of a network's output sees, computed and measured.

Both functions take a functional `keras.Model` for pictures (N, H, W, C) of a fixed size and return
(height, width) in pixels: the sides of the smallest rectangle that holds all which the output's
middle pixel, map[H // 2, W // 2], depends on. (In a network that enlarges maps, neighbouring pixels
have slightly different fields. Hence: the middle one.) Several inputs are laid over each other.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from companion._checks import whole_number
from companion.layers import ReflectionPadding2D, WeightNormalization

# Dense works on the last axis alone: on a map (N, H, W, C) it is a 1x1 convolution.
_POINTWISE = (
    *(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Dense, layers.Dropout),
    *(layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization),
    *(layers.Add, layers.Identity),
)
_WHOLE = (layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
_POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)
_WRAPPERS = (WeightNormalization, layers.SpectralNormalization)


def receptive_field(model):
    """Return (height, width) of the receptive field, by arithmetic on the layers' settings.

    From the output backwards, r pixels behind a convolution come from (r - 1) * stride + kernel
    pixels before it, and likewise for a pooling; where branches meet, the field is the smallest
    that holds theirs. It may be larger than the picture and then reaches into its padding; behind
    a Flatten or a global pooling it is the whole picture.

    It is the convolutions' field: instance, group and layer normalization count as if they left
    pixels alone, although their mean and variance see the whole map. Those of a batch norm are
    fixed at inference.

    Raises ValueError for layers it knows no arithmetic for, and for models it cannot follow.
    Source: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural
    Networks", Distill.
    """
    output = _single_output(model)
    return tuple(_extent(model, output, axis) for axis in (1, 2))


def measured_receptive_field(model, pictures=4):
    """Return (height, width) of the receptive field, by gradients of the output's middle pixel.

    It is what the weights at hand let through, and never more than the picture. Instance, group
    and layer normalization show what they do: each pixel sees the whole picture. Build the model
    with norm="none" to measure its convolutions.

    pictures: random ones to sum over; a ReLU that blocks one may let another pass

    Raises ValueError for models with several outputs or pictures of any size.
    """
    pictures = whole_number("pictures", pictures)
    output = _single_output(model)
    rng = np.random.default_rng(0)
    shapes = [(pictures, *x.shape[1:]) for x in model.inputs]
    noise = [tf.constant(rng.normal(size=shape), "float32") for shape in shapes]
    with tf.GradientTape() as tape:
        tape.watch(noise)
        score = model(noise if len(noise) > 1 else noise[0], training=False)
        if output.ndim == 4:
            score = score[:, output.shape[1] // 2, output.shape[2] // 2]
    gradients = tape.gradient(score, noise)
    seen = np.any([np.any(x != 0, axis=(0, 3)) for x in gradients], axis=0)
    lines = [np.flatnonzero(seen.any(axis)) for axis in (1, 0)]
    return tuple(int(line[-1] - line[0]) + 1 if line.size else 0 for line in lines)


def _single_output(model):
    """Return the model's output; refuse models without exactly one, and pictures of any size."""
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) != 1:
        raise ValueError(
            f"{model.name} has {len(outputs)} symbolic outputs; a receptive field is that of a "
            f"functional model with one."
        )
    for x in model.inputs:
        if x.ndim != 4 or None in x.shape[1:]:
            raise ValueError(f"The input must be (N, H, W, C) of a fixed size, not {x.shape}.")
    return outputs[0]


def _extent(model, output, axis):
    """Return the receptive field's height (axis 1) or width (axis 2)."""
    middle = output.shape[axis] // 2 if output.ndim == 4 else 0
    needed = {id(output): (middle, middle)}  # the first and the last row needed of each map
    for layer in reversed(model.layers):
        if isinstance(layer, layers.InputLayer) or id(layer.output) not in needed:
            continue
        if isinstance(layer, _WHOLE):
            return model.inputs[0].shape[axis]
        first, last = _behind(layer, *needed.pop(id(layer.output)), axis)
        for x in keras.tree.flatten(layer.input):
            other_first, other_last = needed.get(id(x), (first, last))
            needed[id(x)] = min(first, other_first), max(last, other_last)
    if not needed.keys() <= {id(x) for x in model.inputs}:
        raise ValueError(
            f"receptive_field cannot follow {model.name}: it must consist of layers, each called "
            f"once."
        )
    return max(last for _, last in needed.values()) - min(first for first, _ in needed.values()) + 1


def _behind(layer, first, last, axis):
    """Return the first and the last row of its input from which a layer makes two of its rows."""
    side = axis - 1
    inner = layer.layer if isinstance(layer, _WRAPPERS) else layer
    if isinstance(inner, _POINTWISE):
        return first, last
    if isinstance(inner, layers.Concatenate) and inner.axis in (-1, 3):
        return first, last
    if isinstance(inner, (layers.Conv2D, *_POOLING)):
        stride, kernel, before = _window(inner, layer.input.shape[axis], side)
        return first * stride - before, last * stride - before + kernel - 1
    if isinstance(inner, layers.Conv2DTranspose):  # the same, with input and output exchanged
        stride, kernel, before = _window(inner, layer.output.shape[axis], side)
        return -((kernel - 1 - before - first) // stride), (last + before) // stride
    if isinstance(inner, layers.UpSampling2D) and inner.interpolation == "nearest":
        return first // inner.size[side], last // inner.size[side]
    if isinstance(inner, layers.ZeroPadding2D):
        return first - inner.padding[side][0], last - inner.padding[side][0]
    if isinstance(inner, ReflectionPadding2D):
        return first - inner.padding, last - inner.padding
    if isinstance(inner, layers.Cropping2D):
        return first + inner.cropping[side][0], last + inner.cropping[side][0]
    raise ValueError(
        f"receptive_field knows no arithmetic for {layer.name} ({type(layer).__name__}); "
        f"measured_receptive_field may help."
    )


def _window(layer, size, side):
    """Return a layer's stride, the pixels its kernel spans and those padded before a map."""
    stride = layer.strides[side]
    if isinstance(layer, _POOLING):
        kernel = layer.pool_size[side]
    else:
        kernel = (layer.kernel_size[side] - 1) * layer.dilation_rate[side] + 1
    if layer.padding == "valid":
        return stride, kernel, 0
    padding = (size - 1) // stride * stride + kernel - size  # both sides; the odd one goes behind
    return stride, kernel, max(padding, 0) // 2
