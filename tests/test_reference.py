"""The companion against other libraries' answers, which `make reference` computes anew."""

from pathlib import Path

import keras
import numpy as np
import pytest

from companion.discriminators import patchgan
from companion.generators import resnet, unet
from companion.layers import WeightNormalization, normalization


def stored(name):
    return dict(np.load(Path(__file__).parent / "reference" / f"{name}.npz"))


PYTORCH, ADDONS = stored("pytorch"), stored("tensorflow_addons")


def case(answers, name):
    """Return the stored weights in their order, the input and the output of one case."""
    weights = [array for key, array in answers.items() if key.startswith(f"{name}.weights.")]
    return weights, answers[f"{name}.input"], answers[f"{name}.output"]


@pytest.mark.parametrize(
    "name, factory, arguments",
    [
        ("unet_batch", unet, {"size": 32, "filters": 1}),
        ("unet_instance", unet, {"size": 32, "filters": 1, "norm": "instance"}),
        ("resnet_batch", resnet, {"size": 16, "filters": 2, "blocks": 2, "norm": "batch"}),
        ("resnet_instance", resnet, {"size": 16, "filters": 2, "blocks": 2}),
        ("patchgan", patchgan, {"size": 32, "filters": 2}),
        (
            "patchgan_conditional",
            patchgan,
            {"size": 32, "filters": 2, "norm": "batch", "conditional": True},
        ),
        ("pixelgan", patchgan, {"size": 16, "filters": 2, "layers": 0}),
        (
            "pixelgan_conditional",
            patchgan,
            {"size": 16, "filters": 2, "layers": 0, "norm": "batch", "conditional": True},
        ),
    ],
)
def test_networks_equal_pytorch_s(name, factory, arguments):
    weights, pictures, output = case(PYTORCH, name)
    model = factory(**arguments)
    own = [weight for layer in model.layers for weight in layer.weights]
    for weight, array in zip(own, weights, strict=True):
        # (out, in, H, W) to (H, W, in, out); transposed (in, out, H, W) to (H, W, out, in)
        weight.assign(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
    pictures, output = (x.transpose(0, 2, 3, 1) for x in (pictures, output))
    inputs = np.split(pictures, len(model.inputs), axis=-1)
    inputs = inputs if len(inputs) > 1 else inputs[0]
    np.testing.assert_allclose(model(inputs, training=False), output, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "name, layer",
    [
        ("instance", normalization("instance")),
        ("group", normalization("group")),
        ("instance_affine", keras.layers.GroupNormalization(groups=-1)),
        ("weight_conv", WeightNormalization(keras.layers.Conv2D(4, 3))),
        ("weight_dense", WeightNormalization(keras.layers.Dense(4))),
        ("small_weight", WeightNormalization(keras.layers.Dense(2, use_bias=False))),
    ],
)
def test_normalizations_equal_tensorflow_addons(name, layer):
    weights, maps, output = case(ADDONS, name)
    layer.build(maps.shape)
    layer.set_weights(weights)  # refuses a layer with more or fewer of them
    np.testing.assert_allclose(layer(maps), output, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name, groups", [("small_instance", -1), ("small_group", 2)])
def test_keras_successor_has_the_defaults_of_tensorflow_addons(name, groups):
    _, maps, output = case(ADDONS, name)
    layer = keras.layers.GroupNormalization(groups)
    np.testing.assert_allclose(layer(maps), output, rtol=0, atol=2e-5)


def test_keras_spectral_normalization_equals_tensorflow_addons():
    weights, maps, output = case(ADDONS, "spectral")
    u, kernel, bias = weights
    layer = keras.layers.SpectralNormalization(keras.layers.Conv2D(4, 3))
    layer.build(maps.shape)
    layer.vector_u.assign(u)
    layer.layer.set_weights([kernel, bias])
    np.testing.assert_allclose(layer(maps, training=True), output, rtol=0, atol=1e-4)
