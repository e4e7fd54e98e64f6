import keras
import numpy as np
import pytest
import tensorflow as tf

from companion.optimizers import Adam, LinearDecay

RNG = np.random.default_rng(0)


def descend(optimizer, steps=5):
    weights = [keras.Variable(np.linspace(-1, 1, n, dtype="float32")) for n in (7, 12)]
    rng = np.random.default_rng(1)

    @tf.function
    def step(*gradients):
        optimizer.apply_gradients(zip(gradients, weights))

    optimizer.build(weights)
    for _ in range(steps):
        step(*(tf.constant(rng.normal(size=w.shape), "float32") for w in weights))
    return np.concatenate([weight.numpy() for weight in weights])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"weight_decay": 0.1},
        {"clipnorm": 0.1},
        {"amsgrad": True},
        {"use_ema": True, "ema_momentum": 0.5},
        {"learning_rate": LinearDecay(0.01, 2, 3)},
        {"gradient_accumulation_steps": 2},
    ],
)
def test_adam_is_keras_adam(options):
    options = {"learning_rate": 0.01, **options}
    expected = descend(keras.optimizers.Adam(**options))
    assert np.abs(expected - np.r_[np.linspace(-1, 1, 7), np.linspace(-1, 1, 12)]).max() > 0.001
    np.testing.assert_allclose(descend(Adam(**options)), expected, atol=2e-6)


def test_adam_takes_a_step_in_one_operation():
    """The reason why it exists: Keras' chain of operations passes over memory a dozen times."""
    weight = keras.Variable(np.zeros(4, "float32"))
    adam = Adam()
    adam.build([weight])
    graph = tf.function(lambda g: adam.apply_gradients([(g, weight)])).get_concrete_function(
        tf.zeros(4)
    )
    kinds = [operation.type for operation in graph.graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 1 and "Sqrt" not in kinds


def test_linear_decay_is_constant_then_falls_to_zero_and_stays_there():
    rate = LinearDecay(2e-4, constant_steps=100, decay_steps=50)
    steps = [0, 99, 100, 125, 150, 1000]
    np.testing.assert_allclose(
        [float(rate(step)) for step in steps], [2e-4, 2e-4, 2e-4, 1e-4, 0, 0], atol=1e-10
    )


def test_linear_decay_drives_an_optimizer_and_survives_saving():
    adam = Adam(LinearDecay(1.0, constant_steps=0, decay_steps=4))
    adam = Adam.from_config(adam.get_config())
    adam.iterations.assign(3)
    assert float(adam.learning_rate) == pytest.approx(0.25)


@pytest.mark.parametrize("steps", [(-1, 10), (10, 0)])
def test_linear_decay_over_no_steps_is_refused(steps):
    with pytest.raises(ValueError, match="decay_steps of at least 1"):
        LinearDecay(2e-4, *steps)
