import keras
import numpy as np
import pytest
import tensorflow as tf

from companion import losses
from companion.discriminators import patchgan
from companion.generators import unet
from companion.pix2pix import Pix2Pix

RNG = np.random.default_rng(0)
SOURCE, TARGET = RNG.uniform(-1, 1, (2, 8, 16, 16, 3)).astype("float32")
BATCHES = tf.data.Dataset.from_tensor_slices((SOURCE, TARGET)).batch(2)


def small(**options):
    keras.utils.set_random_seed(1)
    generator = unet(16, filters=4)
    discriminator = patchgan(16, conditional=True, layers=1, filters=4, norm="batch")
    model = Pix2Pix(generator, discriminator, **options)
    model.compile()
    return model


def train(model, batches):
    return model.fit(batches, shuffle=False, verbose=0).history


def weights(network):
    return [weight.numpy() for weight in network.weights]


def same(first, second, atol=0.0):
    return all(np.allclose(a, b, rtol=0, atol=atol) for a, b in zip(first, second, strict=True))


def test_one_step_trains_both_networks_as_written_out_by_hand():
    model, twin = small(l1_weight=7.0), small(l1_weight=7.0)
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


def test_resuming_from_a_file_takes_the_very_same_next_steps(tmp_path):
    straight = small()
    train(straight, BATCHES)  # four steps

    stopped = small()
    train(stopped, BATCHES.take(2))
    stopped.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    train(resumed, BATCHES.skip(2))

    for network in ["generator", "discriminator"]:
        assert same(weights(getattr(straight, network)), weights(getattr(resumed, network)))
    for optimizer in ["generator_optimizer", "discriminator_optimizer"]:
        first, second = getattr(straight, optimizer), getattr(resumed, optimizer)
        assert same([v.numpy() for v in first.variables], [v.numpy() for v in second.variables])
        assert int(second.iterations) == 4


def test_a_file_keeps_the_settings(tmp_path):
    model = small(l1_weight=3.0, adversarial="least_squares")
    rate = keras.optimizers.Adam(1e-3)
    model.compile(generator_optimizer=rate)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.l1_weight == 3.0 and loaded.adversarial == "least_squares"
    assert float(loaded.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(2e-4)
    np.testing.assert_array_equal(loaded(SOURCE), model(SOURCE))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_resumed_run_is_compiled_as_the_first_was(tmp_path, monkeypatch, jit_compile):
    # Keras refuses XLA where operations are deterministic, as they are in `make test`.
    monkeypatch.setattr("keras.src.trainers.trainer.model_supports_jit", lambda model: True)
    model = small()
    model.compile(jit_compile=jit_compile)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").jit_compile is jit_compile


def test_the_optimizers_are_the_paper_s_unless_given():
    """Adam's first step does not depend on beta_1, so the test of one step cannot see it."""
    model = small()
    for adam in [model.generator_optimizer, model.discriminator_optimizer]:
        assert float(adam.learning_rate) == pytest.approx(2e-4) and adam.beta_1 == 0.5


def test_train_on_batch_takes_the_step_of_fit():
    model, twin = small(), small()
    train(model, BATCHES.take(1))
    twin.train_on_batch(SOURCE[:2], TARGET[:2])
    assert same(weights(model.generator), weights(twin.generator), atol=2e-6)


def test_training_lowers_the_l1_error():
    model = small()
    model.compile(generator_optimizer=keras.optimizers.Adam(0.01, beta_1=0.5))
    grey = BATCHES.map(lambda source, target: (source, tf.fill(tf.shape(target), 0.5)))
    first = train(model, grey)["l1"][0]
    train(model, grey.repeat(10))
    assert train(model, grey)["l1"][0] < 0.5 * first


def test_l1_weight_zero_leaves_only_the_adversarial_term():
    """With the discriminator's weights at zero nothing else can move the generator."""
    model = small(l1_weight=0.0)
    for weight in model.discriminator.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    model.compile(discriminator_optimizer=keras.optimizers.SGD(0.0))
    before = [weight.numpy() for weight in model.generator.trainable_weights]
    train(model, BATCHES)
    assert same(before, [weight.numpy() for weight in model.generator.trainable_weights])


def test_evaluate_reports_the_error_without_dropout_and_changes_nothing():
    model = small()
    before = weights(model)
    report = model.evaluate(BATCHES, verbose=0, return_dict=True)
    by_hand = np.abs(TARGET - model.predict(SOURCE, verbose=0)).mean()
    assert float(report["l1"]) == pytest.approx(by_hand, rel=1e-5)
    assert same(before, weights(model))


def test_training_mode_is_random_and_inference_is_not():
    model = small()
    assert not np.allclose(model(SOURCE, training=True), model(SOURCE, training=True))
    np.testing.assert_array_equal(model(SOURCE), model(SOURCE))


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="conditional=True"):
        Pix2Pix(unet(16, filters=2), patchgan(16, layers=1, filters=2))
    with pytest.raises(ValueError, match="same size and channels"):
        Pix2Pix(unet(16, filters=2), patchgan(32, conditional=True, layers=1, filters=2))


def test_uint8_pictures_are_refused():
    with pytest.raises(ValueError, match="uint8.*companion.data.normalize"):
        train(small(), BATCHES.map(lambda s, t: (tf.cast(s, tf.uint8), t)))


def test_pairs_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(16, 16\) and \(8, 8\)"):
        train(small(), BATCHES.map(lambda s, t: (s, t[:, ::2, ::2])))
