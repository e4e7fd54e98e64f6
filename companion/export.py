"""A trained generator as a file: for Keras, and for machines without Keras.

`generator.save("x.keras")` keeps one for Keras. `to_onnx` and `to_litert` write the formats of ONNX
Runtime (servers, browsers) and LiteRT (phones), and `load_translator` runs any of the three. They
need `pip install tf2onnx onnxruntime` and `pip install ai-edge-litert`.
"""

import contextlib
import importlib
import os
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from companion import recorded
from companion.pictures import denormalize, normalize
from companion.translator import Translator


def any_size(generator):
    """Return a copy of a generator that takes pictures (N, H, W, C) of any height and width.

    A ResNet rounds both up to multiples of 4. A U-Net takes multiples of the size that it was built
    for, at most 256: others it cannot halve as often as it wants to.
    """
    return _copy(generator, keras.Input((None, None, generator.input.shape[-1])))


def to_onnx(generator, path):
    """Write a generator as an ONNX file, for float32 pictures (N, H, W, C) in [-1, 1].

    Raises ValueError for a path that does not end in .onnx, ImportError without tf2onnx.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras asks NumPy for its former names
        _export(generator, path, ".onnx", format="onnx")


def to_litert(generator, path, quantize=False):
    """Write a generator as a LiteRT file (formerly TensorFlow Lite), for pictures as in `to_onnx`.

    quantize: keep the weights in 8 bits instead of 32, which makes the file a quarter as large;
              pictures and what lies between the layers stay floating-point

    Raises ValueError for a path that does not end in .tflite.
    """
    options = {"optimizations": [tf.lite.Optimize.DEFAULT]} if quantize else {}
    _export(generator, path, ".tflite", format="litert", **options)


def load_generator(model):
    """Return the generator in a .keras file, or of a recording such as "earth".

    Of a saved `Pix2Pix` or `CycleGAN` it is the one that translates.

    Raises ValueError for what is neither, FileNotFoundError for a file that is missing.
    """
    path = Path(model)
    if path.suffix == "":
        loaded = recorded.load(str(model))
    else:
        check_suffix(path, ".keras")
        loaded = _read(path, lambda: keras.models.load_model(path, compile=False))
    if isinstance(loaded, Translator):
        loaded = getattr(loaded, loaded.networks[0])
    shapes = [tuple(x.shape) for x in [*loaded.inputs, *loaded.outputs]]
    if len(shapes) != 2 or any(len(shape) != 4 or shape[-1] != 3 for shape in shapes):
        raise ValueError(
            f"{model} holds no generator, which would take a picture (N, H, W, 3) and return "
            f"another, but a network from {shapes[0]} to {shapes[-1]}: name a generator's file."
        )
    return loaded


def load_translator(model):
    """Return the `PictureTranslator` in a .keras, .onnx or .tflite file, or of a recording.

    Raises ValueError for what is none of them, FileNotFoundError for a file that is missing,
    ImportError without the package that runs it.
    """
    path = Path(model)
    if path.suffix == ".onnx":
        shape, run = _onnx(path)
    elif path.suffix == ".tflite":
        shape, run = _litert(path)
    else:
        generator = load_generator(model)
        shape, run = generator.input.shape, generator.predict_on_batch
    if len(shape) != 4 or shape[-1] != 3:
        raise ValueError(
            f"{model} holds no generator, which would take pictures (N, H, W, 3), but one for "
            f"{tuple(shape)}: name a file that companion.export has written."
        )
    return PictureTranslator(model, shape[1:], run)


class PictureTranslator:
    """A generator from a file: called with uint8 pictures (N, H, W, C), it returns uint8 pictures.

    shape: (H, W, C) of the pictures that it takes; None where every number will do

    `run` does the same for float32 pictures in [-1, 1], to compare numbers before they are rounded.
    Both go picture by picture, so that many need no more memory than one.
    Raises ValueError for pictures of another type or shape.
    """

    def __init__(self, name, shape, run):
        self.name = name
        self.shape = tuple(n if isinstance(n, int) and n > 0 else None for n in shape)
        self._run = run

    def run(self, pictures):
        return np.concatenate([self._run(picture[None]) for picture in pictures])

    def __call__(self, pictures):
        given = np.shape(pictures)
        fits = len(given) == 4 and all(n in (None, m) for n, m in zip(self.shape, given[1:]))
        if not fits or not given[0]:
            raise ValueError(
                f"{self.name} takes pictures (N, H, W, C), N from 1 on, with {self.shape} for "
                f"each, not {given}: resize them."
            )
        pictures = normalize(pictures)
        try:
            output = self.run(pictures)
        except Exception as error:  # each of the three has its own
            reason, *_ = f"{error}".strip().split("\n")
            raise ValueError(
                f"{self.name} cannot translate pictures of shape {given}: crop or resize them to "
                f"the multiples that companion.export.any_size names, or to larger ones "
                f"({reason})."
            ) from error
        return denormalize(output)[:, : given[1], : given[2]]  # without what was rounded up


def _onnx(path):
    runtime = _package("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, and need not be printed too
    session = _read(path, lambda: runtime.InferenceSession(path, options))
    source = session.get_inputs()[0]
    return source.shape, lambda picture: session.run(None, {source.name: picture})[0]


def _litert(path):
    litert = _package("ai_edge_litert.interpreter")
    cores = os.cpu_count()
    network = _read(path, lambda: litert.Interpreter(str(path), num_threads=cores))
    source, target = network.get_input_details()[0], network.get_output_details()[0]

    def run(picture):
        network.resize_tensor_input(source["index"], picture.shape)
        network.allocate_tensors()
        network.set_tensor(source["index"], picture)
        network.invoke()
        return network.get_tensor(target["index"])

    return [int(n) for n in source["shape_signature"]], run


def _export(generator, path, suffix, **options):
    check_suffix(path, suffix)
    if any(layer.compute_dtype != "float32" for layer in generator.layers):
        generator = _copy(generator, keras.Input(generator.input.shape[1:]))
    signature = [keras.InputSpec(dtype="float32", shape=generator.input.shape, name="source")]
    with whole_file(path) as part:
        generator.export(part, verbose=False, input_signature=signature, **options)


def _copy(generator, image):
    """Return a copy in float32, with the same weights, for another kind of input."""

    def copy(layer):
        config = {**layer.get_config(), "dtype": "float32"}
        if isinstance(layer, keras.layers.Wrapper):
            config["layer"]["config"]["dtype"] = "float32"
        return type(layer).from_config(config)

    copied = keras.models.clone_model(generator, image, clone_function=copy)
    copied.set_weights(generator.get_weights())
    return copied


@contextlib.contextmanager
def whole_file(path):
    """Give a path to write to; what was written becomes `path` at the end, or never.

    Makes the folder where there is none. Raises OSError where nothing can be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        yield Path(folder, path.name)
        os.replace(Path(folder, path.name), path)


def check_suffix(path, suffix):
    if Path(path).suffix != suffix:
        raise ValueError(f"{path} does not end in {suffix}: name a file that does.")


def _read(path, read):
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}: check the path.")
    try:
        return read()
    except Exception as error:  # each library has its own
        raise ValueError(f"{path} cannot be read as {path.suffix} ({error}).") from error


def _package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0].replace("_", "-")
        raise ImportError(f"This needs another package: pip install {package}") from error
