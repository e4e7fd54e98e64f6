"""Neural style transfer: a picture is trained, and the network stays as it is (Gatys et al. 2016).

`stylize` paints a photo in the style of a picture; `minimize` is the training of pixels in it,
for any loss; `swirls` draws a style picture and `read` takes one from a file.
"""

import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import scipy.optimize
import tensorflow as tf
from PIL import Image, ImageDraw, ImageOps

from companion import features, losses
from companion._checks import whole_number
from companion._sources import progress
from companion.folders import _read_picture
from companion.pictures import denormalize, normalize

STYLE_LAYERS = tuple(f"block{block}_conv1" for block in range(1, 6))
OPTIMIZERS = "lbfgs", "adam"
_SMALLEST = 32  # pixels a side that VGG's five blocks need


class Painting(NamedTuple):
    """What `stylize` and `minimize` return.

    picture:   uint8 (H, W, 3)
    history:   {name: values}, one value before the first step and one after each: the weighted
               "content", "style" and "total_variation" (or the terms passed to `minimize`), their
               sum "total", and "passes" and "seconds" until then
    snapshots: {step: uint8 (H, W, 3)}
    """

    picture: np.ndarray
    history: dict
    snapshots: dict


def stylize(
    content,
    style,
    steps=150,
    optimizer="lbfgs",
    start="content",
    content_weight=1.0,
    style_weight=2.0,
    total_variation_weight=0.0,
    content_layer="block4_conv2",
    style_layers=STYLE_LAYERS,
    pooling="average",
    network="vgg16",
    learning_rate=0.05,
    every=None,
    seed=0,
    verbose=1,
):
    """Paint the content of one picture in the style of another; return a `Painting`.

    content, style: uint8 (H, W, 3), at least 32x32; the style may have another size
    steps:          150 at 256x256 take about a minute on two cores
    optimizer:      "lbfgs" or "adam", see `minimize`
    start:          "content", "style" (resized), "noise" around grey, or a picture as large as
                    the content
    ..._weight:     numbers from 0 on. A content or style of 1 stands for features that are all
                    zero, since both terms are divided by what those would cost; of the style,
                    each layer is divided by its own and counts the same.
    content_layer, style_layers, pooling, network: see `features.vgg`
    learning_rate, every, verbose: see `minimize`
    seed:           of the noise

    Targets are computed once, so that a step is one pass through the network and one back.

    Raises ValueError for pictures of another shape or type and for unknown or impossible options,
    OSError where VGG's weights are missing.
    Source: Gatys et al. 2016, sections 2.1 to 2.3; the terms are those of `losses`.
    """
    content, style = _checked("content", content), _checked("style", style)
    weights = {
        "content": content_weight,
        "style": style_weight,
        "total_variation": total_variation_weight,
    }
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{name}_weight is {weight!r}; pass a number from 0 on.")
    first = _first(start, content, style, seed)
    if isinstance(style_layers, str) or not style_layers:
        raise ValueError(f"style_layers is {style_layers!r}; pass a list of names.")
    layers = list(dict.fromkeys([content_layer, *style_layers]))
    vgg = features.vgg(layers, pooling, network)

    content_target = vgg(normalize(content[None]))[content_layer]
    style_features = vgg(normalize(style[None]))
    style_target = {layer: losses.gram_matrix(style_features[layer]) for layer in style_layers}
    content_scale = content_weight / float(losses.l2(content_target, 0.0))
    style_scales = {
        layer: style_weight / len(style_target) / float(tf.reduce_sum(tf.square(matrix)))
        for layer, matrix in style_target.items()
    }

    def terms(picture):
        seen = vgg(picture)
        return {
            "content": content_scale * losses.content(content_target, seen[content_layer]),
            "style": losses.style(style_target, seen, style_scales),
            "total_variation": total_variation_weight * losses.total_variation(picture),
        }

    return minimize(terms, first, steps, optimizer, learning_rate, every, verbose)


def minimize(terms, start, steps=150, optimizer="lbfgs", learning_rate=0.05, every=None, verbose=1):
    """Change the pixels of a picture so that a loss falls; return a `Painting`.

    terms:         function of pictures, float32 (1, H, W, 3) in [-1, 1], that returns {name: term},
                   float32 scalars; their sum is the loss
    start:         uint8 (H, W, 3), the picture to begin with
    optimizer:     "lbfgs" for SciPy's L-BFGS-B, which learns the loss's curvature from the last
                   ten steps (Zhu et al. 1997) and ends early when it finds no lower point; or
                   "adam", whose pixels are clipped to [-1, 1] after each step
    learning_rate: of Adam
    every:         keep a snapshot every so many steps, or None
    verbose:       1 for a progress bar, 0 for none

    Raises ValueError for unknown or impossible options.
    """
    start = _checked("start", start)
    whole_number("steps", steps)
    if every is not None:
        whole_number("every", every)
    if optimizer not in OPTIMIZERS:
        raise ValueError(f'optimizer is {optimizer!r}; choose "lbfgs" or "adam".')
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"learning_rate is {learning_rate!r}; pass a number above 0.")

    @tf.function(autograph=False)
    def evaluate(picture):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            values = {name: tf.cast(value, "float32") for name, value in terms(picture).items()}
            values["total"] = tf.add_n(list(values.values()))
        return values, tape.gradient(values["total"], picture)

    first = normalize(start[None])
    evaluate.get_concrete_function(tf.TensorSpec(first.shape))  # compiled before the clock starts
    history, snapshots, passes, began = {}, {}, 0, time.perf_counter()
    bar = progress(None, "Painting", total=steps, disable=not verbose)

    def loss(picture):
        nonlocal passes
        passes += 1
        values, gradient = evaluate(tf.cast(tf.reshape(picture, first.shape), "float32"))
        return {name: float(value) for name, value in values.items()}, gradient.numpy()

    def remember(picture, values):
        step = len(history["total"]) if history else 0
        clock = {"passes": passes, "seconds": time.perf_counter() - began}
        for name, value in {**values, **clock}.items():
            history.setdefault(name, []).append(value)
        if every and step % every == 0:
            snapshots[step] = denormalize(np.reshape(picture, start.shape))
        if step:
            bar.update()
            bar.set_postfix(loss=f"{values['total']:.4f}", refresh=False)

    descend = _lbfgs if optimizer == "lbfgs" else _adam
    with bar:
        last = descend(loss, remember, first, steps, learning_rate)
    return Painting(denormalize(np.reshape(last, start.shape)), history, snapshots)


def _lbfgs(loss, remember, first, steps, _):
    values = None

    def function(pixels):
        nonlocal values
        is_first = values is None
        values, gradient = loss(pixels)
        if is_first:
            remember(pixels, values)
        return values["total"], gradient.ravel().astype("float64")

    # When it calls back, the point that it asked about last is the one that it accepts.
    result = scipy.optimize.minimize(
        function,
        first.ravel().astype("float64"),
        jac=True,
        method="L-BFGS-B",
        bounds=scipy.optimize.Bounds(-1, 1),
        callback=lambda pixels: remember(pixels, values),
        options={"maxiter": steps, "maxfun": 20 * steps, "ftol": 0, "gtol": 0},
    )
    return result.x


def _adam(loss, remember, first, steps, learning_rate):
    picture = tf.Variable(first)
    adam = keras.optimizers.Adam(learning_rate)
    for step in range(steps + 1):
        values, gradient = loss(picture)
        remember(picture.numpy(), values)
        if step < steps:
            adam.apply_gradients([(gradient, picture)])
            picture.assign(tf.clip_by_value(picture, -1, 1))
    return picture.numpy()


def adaptive_instance_normalization(content, style, epsilon=1e-5):
    """Return the content's features with the mean and spread, per channel, of the style's.

    content, style: (N, H, W, C), one layer of a `features.vgg`; heights and widths may differ

    Raises ValueError for other shapes.
    Source: Huang and Belongie 2017, equation 8.
    """
    content, style = (tf.cast(each, "float32") for each in (content, style))
    if len(content.shape) != 4 or len(style.shape) != 4 or content.shape[-1] != style.shape[-1]:
        raise ValueError(
            f"content and style are (N, H, W, C) with the same C, not {tuple(content.shape)} and "
            f"{tuple(style.shape)}: take one layer for both."
        )
    mean, variance = tf.nn.moments(content, (1, 2), keepdims=True)
    style_mean, style_variance = tf.nn.moments(style, (1, 2), keepdims=True)
    scale = tf.sqrt(style_variance + epsilon) / tf.sqrt(variance + epsilon)
    return (content - mean) * scale + style_mean


def read(path, size=256, square=False):
    """Return a picture file as uint8 (H, W, 3), its longer side `size` pixels.

    square: True cuts the largest square out of the middle first

    Raises ValueError for a file that is no picture, and where a side would be below 32 pixels,
    FileNotFoundError for a missing one.
    """
    whole_number("size", size, _SMALLEST)
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no file {path}: check the path.")
    image = _read_picture(path)
    side = min(image.size) if square else max(image.size)
    shape = (size, size) if square else [round(length * size / side) for length in image.size]
    if min(shape) < _SMALLEST:
        raise ValueError(
            f"{path} would have {shape[0]}x{shape[1]} pixels, and a side needs {_SMALLEST}: "
            f"pass a larger size, or square=True."
        )
    return np.asarray(ImageOps.fit(image, shape, Image.Resampling.LANCZOS))


def swirls(size=256, seed=0, vortices=9, strokes=5000):
    """Draw brush strokes that follow a flow with vortices, blue with yellow cores.

    Returns uint8 (size, size, 3): a style picture of our own, after Van Gogh's night sky.

    Raises ValueError for what is not a whole number, for size from 32 on.
    """
    whole_number("size", size, _SMALLEST)
    whole_number("vortices", vortices)
    whole_number("strokes", strokes)
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (vortices, 2))
    radii = rng.uniform(0.05, 0.15, vortices)
    turns = 3 * rng.choice([-1, 1], vortices)
    points = [rng.uniform(-0.1, 1.1, (strokes, 2))]  # of all strokes, (strokes, 2): x and y
    for _ in range(8):
        x, y = np.moveaxis(points[-1][:, None] - centres, -1, 0)  # (strokes, vortices)
        far = np.hypot(x, y)
        pull = turns * np.exp(-((far / radii) ** 2)) / (far + 1e-6)
        wave = 0.5 * np.cos(5 * points[-1][:, 0])
        flow = np.stack([1 - (pull * y).sum(axis=1), wave + (pull * x).sum(axis=1)], axis=1)
        points.append(points[-1] + 0.008 * flow / np.linalg.norm(flow, axis=1, keepdims=True))

    far = np.linalg.norm(points[0][:, None] - centres, axis=-1)
    light = rng.uniform(size=strokes) < np.exp(-((far / radii / 0.6) ** 2)).max(axis=1)
    blues = (16, 30, 84), (30, 64, 140), (52, 104, 178), (110, 160, 205), (190, 212, 214)
    yellows = (232, 176, 44), (248, 214, 92), (252, 238, 170)
    blue = rng.choice(blues, strokes, p=[0.27, 0.28, 0.22, 0.15, 0.08])
    colours = np.where(light[:, None], rng.choice(yellows, strokes), blue)
    colours = np.clip(colours + rng.normal(0, 10, (strokes, 1)), 0, 255).astype(int)

    side = 4 * size  # drawn large and reduced, so that edges are smooth
    image = Image.new("RGB", (side, side), (24, 48, 110))
    draw = ImageDraw.Draw(image)
    for line, colour in zip(np.stack(points, axis=1) * side, colours):
        draw.line([tuple(point) for point in line], tuple(colour), side // 110, joint="curve")
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))


def _checked(name, picture):
    """Return a picture; raise ValueError for one that is not uint8 (H, W, 3) and large enough."""
    picture = np.asarray(picture)
    if picture.dtype != "uint8" or picture.ndim != 3 or picture.shape[-1] != 3:
        raise ValueError(
            f"{name} is {picture.dtype} {picture.shape}; pass one picture, uint8 (H, W, 3), as "
            f"read and denormalize return."
        )
    if min(picture.shape[:2]) < _SMALLEST:
        raise ValueError(
            f"{name} has {picture.shape[0]}x{picture.shape[1]} pixels; a side needs {_SMALLEST}, "
            f"because VGG halves it four times."
        )
    return picture


def _first(start, content, style, seed):
    """Return the picture that the optimizer begins with, as large as the content."""
    height, width = content.shape[:2]
    if not isinstance(start, str):
        start = _checked("start", start)
        if start.shape != content.shape:
            raise ValueError(f"start is {start.shape}, the content {content.shape}: resize it.")
        return start
    if start == "content":
        return content
    if start == "style":
        resized = Image.fromarray(style).resize((width, height), Image.Resampling.LANCZOS)
        return np.asarray(resized)
    if start == "noise":
        grey = np.random.default_rng(seed).normal(128, 25, content.shape)  # little to undo
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    raise ValueError(f'start is {start!r}; choose "content", "style", "noise", or pass a picture.')
