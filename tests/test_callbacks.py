import keras
import numpy as np
import pytest
import tensorflow as tf

from companion.callbacks import ImageMonitor
from companion.discriminators import patchgan
from companion.generators import unet
from companion.pix2pix import Pix2Pix

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


def test_monitor_watches_pix2pix():
    keras.utils.set_random_seed(0)
    model = Pix2Pix(unet(8, filters=2), patchgan(8, conditional=True, layers=1, filters=2))
    model.compile()
    rng = np.random.default_rng(0)
    source, target = rng.uniform(-1, 1, (2, 4, 8, 8, 3)).astype("float32")
    monitor = ImageMonitor(source[:3])
    model.fit(source, target, batch_size=2, epochs=2, verbose=0, callbacks=[monitor])
    assert list(monitor.snapshots) == [1, 2]
    now = np.rint((model.predict(source[:3], verbose=0) + 1) * 127.5)
    np.testing.assert_allclose(monitor.snapshots[2], now, atol=1)
    assert (monitor.snapshots[1] != monitor.snapshots[2]).any()


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 4, 4, 3), "uint8"), 127.5 * SOURCE, np.nan * SOURCE]
)
def test_monitor_refuses_pictures_of_another_type_or_range(wrong):
    with pytest.raises(ValueError, match=r"ImageMonitor wants float pictures in \[-1, 1\], not"):
        ImageMonitor(wrong)


def test_monitor_refuses_pictures_of_another_size_before_training():
    model = Pix2Pix(unet(8, filters=2), patchgan(8, conditional=True, layers=1, filters=2))
    model.compile()
    pictures = np.zeros((1, 8, 8, 3), "float32")
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(ValueError, match=r"Pix2Pix wants pictures.*\(8, 8, 3\).*\(2, 4, 4, 3\)"):
        model.fit(pictures, pictures, verbose=0, callbacks=[ImageMonitor(SOURCE)])
    assert all((old == new.numpy()).all() for old, new in zip(before, model.weights))
