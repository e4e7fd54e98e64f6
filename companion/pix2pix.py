"""pix2pix: a generator and a conditional discriminator, trained against each other by `fit`."""

import keras
import tensorflow as tf

from companion import losses


@keras.saving.register_keras_serializable("companion")
class Pix2Pix(keras.Model):
    """Translate pictures after training on pairs (pix2pix paper).

    generator:     (N, H, W, C) to (N, H, W, C), float32 in [-1, 1]; see `companion.generators`
    discriminator: [source, target] to logits; `companion.discriminators.patchgan(conditional=True)`
    l1_weight:     weight of the L1 term beside the adversarial one (section 3.1: 100)
    adversarial:   "bce" or "least_squares"

    `fit` takes batches (source, target) and reports the three losses without their weights;
    `evaluate` reports the held-out L1 error, with dropout off and the moving statistics in use.
    Raises ValueError where the two networks, or networks and pictures, do not fit together.
    """

    def __init__(self, generator, discriminator, l1_weight=100.0, adversarial="bce", **kwargs):
        super().__init__(**kwargs)
        if len(discriminator.inputs) != 2 or any(
            x.shape != generator.output.shape for x in discriminator.inputs
        ):
            shapes = ", ".join(str(x.shape) for x in discriminator.inputs)
            raise ValueError(
                f"The discriminator must take [source, target] of the generator's shape "
                f"{generator.output.shape}, but takes {shapes}: build both with the same size and "
                f"channels, and the discriminator with conditional=True."
            )
        self.generator = generator
        self.discriminator = discriminator
        self.l1_weight = l1_weight
        self.adversarial = adversarial
        self.means = [keras.metrics.Mean(n) for n in ("discriminator", "adversarial", "l1")]
        self.built = True  # both networks have their weights

    def compile(self, generator_optimizer=None, discriminator_optimizer=None, jit_compile=False):
        """Choose the optimizers; by default the paper's two Adams (section 3.3).

        jit_compile: True pays on a GPU; on a CPU these convolutions get slower by it.
        """
        adam = {"learning_rate": 2e-4, "beta_1": 0.5}
        self.generator_optimizer = generator_optimizer or keras.optimizers.Adam(**adam)
        self.discriminator_optimizer = discriminator_optimizer or keras.optimizers.Adam(**adam)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        super().compile(optimizer=self.generator_optimizer, jit_compile=jit_compile)

    def call(self, source, training=False):
        return self.generator(source, training=training)

    def train_step(self, data):
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        check_pictures(source, target)
        with tf.GradientTape() as tape:
            output = self.generator(source, training=True)
            with tape.stop_recording():  # the discriminator learns first, from the same output
                discriminator_loss = self.train_discriminator(source, target, output)
            scores = self.discriminator([source, output], training=True)
            adversarial_loss = losses.adversarial(scores, real=True, kind=self.adversarial)
            l1_loss = losses.l1(target, output)
            loss = adversarial_loss + self.l1_weight * l1_loss
        update(self.generator_optimizer, tape, loss, self.generator)
        return self.report(discriminator_loss, adversarial_loss, l1_loss)

    def train_discriminator(self, source, target, output):
        with tf.GradientTape() as tape:
            real = self.discriminator([source, target], training=True)
            fake = self.discriminator([source, output], training=True)
            loss = 0.5 * (
                losses.adversarial(real, real=True, kind=self.adversarial)
                + losses.adversarial(fake, real=False, kind=self.adversarial)
            )
        update(self.discriminator_optimizer, tape, loss, self.discriminator)
        return loss

    def test_step(self, data):
        source, target, _ = keras.utils.unpack_x_y_sample_weight(data)
        check_pictures(source, target)
        self.means[2].update_state(losses.l1(target, self.generator(source, training=False)))
        return {"l1": self.means[2].result()}

    def report(self, *values):
        for mean, value in zip(self.means, values):
            mean.update_state(value)
        return {mean.name: mean.result() for mean in self.means}

    # Saving. Keras stores weights and optimizers; the random state of dropout and the
    # construction of both networks are ours to keep, so that a resumed run takes the same next
    # step as one that never stopped.

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "l1_weight": self.l1_weight,
            "adversarial": self.adversarial,
        }

    @classmethod
    def from_config(cls, config):
        for network in ["generator", "discriminator"]:
            config[network] = keras.saving.deserialize_keras_object(config[network])
        return cls(**config)

    def get_compile_config(self):
        optimizers = [self.generator_optimizer, self.discriminator_optimizer]
        return {
            "optimizers": [keras.saving.serialize_keras_object(o) for o in optimizers],
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config):
        optimizers = map(keras.saving.deserialize_keras_object, config["optimizers"])
        self.compile(*optimizers, jit_compile=config["jit_compile"])

    def save_own_variables(self, store):
        for i, state in enumerate(self.dropout_states()):
            store[str(i)] = state

    def load_own_variables(self, store):
        for i, state in enumerate(self.dropout_states()):
            state.assign(store[str(i)])

    def dropout_states(self):
        layers = self.generator.layers + self.discriminator.layers
        return [x.seed_generator.state for x in layers if isinstance(x, keras.layers.Dropout)]


def update(optimizer, tape, loss, network):
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables))


def check_pictures(source, target):
    if not (source.dtype.is_floating and target.dtype.is_floating):
        raise ValueError(
            f"Pix2Pix wants float pictures in [-1, 1], not {source.dtype.name} and "
            f"{target.dtype.name}: convert them with companion.data.normalize or to_dataset."
        )
    if source.shape[1:3] != target.shape[1:3]:
        raise ValueError(
            f"Source and target are pairs of one size, not {source.shape[1:3]} and "
            f"{target.shape[1:3]} pixels: resize one of them."
        )
