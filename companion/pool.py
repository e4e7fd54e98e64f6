"""The image pool: a discriminator also sees what the generator painted some steps ago."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("companion")
class ImagePool(keras.layers.Layer):
    """Exchange new pictures for older ones, half of the time, from a pool of the last ones.

    shape: of one picture, (H, W, C)
    size:  pictures that the pool holds; 0 hands every picture through

    Called with pictures (N, H, W, C), it returns as many. While the pool fills, it stores each
    picture and returns it. When full, it returns either the picture itself or, as often, a random
    stored one, whose place the picture takes. Picture by picture, so that a later one of a batch
    may come back as an earlier one.

    It works inside the compiled step, and is saved with the model. Under `tf.distribute` each
    device has a pool of its own. Source: CycleGAN paper, section 4, after Shrivastava et al. 2017.
    """

    def __init__(self, shape, size=50, **kwargs):
        super().__init__(dtype="float32", **kwargs)  # also where the networks compute in less
        self.shape, self.size = tuple(shape), size
        self.seed_generator = keras.random.SeedGenerator()
        # Each device reads and writes its own; a file holds the first one's.
        own = {"synchronization": "on_read", "aggregation": "only_first_replica"}
        self.pictures = keras.Variable("zeros", (size, *shape), "float32", trainable=False, **own)
        self.count = keras.Variable("zeros", (), "int32", trainable=False, **own)
        self.built = True

    def call(self, pictures):
        if self.size == 0:
            return pictures
        return tf.map_fn(self._exchange, tf.cast(pictures, "float32"), parallel_iterations=1)

    def _exchange(self, picture):
        coin, place = tf.unstack(keras.random.uniform((2,), seed=self.seed_generator))
        full = tf.equal(self.count, self.size)
        swap = full & (coin < 0.5)
        place = tf.where(full, tf.cast(place * self.size, "int32"), self.count)
        pool = self.pictures.value.handle
        stored = tf.raw_ops.ResourceGather(resource=pool, indices=place, dtype="float32")
        kept = tf.where(swap | ~full, picture, stored)
        tf.raw_ops.ResourceScatterUpdate(resource=pool, indices=place, updates=kept)
        self.count.assign(tf.minimum(self.count + 1, self.size))
        return tf.where(swap, stored, picture)

    def get_config(self):
        config = super().get_config()
        return {"name": config["name"], "shape": self.shape, "size": self.size}
