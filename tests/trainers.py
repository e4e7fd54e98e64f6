"""Small trainers for the tests, and how to look at them."""

import keras
import numpy as np
import tensorflow as tf

from companion.cyclegan import CycleGAN
from companion.layers import normalization
from companion.pix2pix import Pix2Pix

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.uniform(-1, 1, (2, 8, 16, 16, 3)).astype("float32")
BATCHES = tf.data.Dataset.from_tensor_slices((SOURCE, TARGET)).batch(2)


def generator(norm="instance", dropout=0.0):
    """One hidden convolution: quick to compile, with all that a step has to care for."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    x = keras.layers.ReLU()(normalization(norm)(x))
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Conv2D(3, 3, padding="same")(x)
    return keras.Model(image, keras.layers.Activation("tanh", dtype="float32")(x))


def discriminator(norm="instance", conditional=False):
    images = [keras.Input((16, 16, 3)) for _ in range(1 + conditional)]
    x = keras.layers.Concatenate()(images) if conditional else images[0]
    x = keras.layers.Conv2D(4, 4, 2, use_bias=False)(x)
    x = keras.layers.LeakyReLU(0.2)(normalization(norm)(x))
    return keras.Model(images if conditional else images[0], keras.layers.Conv2D(1, 4)(x))


def pix2pix(norm="batch", dropout=0.5, **options):
    keras.utils.set_random_seed(1)
    return Pix2Pix(generator(norm, dropout), discriminator(norm, conditional=True), **options)


def cyclegan(**options):
    keras.utils.set_random_seed(1)
    networks = [generator(), generator(), discriminator(), discriminator()]
    return CycleGAN(*networks, **{"pool_size": 3, **options})


BOTH = {"pix2pix": pix2pix, "cyclegan": cyclegan}


def compiled(model, *optimizers, **options):
    model.compile(*optimizers, **options)
    return model


def train(model, batches):
    return model.fit(batches, shuffle=False, verbose=0).history


def weights(model):
    return [weight.numpy() for weight in model.weights]


def trainable(network):
    return [weight.numpy() for weight in network.trainable_weights]


def same(first, second, atol=0.0):
    return all(np.allclose(a, b, rtol=0, atol=atol) for a, b in zip(first, second, strict=True))


def still():
    """An optimizer that moves nothing."""
    return keras.optimizers.SGD(0.0)


def steepest():
    """An optimizer whose step is the gradient itself."""
    return keras.optimizers.SGD(1.0)
