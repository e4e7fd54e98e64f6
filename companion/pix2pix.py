"""pix2pix: a generator and a conditional discriminator, trained against each other by `fit`."""

import keras
import tensorflow as tf

from companion import losses
from companion.translator import Translator, together


@keras.saving.register_keras_serializable("companion")
class Pix2Pix(Translator):
    """Translate pictures after training on pairs (pix2pix paper).

    generator:     (N, H, W, C) to (N, H, W, C), float32 in [-1, 1]; see `companion.generators`
    discriminator: [source, target] to logits; `companion.discriminators.patchgan(conditional=True)`
    l1_weight:     weight of the L1 term beside the adversarial one (section 3.1: 100)
    adversarial:   "bce" or "least_squares"

    `fit` takes batches (source, target) and reports the three losses without their weights;
    `evaluate` reports the held-out L1 error, with dropout off and the moving statistics in use.
    Raises ValueError where the two networks, or networks and pictures, do not fit together.
    """

    networks = "generator", "discriminator"
    settings = "l1_weight", "adversarial"
    reports = "discriminator", "adversarial", "l1"

    def __init__(self, generator, discriminator, l1_weight=100.0, adversarial="bce", **kwargs):
        losses.check_adversarial(adversarial)
        if len(discriminator.inputs) != 2 or any(
            x.shape != generator.output.shape for x in discriminator.inputs
        ):
            shapes = ", ".join(str(x.shape) for x in discriminator.inputs)
            raise ValueError(
                f"The discriminator must take [source, target] of the generator's shape "
                f"{generator.output.shape}, but takes {shapes}: build both with the same size and "
                f"channels, and the discriminator with conditional=True."
            )
        super().__init__([generator, discriminator], [l1_weight, adversarial], **kwargs)

    def train_step(self, data):
        source, target = self._pictures(data)
        with tf.GradientTape() as tape:
            output = self.generator(source, training=True)
            with tape.stop_recording():  # the discriminator learns first, from the same output
                discriminator_loss = self.train_discriminator(source, target, output)
            scores = self.discriminator([source, output], training=True)
            adversarial_loss = losses.adversarial(scores, real=True, kind=self.adversarial)
            l1_loss = losses.l1(target, output)
            loss = adversarial_loss + self.l1_weight * l1_loss
        self._update("generator", tape, loss)
        return self._report(
            source, discriminator=discriminator_loss, adversarial=adversarial_loss, l1=l1_loss
        )

    def train_discriminator(self, source, target, output):
        with tf.GradientTape() as tape:
            real, fake = together(self.discriminator, [source, target], [source, output])
            loss = 0.5 * (
                losses.adversarial(real, real=True, kind=self.adversarial)
                + losses.adversarial(fake, real=False, kind=self.adversarial)
            )
        self._update("discriminator", tape, loss)
        return loss

    def test_step(self, data):
        source, target = self._pictures(data)
        return self._report(source, l1=losses.l1(target, self.generator(source, training=False)))
