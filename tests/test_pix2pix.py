import keras
import numpy as np
import pytest
import tensorflow as tf
from trainers import BATCHES, SOURCE, TARGET, compiled, pix2pix, same, steepest, train, weights

from companion import losses
from companion.discriminators import patchgan
from companion.generators import unet
from companion.pix2pix import Pix2Pix


def test_one_step_trains_both_networks_as_written_out_by_hand():
    model, twin = compiled(pix2pix(l1_weight=7.0)), pix2pix(l1_weight=7.0)
    logs = train(model, BATCHES.take(1))

    source, target = next(iter(BATCHES))
    g, d = twin.generator, twin.discriminator
    adam = [keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)]
    with tf.GradientTape() as g_tape:
        fake = g(source, training=True)
        with g_tape.stop_recording(), tf.GradientTape() as d_tape:
            on_real = losses.adversarial(d([source, target], training=True), True)
            on_fake = losses.adversarial(d([source, fake], training=True), False)
            d_loss = 0.5 * (on_real + on_fake)
        d_gradients = d_tape.gradient(d_loss, d.trainable_variables)
        adam[0].apply_gradients(zip(d_gradients, d.trainable_variables))
        adversarial = losses.adversarial(d([source, fake], training=True), True)
        l1 = tf.reduce_mean(tf.abs(target - fake))
        g_loss = adversarial + 7.0 * l1
    g_gradients = g_tape.gradient(g_loss, g.trainable_variables)
    adam[1].apply_gradients(zip(g_gradients, g.trainable_variables))

    # Adam divides each gradient by its own size, so rounding can flip a step where the gradient is
    # all but zero; a hundredth of a step of 2e-4 is rounding, a missing term is not.
    assert same(weights(model.generator), weights(g), atol=2e-6)
    assert same(weights(model.discriminator), weights(d), atol=2e-6)
    assert logs["discriminator"][0] == pytest.approx(float(d_loss), rel=1e-5)
    assert logs["adversarial"][0] == pytest.approx(float(adversarial), rel=1e-5)
    assert logs["l1"][0] == pytest.approx(float(l1), rel=1e-5)


def test_training_lowers_the_l1_error():
    model = pix2pix()
    model.compile(generator_optimizer=keras.optimizers.Adam(0.01, beta_1=0.5))
    grey = BATCHES.map(lambda source, target: (source, tf.fill(tf.shape(target), 0.5)))
    first = train(model, grey)["l1"][0]
    train(model, grey.repeat(10))
    assert train(model, grey)["l1"][0] < 0.5 * first


def test_l1_weight_zero_leaves_only_the_adversarial_term():
    """With the discriminator's weights at zero nothing else can move the generator."""
    model = pix2pix(l1_weight=0.0)
    for weight in model.discriminator.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    model.compile(discriminator_optimizer=keras.optimizers.SGD(0.0))
    before = [weight.numpy() for weight in model.generator.trainable_weights]
    train(model, BATCHES)
    assert same(before, [weight.numpy() for weight in model.generator.trainable_weights])


def test_evaluate_reports_the_error_without_dropout_and_changes_nothing():
    model = compiled(pix2pix())
    before = weights(model)
    report = model.evaluate(BATCHES, verbose=0, return_dict=True)
    by_hand = np.abs(TARGET - model.predict(SOURCE, verbose=0)).mean()
    assert float(report["l1"]) == pytest.approx(by_hand, rel=1e-5)
    assert same(before, weights(model))


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="conditional=True"):
        Pix2Pix(unet(16, filters=2), patchgan(16, layers=1, filters=2))
    with pytest.raises(ValueError, match="same size and channels"):
        Pix2Pix(unet(16, filters=2), patchgan(32, conditional=True, layers=1, filters=2))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_least_squares_step_one_batch_or_two_for_the_discriminator(norm):
    """Without batch norm real and fake are judged together, which must not change the step."""
    options = {"norm": norm, "dropout": 0, "adversarial": "least_squares", "l1_weight": 7.0}
    model, twin = compiled(pix2pix(**options), steepest(), steepest()), pix2pix(**options)
    train(model, BATCHES.take(1))

    source, target = next(iter(BATCHES))
    g, d = twin.generator, twin.discriminator
    fake = g(source, training=True)
    with tf.GradientTape() as tape:
        on_real, on_fake = d([source, target], training=True), d([source, fake], training=True)
        loss = 0.5 * (tf.reduce_mean((on_real - 1) ** 2) + tf.reduce_mean(on_fake**2))
    for weight, gradient in zip(d.trainable_weights, tape.gradient(loss, d.trainable_weights)):
        weight.assign_sub(gradient)
    with tf.GradientTape() as tape:
        fake = g(source, training=True)
        loss = tf.reduce_mean((d([source, fake], training=True) - 1) ** 2)
        loss += 7.0 * tf.reduce_mean(tf.abs(target - fake))
    for weight, gradient in zip(g.trainable_weights, tape.gradient(loss, g.trainable_weights)):
        weight.assign_sub(gradient)
    assert same(
        [w.numpy() for w in model.discriminator.trainable_weights],
        [w.numpy() for w in d.trainable_weights],
        atol=1e-5,
    )
    assert same(
        [w.numpy() for w in model.generator.trainable_weights],
        [w.numpy() for w in g.trainable_weights],
        atol=1e-4,
    )
