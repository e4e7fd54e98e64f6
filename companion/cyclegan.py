"""CycleGAN: two generators, there and back, and two discriminators, trained without pairs."""

import keras
import tensorflow as tf

from companion import losses
from companion.pool import ImagePool
from companion.translator import Translator, together


@keras.saving.register_keras_serializable("companion")
class CycleGAN(Translator):
    """Translate between two kinds of pictures, a and b, after training without pairs.

    generator_ab, generator_ba: (N, H, W, C) to (N, H, W, C), float32 in [-1, 1], a to b and b to a;
                     `companion.generators`
    discriminator_a, discriminator_b: pictures to logits, real a or not, real b or not;
                     `companion.discriminators.patchgan()`
    cycle_weight:    weight of the cycle term (CycleGAN paper, section 4: 10)
    identity_weight: weight of the identity term, relative to cycle_weight (section 5.2: 0.5); 0
                     switches the term and its cost off
    adversarial:     "bce" or "least_squares"
    pool_size:       pictures in each discriminator's `ImagePool`; 0 switches it off

    `fit` takes batches (a, b), which need not be pairs, and reports the losses without their
    weights; discriminator, adversarial and identity are sums over both directions. `evaluate`
    reports the errors of cycle and identity with dropout off. `predict` translates a to b,
    `generator_ba.predict` b to a.
    Raises ValueError where the networks, or networks and pictures, do not fit together.
    """

    networks = "generator_ab", "generator_ba", "discriminator_a", "discriminator_b"
    settings = "cycle_weight", "identity_weight", "adversarial", "pool_size"
    reports = "discriminator", "adversarial", "cycle_a", "cycle_b", "identity"

    def __init__(
        self,
        generator_ab,
        generator_ba,
        discriminator_a,
        discriminator_b,
        cycle_weight=10.0,
        identity_weight=0.5,
        adversarial="least_squares",
        pool_size=50,
        **kwargs,
    ):
        losses.check_adversarial(adversarial)
        networks = [generator_ab, generator_ba, discriminator_a, discriminator_b]
        shape = generator_ab.input.shape
        for name, network in zip(self.networks, networks):
            taken = [x.shape for x in network.inputs]
            given = network.output.shape if name.startswith("generator") else shape
            if taken != [shape] or given != shape:
                raise ValueError(
                    f"{name} must take one picture of shape {shape}, as generator_ab does, and a "
                    f"generator also return one, but it takes {taken} and returns "
                    f"{network.output.shape}: build all four with the same size and channels, and "
                    f"the discriminators with conditional=False."
                )
        if generator_ab is generator_ba or discriminator_a is discriminator_b:
            raise ValueError("Both directions need networks of their own: build each of the four.")
        settings = [cycle_weight, identity_weight, adversarial, pool_size]
        super().__init__(networks, settings, **kwargs)
        self.pool_a = ImagePool(shape[1:], pool_size)
        self.pool_b = ImagePool(shape[1:], pool_size)

    def train_step(self, data):
        a, b = self._pictures(data)
        with tf.GradientTape() as tape:
            fake_a, fake_b, terms = self.generator_losses(a, b)
            loss = self.total_loss(**terms)
        self._update("generator", tape, loss)  # first; then the discriminators, as published
        discriminator_loss = self.train_discriminators(a, b, fake_a, fake_b)
        return self._report(a, discriminator=discriminator_loss, **terms)

    def generator_losses(self, a, b):
        """Return both fakes and the terms of the generators' loss, without their weights."""
        if self.identity_weight:  # a picture that is a b already should pass generator_ab unchanged
            fake_b, same_b = together(self.generator_ab, a, b)
            fake_a, same_a = together(self.generator_ba, b, a)
            identity = losses.identity(b, same_b) + losses.identity(a, same_a)
        else:
            fake_b = self.generator_ab(a, training=True)
            fake_a = self.generator_ba(b, training=True)
            identity = tf.constant(0.0)
        back_a = self.generator_ba(fake_b, training=True)
        back_b = self.generator_ab(fake_a, training=True)
        score_a = self.discriminator_a(fake_a, training=True)
        score_b = self.discriminator_b(fake_b, training=True)
        terms = {
            "adversarial": losses.adversarial(score_a, real=True, kind=self.adversarial)
            + losses.adversarial(score_b, real=True, kind=self.adversarial),
            "cycle_a": losses.cycle(a, back_a),
            "cycle_b": losses.cycle(b, back_b),
            "identity": identity,
        }
        return fake_a, fake_b, terms

    def total_loss(self, adversarial, cycle_a, cycle_b, identity):
        cycle = cycle_a + cycle_b
        return adversarial + self.cycle_weight * (cycle + self.identity_weight * identity)

    def train_discriminators(self, a, b, fake_a, fake_b):
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(
                self.discriminator_a, a, self.pool_a(fake_a)
            ) + self.discriminator_loss(self.discriminator_b, b, self.pool_b(fake_b))
        self._update("discriminator", tape, loss)
        return loss

    def discriminator_loss(self, discriminator, real, fake):
        on_real, on_fake = together(discriminator, real, fake)
        return 0.5 * (
            losses.adversarial(on_real, real=True, kind=self.adversarial)
            + losses.adversarial(on_fake, real=False, kind=self.adversarial)
        )

    def test_step(self, data):
        a, b = self._pictures(data)
        fake_b, fake_a = self.generator_ab(a), self.generator_ba(b)
        return self._report(
            a,
            cycle_a=losses.cycle(a, self.generator_ba(fake_b)),
            cycle_b=losses.cycle(b, self.generator_ab(fake_a)),
            identity=losses.identity(b, self.generator_ab(b))
            + losses.identity(a, self.generator_ba(a)),
        )
