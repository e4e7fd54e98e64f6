import keras
import numpy as np
import pytest
import tensorflow as tf

from companion.callbacks import ImageMonitor, LinearDecay

SOURCE = np.linspace(-1, 1, 2 * 4 * 4 * 3, dtype="float32").reshape(2, 4, 4, 3)


class Brighter(keras.Model):
    """A stand-in for a translation model: one weight, which training raises."""

    def build(self, shape):
        self.shift = self.add_weight(shape=(), initializer="zeros")

    def call(self, x, training=False):
        return keras.ops.tanh(x + self.shift) + (1000.0 if training else 0.0)

    def train_step(self, data):
        self.shift.assign_add(0.5)
        return {"shift": self.shift}


def fit(callback, epochs):
    model = Brighter()
    model.compile()
    model.build(SOURCE.shape)
    model.fit(
        tf.data.Dataset.from_tensors((SOURCE, SOURCE)),
        epochs=epochs,
        verbose=0,
        shuffle=False,
        callbacks=[callback],
    )


def test_monitor_keeps_what_the_model_made_of_the_source_after_each_epoch():
    monitor = ImageMonitor(SOURCE)
    fit(monitor, epochs=3)
    assert list(monitor.snapshots) == [1, 2, 3]
    for epoch, pictures in monitor.snapshots.items():
        expected = np.round((np.tanh(SOURCE + 0.5 * epoch) + 1) * 127.5)
        assert pictures.dtype == np.uint8
        np.testing.assert_allclose(pictures, expected, atol=1)


def test_monitor_writes_strips_that_read_back(tmp_path):
    monitor = ImageMonitor(SOURCE, folder=tmp_path / "samples")
    fit(monitor, epochs=2)
    written = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert written == ["epoch_0001.png", "epoch_0002.png"]
    strip = keras.utils.img_to_array(keras.utils.load_img(tmp_path / "samples/epoch_0002.png"))
    np.testing.assert_array_equal(strip, np.concatenate(monitor.snapshots[2], axis=1))


def test_linear_decay_is_constant_then_falls_to_zero_and_stays_there():
    rate = LinearDecay(2e-4, constant_steps=100, decay_steps=50)
    steps = [0, 99, 100, 125, 150, 1000]
    np.testing.assert_allclose(
        [float(rate(step)) for step in steps], [2e-4, 2e-4, 2e-4, 1e-4, 0, 0], atol=1e-10
    )


def test_linear_decay_drives_an_optimizer_and_survives_saving():
    adam = keras.optimizers.Adam(LinearDecay(1.0, constant_steps=0, decay_steps=4))
    adam = keras.optimizers.Adam.from_config(adam.get_config())
    adam.iterations.assign(3)
    assert float(adam.learning_rate) == pytest.approx(0.25)
