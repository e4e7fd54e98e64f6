"""Write what the explorer `paint` has from the recorded network; `make paint`.

Its weights, rounded to eight bits, are one script for all pages, book/_static/paint.js. It sets
window.paintWeights: the shapes of the kernels (height, width, channels in, channels out) in the
order in which the U-Net uses them, and base64 of, for each convolution, its scales and its biases
(float32, little-endian, one of each for every channel out), and behind all of these the kernels as
whole numbers (int8). A kernel is its whole numbers times its scales.

The picture of its first example, shown where nothing can be painted, is part of its HTML.
"""

import base64
import io
import json
import re

import keras
import numpy as np
from notebooks import BOOK, ROOT
from PIL import Image

from companion import data, earth, recorded

WEIGHTS = BOOK / "_static" / "paint.js"
EXPLORER = ROOT / "companion" / "explorers" / "paint.html"
RECORDING = "earth"
SCRIPT = """// The recorded network "%s", for the explorer "paint". Written by `make paint`.
window.paintWeights = {
  "shapes": %s,
  "base64": "%s"
};
"""


def convolutions(model):
    """The convolutions of a network, in the order in which it uses them."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def eight_bits(kernel):
    """A kernel as whole numbers from -127 to 127 and one scale for each channel out."""
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    scale = np.where(largest > 0, largest / 127, 1).astype("<f4")
    return np.rint(kernel / scale).astype("int8"), scale


def script(model):
    """The text of the file of weights for a U-Net."""
    shapes, floats, kernels = [], [], []
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        whole, scale = eight_bits(kernel)
        shapes.append(list(kernel.shape))
        floats += [scale, bias.astype("<f4")]
        kernels.append(whole)
    content = b"".join(array.tobytes() for array in floats + kernels)
    return SCRIPT % (RECORDING, json.dumps(shapes), base64.b64encode(content).decode())


def rounded(model):
    """The same network with the weights that the file has."""
    for layer in convolutions(model):
        kernel, bias = layer.get_weights()
        whole, scale = eight_bits(kernel)
        layer.set_weights([whole * scale, bias])
    return model


def examples(html):
    """The explorer's examples as numbers of brushes, {name: (64, 64)}."""
    found = re.findall(r'data-map="([^"]*)">([^<]*)<', html)
    return {name: unpack(text) for text, name in found}


def unpack(text):
    """The numbers of brushes, (64, 64), in a text such as "a9j14": nine cells of the first."""
    runs = re.findall(r"([a-j])(\d+)", text)
    numbers = [ord(brush) - ord("a") for brush, _ in runs]
    return np.repeat(numbers, [int(length) for _, length in runs]).reshape(64, 64)


def translate(model, brushes):
    """The satellite pictures, (N, 64, 64, 3) in [-1, 1], of maps given as numbers of brushes."""
    return model.predict(data.normalize(earth.paint(brushes)), verbose=0)


def with_picture(html, model):
    """The explorer's HTML with what a network paints of its first example."""
    first = next(iter(examples(html).values()))
    png = io.BytesIO()
    picture = data.denormalize(translate(model, first[None]))[0]
    Image.fromarray(picture).save(png, "PNG", optimize=True)
    # Two slashes would look like an address.
    text = base64.b64encode(png.getvalue()).decode().replace("//", "/%2F")
    return re.sub(
        r'(<img class="picture"[^>]* src="data:image/png;base64,)[^"]*', rf"\g<1>{text}", html
    )


if __name__ == "__main__":
    network = recorded.load(RECORDING)
    WEIGHTS.write_text(script(network), encoding="utf-8")
    html = EXPLORER.read_text(encoding="utf-8")
    EXPLORER.write_text(with_picture(html, rounded(network)), encoding="utf-8")
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size:,} bytes")
