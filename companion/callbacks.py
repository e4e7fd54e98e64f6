"""What to do while a model trains: keep sample pictures, and lower the learning rate."""

from pathlib import Path

import keras
import numpy as np

from companion.data import denormalize


class ImageMonitor(keras.callbacks.Callback):
    """Translate the same pictures after every epoch and keep the results.

    source:    float32 (N, H, W, C) in [-1, 1]
    folder:    where to write a strip of them as epoch_0001.png and so on, for runs that you watch
               from outside; None to write nothing

    `snapshots` maps epoch (from 1) to uint8 pictures (N, H, W, C).
    """

    def __init__(self, source, folder=None):
        super().__init__()
        self.source = source
        self.folder = folder
        self.snapshots = {}

    def on_epoch_end(self, epoch, logs=None):
        output = keras.ops.convert_to_numpy(self.model(self.source, training=False))
        self.snapshots[epoch + 1] = pictures = denormalize(output)
        if self.folder:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            strip = np.concatenate(pictures, axis=1)
            keras.utils.save_img(f"{self.folder}/epoch_{epoch + 1:04d}.png", strip, scale=False)


@keras.saving.register_keras_serializable("companion")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Keep the learning rate for some steps, then lower it to zero along a line.

    CycleGAN paper, section 4: as many epochs constant as falling. A schedule rather than a
    callback, so that it counts the optimizer's own steps and a resumed run goes on where it was.
    """

    def __init__(self, learning_rate, constant_steps, decay_steps):
        self.learning_rate = learning_rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        left = self.constant_steps + self.decay_steps - keras.ops.cast(step, "float32")
        return self.learning_rate * keras.ops.clip(left / self.decay_steps, 0.0, 1.0)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
        }
