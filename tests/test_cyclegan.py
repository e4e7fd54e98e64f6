import keras
import numpy as np
import pytest
import tensorflow as tf
from trainers import SOURCE, TARGET, compiled, cyclegan, same, steepest, still, train, weights

from companion.cyclegan import CycleGAN
from companion.discriminators import patchgan
from companion.generators import resnet

A, B = map(tf.constant, (SOURCE[:2], TARGET[:2]))
BATCH = tf.data.Dataset.from_tensors((A, B))


def l1(first, second):
    return float(tf.reduce_mean(tf.abs(first - second)))


def generators_loss(model, cycle_weight, identity_weight):
    """The generators' loss, written out from the papers' formulas."""
    g, f = model.generator_ab, model.generator_ba
    d_a, d_b = model.discriminator_a, model.discriminator_b
    adversarial = float(tf.reduce_mean((d_b(g(A)) - 1) ** 2) + tf.reduce_mean((d_a(f(B)) - 1) ** 2))
    cycle = l1(f(g(A)), A) + l1(g(f(B)), B)
    identity = l1(g(B), B) + l1(f(A), A)
    return adversarial + cycle_weight * cycle + cycle_weight * identity_weight * identity


def discriminators_loss(model, fake_a, fake_b):
    d_a, d_b = model.discriminator_a, model.discriminator_b
    on_real = tf.reduce_mean((d_a(A) - 1) ** 2) + tf.reduce_mean((d_b(B) - 1) ** 2)
    return 0.5 * float(
        on_real + tf.reduce_mean(d_a(fake_a) ** 2) + tf.reduce_mean(d_b(fake_b) ** 2)
    )


def steps_of(network, before):
    return [old - new.numpy() for old, new in zip(before, network.trainable_weights)]


def slope(loss, network, direction, distance):
    """The loss's slope as the network's weights go in a direction of length 1, by differences."""
    start = [weight.numpy() for weight in network.trainable_weights]
    values = []
    for sign in (1, -1):
        for weight, old, way in zip(network.trainable_weights, start, direction):
            weight.assign(old + sign * distance * way)
        values.append(loss())
    for weight, old in zip(network.trainable_weights, start):
        weight.assign(old)
    return (values[0] - values[1]) / (2 * distance)


def unit(direction):
    length = np.sqrt(sum((x**2).sum() for x in direction))
    return length, [x / length for x in direction]


@pytest.mark.parametrize("identity_weight", [0.5, 0.0])
def test_the_generators_steps_are_the_slopes_of_the_published_loss(identity_weight):
    """A term left out, doubled or kept from a network changes the slope along the step."""
    options = {"cycle_weight": 3.0, "identity_weight": identity_weight, "pool_size": 0}
    model = compiled(cyclegan(**options), steepest(), still())
    twin = cyclegan(**options)
    before = {n: [w.numpy() for w in getattr(model, n).trainable_weights] for n in model.networks}
    train(model, BATCH)
    for name in ["generator_ab", "generator_ba"]:
        length, way = unit(steps_of(getattr(model, name), before[name]))
        by_differences = slope(
            lambda: generators_loss(twin, 3.0, identity_weight), getattr(twin, name), way, 3e-4
        )
        assert by_differences == pytest.approx(length, rel=0.03)


def test_the_discriminators_steps_are_the_slopes_of_theirs():
    model, twin = compiled(cyclegan(pool_size=0), still(), steepest()), cyclegan(pool_size=0)
    before = {n: [w.numpy() for w in getattr(model, n).trainable_weights] for n in model.networks}
    fakes = twin.generator_ba(B), twin.generator_ab(A)
    train(model, BATCH)
    for name in ["discriminator_a", "discriminator_b"]:
        length, way = unit(steps_of(getattr(model, name), before[name]))
        by_differences = slope(
            lambda: discriminators_loss(twin, *fakes), getattr(twin, name), way, 3e-4
        )
        assert by_differences == pytest.approx(length, rel=0.03)


def test_fit_reports_the_terms_without_their_weights():
    model, twin = compiled(cyclegan(pool_size=0), still(), still()), cyclegan()
    logs = train(model, BATCH)
    fake_a, fake_b = twin.generator_ba(B), twin.generator_ab(A)
    assert logs["cycle_a"][0] == pytest.approx(l1(A, twin.generator_ba(fake_b)), rel=1e-4)
    assert logs["cycle_b"][0] == pytest.approx(l1(B, twin.generator_ab(fake_a)), rel=1e-4)
    identity = l1(twin.generator_ab(B), B) + l1(twin.generator_ba(A), A)
    assert logs["identity"][0] == pytest.approx(identity, rel=1e-4)
    assert logs["discriminator"][0] == pytest.approx(
        discriminators_loss(twin, fake_a, fake_b), rel=1e-4
    )
    held_out = model.evaluate(BATCH, verbose=0, return_dict=True)
    assert float(held_out["cycle_a"]) == pytest.approx(logs["cycle_a"][0], rel=1e-4)
    assert float(held_out["identity"]) == pytest.approx(identity, rel=1e-4)


def test_generators_move_first_but_discriminators_learn_from_the_earlier_fakes():
    """As published: the fakes are painted once, before either update."""
    model = compiled(cyclegan(pool_size=0), keras.optimizers.SGD(0.5), steepest())
    alone = compiled(cyclegan(pool_size=0), still(), steepest())
    train(model, BATCH)
    train(alone, BATCH)
    for name in ["discriminator_a", "discriminator_b"]:
        assert same(weights(getattr(model, name)), weights(getattr(alone, name)), atol=1e-6)


class Counting(keras.layers.Layer):
    """Counts the pictures that pass."""

    seen = 0

    def call(self, x):
        self.seen += x.shape[0] or 0
        return x


@pytest.mark.parametrize("identity_weight, passes", [(0.5, 3), (0.0, 2)])
def test_without_the_identity_term_its_pass_is_not_made(identity_weight, passes):
    image = keras.Input((16, 16, 3))
    counting = Counting()
    generator = keras.Model(image, keras.layers.Conv2D(3, 1, activation="tanh")(counting(image)))
    other = cyclegan()
    model = CycleGAN(
        generator,
        other.generator_ba,
        other.discriminator_a,
        other.discriminator_b,
        identity_weight=identity_weight,
    )
    model.compile(run_eagerly=True)
    counting.seen = 0
    train(model, BATCH)
    assert counting.seen == passes * len(A)


def test_the_discriminators_see_the_pools_pictures():
    model = compiled(cyclegan(pool_size=2), still(), steepest())
    old = np.full((2, 16, 16, 3), 0.5, "float32")
    for pool in [model.pool_a, model.pool_b]:
        pool.pictures.assign(old)
        pool.count.assign(2)
    keras.utils.set_random_seed(0)
    fresh = compiled(cyclegan(pool_size=0), still(), steepest())
    train(model, BATCH.repeat(3))
    train(fresh, BATCH.repeat(3))
    assert not same(weights(model.discriminator_a), weights(fresh.discriminator_a), atol=1e-4)
    kept = model.pool_a.pictures.numpy()
    fake = model.generator_ba(B).numpy()
    assert any(np.allclose(kept[i], fake[j], atol=1e-5) for i in range(2) for j in range(2))


def test_networks_that_do_not_fit_are_refused():
    model = cyclegan()
    g, f, d_a, d_b = (getattr(model, name) for name in model.networks)
    with pytest.raises(ValueError, match="discriminator_b must take one picture.*conditional"):
        CycleGAN(g, f, d_a, patchgan(16, conditional=True, layers=1, filters=4))
    with pytest.raises(ValueError, match=r"generator_ba must.*\(None, 8, 8, 3\)"):
        CycleGAN(g, resnet(8, filters=4, blocks=1), d_a, d_b)
    with pytest.raises(ValueError, match="networks of their own"):
        CycleGAN(g, g, d_a, d_b)
