import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from companion import features, losses, style_transfer
from companion.pictures import denormalize, normalize

LAYERS = {"content_layer": "block2_conv1", "style_layers": ["block1_conv1", "block2_conv1"]}
CONTENT = style_transfer.swirls(32, seed=1, vortices=1, strokes=50)
STYLE = style_transfer.swirls(48, seed=2, vortices=2, strokes=200)[:40]


@pytest.fixture(scope="module", autouse=True)
def one_network():
    """The same network for the same arguments: loading its weights takes half a second."""
    original, kept = features.vgg, {}

    def vgg(*arguments):
        key = str(arguments)
        if key not in kept:
            kept[key] = original(*arguments)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "vgg", vgg)
        yield


def stylize(**options):
    options = {"steps": 1, "verbose": 0, **LAYERS, **options}
    return style_transfer.stylize(CONTENT, STYLE, **options)


@pytest.mark.parametrize("optimizer", style_transfer.OPTIMIZERS)
def test_painting_lowers_the_loss(optimizer):
    painting = stylize(steps=12, optimizer=optimizer, every=4)
    assert painting.picture.shape == CONTENT.shape and painting.picture.dtype == "uint8"
    total = painting.history["total"]
    assert len(total) == 13 and total[-1] < 0.7 * total[0]
    assert list(painting.snapshots) == [0, 4, 8, 12]
    np.testing.assert_array_equal(painting.snapshots[0], CONTENT)
    np.testing.assert_array_equal(painting.snapshots[12], painting.picture)
    assert np.all(np.diff(painting.history["passes"]) >= 1) and painting.history["passes"][0] == 1
    assert np.all(np.diff(painting.history["seconds"]) > 0)


@pytest.mark.parametrize("optimizer", style_transfer.OPTIMIZERS)
def test_the_last_entry_of_the_history_is_the_picture_s_own_loss(optimizer):
    painting = stylize(steps=3, optimizer=optimizer)
    again = stylize(start=painting.picture)  # rounded to whole numbers
    for name in ("content", "style"):
        assert again.history[name][0] == pytest.approx(painting.history[name][-1], rel=0.05)


def test_terms_are_those_of_the_losses_divided_by_their_targets():
    weights = {"content_weight": 0.5, "style_weight": 3.0, "total_variation_weight": 7.0}
    first = {
        name: values[0]
        for name, values in stylize(start="style", pooling="max", **weights).history.items()
    }
    vgg = features.vgg(["block2_conv1", "block1_conv1"], "max")
    start = normalize(np.asarray(Image.fromarray(STYLE).resize((32, 32), Image.Resampling.LANCZOS)))
    content, style, picture = (
        {layer: array.numpy().astype("float64") for layer, array in vgg(each[None]).items()}
        for each in (normalize(CONTENT), normalize(STYLE), start)
    )
    target, seen = content["block2_conv1"], picture["block2_conv1"]
    expected = 0.5 * np.mean((target - seen) ** 2) / np.mean(target**2)
    assert first["content"] == pytest.approx(expected, rel=1e-3)

    def gram(features):
        flat = features.reshape(-1, features.shape[-1])
        return flat.T @ flat / len(flat)

    shares = [
        np.sum((gram(style[layer]) - gram(picture[layer])) ** 2) / np.sum(gram(style[layer]) ** 2)
        for layer in LAYERS["style_layers"]
    ]
    assert first["style"] == pytest.approx(3 * np.mean(shares), rel=1e-3)
    smooth = 7 * float(losses.total_variation(start[None]))
    assert first["total_variation"] == pytest.approx(smooth, rel=1e-5)
    total = first["content"] + first["style"] + first["total_variation"]
    assert first["total"] == pytest.approx(total, rel=1e-5)


def test_starts():
    assert stylize().history["content"][0] == pytest.approx(0, abs=1e-6)
    style = stylize(start="style").history
    noise = stylize(start="noise").history
    assert style["style"][0] < 0.1 < noise["style"][0]
    assert noise["content"][0] == stylize(start="noise").history["content"][0]
    assert noise["content"][0] != stylize(start="noise", seed=1).history["content"][0]


def test_targets_cost_no_pass_in_a_step(monkeypatch):
    """Two passes for the targets, one trace of the loss; then the network's Python is silent."""
    counted, original = [], features.vgg

    def vgg(*arguments):
        model = original(*arguments)
        return lambda pictures: counted.append(pictures.shape) or model(pictures)

    monkeypatch.setattr(features, "vgg", vgg)
    stylize(steps=4)
    assert counted == [(1, 32, 32, 3), (1, 40, 48, 3), (1, 32, 32, 3)]


def to(colour):
    return lambda picture: {"error": tf.reduce_sum(tf.square(picture - colour))}


@pytest.mark.parametrize("optimizer", style_transfer.OPTIMIZERS)
def test_minimize_takes_any_loss_and_stays_in_range(optimizer):
    start = np.full((32, 40, 3), 128, np.uint8)
    for colour, expected in {0.5: 191, 3.0: 255, -3.0: 0}.items():
        painting = style_transfer.minimize(to(colour), start, 60, optimizer, verbose=0)
        assert painting.picture.shape == start.shape
        np.testing.assert_allclose(painting.picture.astype(int), expected, atol=2)


def test_adam_s_learning_rate_is_the_first_step():
    start = np.full((32, 32, 3), 128, np.uint8)
    painting = style_transfer.minimize(to(1.0), start, 1, "adam", 0.2, verbose=0)
    expected = denormalize(normalize(start) + np.float32(0.2)).astype(int)
    np.testing.assert_allclose(painting.picture.astype(int), expected, atol=1)


def test_a_progress_bar(capsys):
    start = np.full((32, 32, 3), 128, np.uint8)
    style_transfer.minimize(to(1.0), start, 2, "adam", verbose=0)
    assert capsys.readouterr().out == ""
    style_transfer.minimize(to(1.0), start, 2, "adam")
    assert "Painting: 100%" in capsys.readouterr().out


def test_it_paints_in_float32_under_mixed_precision():
    expected = stylize()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        painting = stylize()
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(painting.picture, expected.picture)


def test_adaptive_instance_normalization_gives_the_style_s_statistics():
    rng = np.random.default_rng(0)
    content = rng.normal(5, 2, (2, 8, 9, 3)).astype("float32")
    style = rng.gamma(2, [1, 2, 3], (2, 6, 5, 3)).astype("float32")
    output = style_transfer.adaptive_instance_normalization(content, style).numpy()
    np.testing.assert_allclose(output.mean((1, 2)), style.mean((1, 2)), rtol=1e-3)
    np.testing.assert_allclose(output.std((1, 2)), style.std((1, 2)), rtol=1e-3)
    order = np.argsort(content[0, ..., 1].ravel())  # what was brightest stays brightest
    np.testing.assert_array_equal(np.argsort(output[0, ..., 1].ravel()), order)
    with pytest.raises(ValueError, match=r"not \(2, 8, 9, 3\) and \(2, 6, 5, 2\)"):
        style_transfer.adaptive_instance_normalization(content, style[..., :2])


def test_read(tmp_path):
    wide = np.zeros((50, 100, 3), np.uint8)
    wide[:, 20:80] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert style_transfer.read(tmp_path / "wide.png", 80).shape == (40, 80, 3)
    middle = style_transfer.read(tmp_path / "wide.png", 64, square=True)
    assert middle.shape == (64, 64, 3) and middle.min() > 250
    with pytest.raises(ValueError, match="wide.png would have 40x20 pixels"):
        style_transfer.read(tmp_path / "wide.png", 40)
    with pytest.raises(ValueError, match="size is 20; pass a whole number from 32 on"):
        style_transfer.read(tmp_path / "wide.png", 20)
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(ValueError, match="text.png cannot be read as a picture"):
        style_transfer.read(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError, match="There is no file .*missing.png: check the path"):
        style_transfer.read(tmp_path / "missing.png")


def test_swirls():
    picture = style_transfer.swirls(64)
    assert picture.shape == (64, 64, 3) and picture.dtype == "uint8"
    np.testing.assert_array_equal(picture, style_transfer.swirls(64))
    assert np.any(picture != style_transfer.swirls(64, seed=1))
    red, _, blue = picture.reshape(-1, 3).astype(int).T
    assert 0.02 < np.mean(red > blue + 50) < 0.3 and np.mean(blue > red + 50) > 0.5
    with pytest.raises(ValueError, match="vortices is 0"):
        style_transfer.swirls(64, vortices=0)


GREY = np.full((32, 32, 3), 128, np.uint8)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"content": GREY[..., :1]}, r"content is uint8 \(32, 32, 1\); pass one picture"),
        ({"content": GREY[None]}, r"content is uint8 \(1, 32, 32, 3\)"),
        ({"style": GREY / 255}, r"style is float64 \(32, 32, 3\); pass one picture, uint8"),
        ({"style": GREY[:31]}, "style has 31x32 pixels; a side needs 32"),
        ({"steps": 0}, "steps is 0; pass a whole number"),
        ({"every": 0}, "every is 0; pass a whole number"),
        ({"optimizer": "sgd"}, 'optimizer is \'sgd\'; choose "lbfgs" or "adam"'),
        ({"learning_rate": 0}, "learning_rate is 0; pass a number above 0"),
        ({"start": "black"}, 'start is \'black\'; choose "content", "style", "noise"'),
        ({"start": STYLE}, r"start is \(40, 48, 3\), the content \(32, 32, 3\)"),
        ({"style_weight": -1}, "style_weight is -1; pass a number from 0 on"),
        ({"content_weight": float("nan")}, "content_weight is nan"),
        ({"content_layer": "block9_conv1"}, "layers is .*pass a list of some of block1_conv1"),
        ({"style_layers": "block1_conv1"}, "style_layers is 'block1_conv1'; pass a list"),
        ({"style_layers": []}, r"style_layers is \[\]; pass a list"),
        ({"pooling": "median"}, "pooling is 'median'"),
    ],
)
def test_bad_input_is_refused(options, message):
    arguments = {"content": GREY, "style": GREY, "verbose": 0, "steps": 1, **LAYERS, **options}
    with pytest.raises(ValueError, match=message):
        style_transfer.stylize(**arguments)
