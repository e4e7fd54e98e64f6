"""What `Pix2Pix` and `CycleGAN` share and a reader may skip: all but the losses.

Optimizers, precision, distribution, metrics, checks of the input, saving and resuming.
"""

import copy

import keras
import tensorflow as tf

from companion import optimizers


class Translator(keras.Model):
    """Generators and discriminators that `fit` trains against each other.

    A subclass names its networks (attributes and arguments of its constructor; the first one
    translates in `call`, `predict` and `export`), its other arguments and the losses it reports,
    and writes `train_step` and `test_step`.
    """

    networks = ()
    settings = ()
    reports = ()

    def __init__(self, networks, settings, **kwargs):
        super().__init__(**kwargs)
        for name, value in [*zip(self.networks, networks), *zip(self.settings, settings)]:
            setattr(self, name, value)
        self._means = [keras.metrics.Mean(name) for name in self.reports]
        self.built = True  # all networks have their weights

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        jit_compile=False,
        run_eagerly=False,
        steps_per_execution=1,
    ):
        """Choose the optimizers, objects or Keras' names; by default the papers' two Adams.

        jit_compile: True pays on a GPU; on a CPU these convolutions get slower by it. XLA leaves
                     out the checks of the pictures' values: take a step without it first
        run_eagerly, steps_per_execution: as for every Keras model

        A learning rate that changes is a schedule, such as `LinearDecay`, for each optimizer, since
        Keras' callbacks reach the generators' alone. Networks built under the dtype policy
        "mixed_bfloat16" or "mixed_float16" train in that precision, the latter with loss scaling.
        """
        self.generator_optimizer = self._optimizer(generator_optimizer)
        self.discriminator_optimizer = self._optimizer(discriminator_optimizer)
        if self.generator_optimizer is self.discriminator_optimizer:
            raise ValueError(
                "Generators and discriminators need an optimizer each: one keeps the moments of "
                "its own weights and counts its own steps."
            )
        self.generator_optimizer.build(self._weights("generator"))
        self.discriminator_optimizer.build(self._weights("discriminator"))
        super().compile(
            optimizer=self.generator_optimizer,
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=False,  # it would scale for one optimizer of the two
        )

    def _optimizer(self, optimizer):
        if optimizer is None:  # pix2pix paper, section 3.3; CycleGAN paper, section 4
            optimizer = optimizers.Adam(learning_rate=2e-4, beta_1=0.5)
        optimizer = keras.optimizers.get(optimizer)
        half = any(layer.compute_dtype == "float16" for layer in self._flatten_layers())
        if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def _weights(self, kind):
        """Return the trainable weights of all generators or of all discriminators."""
        names = [name for name in self.networks if name.startswith(kind)]
        return [weight for name in names for weight in getattr(self, name).trainable_variables]

    def call(self, source, training=False):
        translator = getattr(self, self.networks[0])
        return translator(check_pictures(self, source), training=training)

    def export(self, *args, **kwargs):
        """Export what translates, the generator, as `keras.Model.export` does."""
        return getattr(self, self.networks[0]).export(*args, **kwargs)

    # One step.

    def _pictures(self, data):
        """Return the two kinds of pictures of a batch, checked."""
        first, second, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if second is None or sample_weight is not None:
            raise ValueError(
                f"{type(self).__name__} learns from two kinds of pictures and nothing else: pass "
                f"fit(first, second), or batches (first, second) of companion.data.to_dataset."
            )
        # In one type, since painted pictures join them: float64 is what NumPy makes of `x / 127.5`.
        first, second = (tf.cast(check_pictures(self, x), "float32") for x in (first, second))
        equal = tf.debugging.assert_equal(
            tf.shape(first)[0],
            tf.shape(second)[0],
            f"{type(self).__name__} wants as many pictures of one kind as of the other in a batch: "
            f"make batches with companion.data.to_dataset.",
        )
        with tf.control_dependencies([equal]):
            return first, tf.identity(second)

    def _update(self, kind, tape, loss):
        """Move the weights of all generators or all discriminators to lower a recorded loss."""
        optimizer, weights = getattr(self, f"{kind}_optimizer"), self._weights(kind)
        # What scales the loss scales its gradients, so the way back may start from the scale.
        # Optimizers sum the gradients of all devices, each of which has a mean over its pictures.
        devices = tf.distribute.get_strategy().num_replicas_in_sync
        scale = tf.ones_like(loss) / devices
        gradients = tape.gradient(loss, weights, output_gradients=optimizer.scale_loss(scale))
        if devices > 1 and isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # Keras skips a step that overflows where the first device sees it: so let all see it.
            overflow = tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in gradients])
            overflow = tf.distribute.get_replica_context().all_reduce("sum", overflow)
            gradients = [gradient + overflow for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, weights))

    def _report(self, pictures, **losses):
        """Return the mean losses of the epoch, in which each picture counts the same."""
        for mean in self._means:
            if mean.name in losses:
                mean.update_state(losses[mean.name], sample_weight=tf.shape(pictures)[0])
        return {mean.name: mean.result() for mean in self._means if mean.name in losses}

    @property
    def metrics(self):
        return self._means

    # Saving. Keras stores weights and optimizers; how the networks are built and the state of all
    # random numbers are ours to keep, so that a resumed run takes the same next step as one that
    # never stopped.

    def get_config(self):
        networks = {
            name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.networks
        }
        settings = {name: getattr(self, name) for name in self.settings}
        return {**super().get_config(), **networks, **settings}

    @classmethod
    def from_config(cls, config):
        config = copy.deepcopy(config)  # Keras takes it apart while it reads
        for name in cls.networks:
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)

    def get_compile_config(self):
        if not self.compiled:
            return None
        optimizers = [self.generator_optimizer, self.discriminator_optimizer]
        return {
            "optimizers": [keras.saving.serialize_keras_object(o) for o in optimizers],
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        config = dict(config)
        self.compile(
            *map(keras.saving.deserialize_keras_object, config.pop("optimizers")), **config
        )

    def save_own_variables(self, store):
        for i, state in enumerate(self._random_states()):
            store[str(i)] = state

    def load_own_variables(self, store):
        for i, state in enumerate(self._random_states()):
            state.assign(store[str(i)])

    def _random_states(self):
        layers = self._flatten_layers()
        return [x.seed_generator.state for x in layers if hasattr(x, "seed_generator")]


def together(network, *batches):
    """Return a network's outputs in training mode for several batches, as if called for each.

    One call is faster than several, and gives the same where a picture's output does not depend
    on its neighbours; under batch normalization it does, and each batch goes on its own.
    """
    layers = network._flatten_layers()
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
        return [network(batch, training=True) for batch in batches]
    joined = tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *batches)
    return tf.split(network(joined, training=True), len(batches))


def check_pictures(model, pictures):
    """Return pictures (N, H, W, C) if they are what the model's generator takes, float in [-1, 1].

    Raises ValueError for another type, size or number of channels, or no picture. Values are known
    only when a compiled step runs: those outside [-1, 1], and batches whose size is known no
    sooner and is 0, raise tf.errors.InvalidArgumentError, but not under `jit_compile`.
    """
    name, expected = type(model).__name__, getattr(model, model.networks[0]).input.shape[1:]
    pictures = tf.convert_to_tensor(pictures)
    if not pictures.dtype.is_floating:
        raise ValueError(
            f"{name} wants float pictures in [-1, 1], not {pictures.dtype.name}: convert them with "
            f"companion.data.normalize or to_dataset."
        )
    if not tf.TensorShape([None, *expected]).is_compatible_with(pictures.shape):
        raise ValueError(
            f"{name} wants pictures (N, H, W, C) with {expected} for each, as its generator was "
            f"built, not {pictures.shape}: resize them, or build the networks for this size."
        )
    no_picture = (
        f"{name} got no picture. With several devices, each needs one of every batch: drop a "
        f"smaller last batch by batches.unbatch().batch(batch_size, drop_remainder=True)."
    )
    if pictures.shape[0] == 0:  # or a layer may complain while the step is compiled
        raise ValueError(no_picture)
    checks = [
        # Means over no pictures would turn all weights into NaN.
        tf.debugging.assert_positive(tf.shape(pictures)[0], no_picture),
        tf.debugging.assert_less_equal(
            tf.reduce_max(tf.abs(pictures)),
            tf.constant(1.001, pictures.dtype),
            f"{name} wants pictures in [-1, 1], but some values lie outside: see "
            f"companion.data.normalize.",
        ),
    ]
    with tf.control_dependencies(checks):  # or a later operation may fail first, in other words
        return tf.identity(pictures)
