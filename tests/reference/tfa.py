# /// script
# requires-python = "==3.11.*"
# dependencies = ["tensorflow-cpu==2.15.1", "tensorflow-addons==0.23.0"]
# ///
"""TensorFlow Addons' normalizations on fixed inputs, for tests/test_reference.py.

The library ended in 2024: its last version needs the TensorFlow and Python named above.
This script cannot have its name, or it would import itself.
"""

import warnings

import numpy as np
import tensorflow as tf
from stored import store

with warnings.catch_warnings(action="ignore"):
    import tensorflow_addons as tfa

rng = np.random.default_rng(0)
arrays = {}


def answer(case, layer, pictures, weights=(), **call):
    """Store a layer's input, weights and output; `weights` are named after its attributes."""
    layer(pictures)  # builds; and the first call of a WeightNormalization overwrites g
    for name in weights:
        holder = layer if hasattr(layer, name) else layer.layer
        variable = getattr(holder, name)
        variable.assign(rng.normal(1, 0.5, variable.shape))
        arrays[f"{case}.weights.{name}"] = variable.numpy()
    arrays[f"{case}.input"] = pictures
    arrays[f"{case}.output"] = layer(pictures, **call)


maps = rng.normal(3, 2, (3, 3, 3, 64)).astype("float32")
maps[1] *= 1e-2
maps[2] *= 1e-3  # variance 4e-6: epsilon counts
plain = {"center": False, "scale": False}
learned = ["gamma", "beta"]
answer("instance", tfa.layers.InstanceNormalization(epsilon=1e-5, **plain), maps)
answer("instance_affine", tfa.layers.InstanceNormalization(epsilon=1e-3), maps, learned)
answer("group", tfa.layers.GroupNormalization(groups=32, epsilon=1e-5), maps, learned)

maps = rng.normal(size=(2, 6, 6, 3)).astype("float32")
conv = tf.keras.layers.Conv2D(4, 3)
layer = tfa.layers.WeightNormalization(conv, data_init=False)
answer("weight_conv", layer, maps, ["g", "v", "bias"])
layer = tfa.layers.WeightNormalization(tf.keras.layers.Dense(4), data_init=False)
answer("weight_dense", layer, maps[:, 0, 0], ["g", "v", "bias"])
layer = tfa.layers.SpectralNormalization(tf.keras.layers.Conv2D(4, 3))
answer("spectral", layer, maps, ["u", "w", "bias"], training=True)

# With all defaults, so that these are compared as well.
maps = rng.integers(-9, 10, (1, 2, 2, 4)).astype("float32")
answer("small_instance", tfa.layers.InstanceNormalization(), maps)
answer("small_group", tfa.layers.GroupNormalization(groups=2), maps)
layer = tfa.layers.WeightNormalization(tf.keras.layers.Dense(2), data_init=False)
answer("small_weight", layer, maps[0, 0], ["g", "v"])
store("tensorflow_addons", arrays)
