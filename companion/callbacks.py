"""What to do while a model trains: keep sample pictures."""

from pathlib import Path

import keras
import numpy as np

from companion.pictures import _check_range, denormalize


class ImageMonitor(keras.callbacks.Callback):
    """Translate the same pictures after every epoch and keep the results.

    source:    float32 (N, H, W, C) in [-1, 1]
    folder:    where to write a strip of them as epoch_0001.png and so on, for runs that you watch
               from outside; None to write nothing

    `snapshots` maps epoch (from 1) to uint8 pictures (N, H, W, C).

    Raises ValueError for pictures of another type or range, and when training begins for those
    that the model does not take.
    """

    def __init__(self, source, folder=None):
        super().__init__()
        _check_range("ImageMonitor", np.asarray(source))
        self.source = source
        self.folder = folder
        self.snapshots = {}

    def on_train_begin(self, logs=None):
        self.model(self.source, training=False)  # complains now, not after an epoch

    def on_epoch_end(self, epoch, logs=None):
        output = keras.ops.convert_to_numpy(self.model(self.source, training=False))
        self.snapshots[epoch + 1] = pictures = denormalize(output)
        if self.folder:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            strip = np.concatenate(pictures, axis=1)
            keras.utils.save_img(f"{self.folder}/epoch_{epoch + 1:04d}.png", strip, scale=False)
