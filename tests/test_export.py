import sys

import keras
import numpy as np
import pytest
from trainers import same, weights

from companion import data, export, recorded
from companion.discriminators import patchgan
from companion.generators import resnet, unet
from companion.layers import WeightNormalization
from companion.pix2pix import Pix2Pix


@pytest.fixture(scope="module")
def earth(tmp_path_factory):
    """A folder with the trained generator `earth` as files, what it was given, and its answer."""
    pytest.importorskip("tf2onnx")
    folder = tmp_path_factory.mktemp("earth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(folder / "cache"))
        maps = data.earth(64).test.source[::40]
    generator = recorded.load("earth")
    generator.save(folder / "earth.keras")
    export.to_onnx(generator, folder / "earth.onnx")
    export.to_litert(generator, folder / "eight_bits.tflite", quantize=True)
    return folder, maps, generator.predict(data.normalize(maps), verbose=0)


@pytest.mark.parametrize("suffix", ["keras", "onnx"])
def test_a_file_translates_real_pictures_as_keras_does(earth, suffix):
    folder, maps, expected = earth
    translator = export.load_translator(folder / f"earth.{suffix}")
    assert translator.shape == (64, 64, 3)
    np.testing.assert_allclose(translator.run(data.normalize(maps)), expected, atol=1e-4)
    pictures = translator(maps)
    assert pictures.dtype == np.uint8 and len(pictures) == len(maps) > 5
    np.testing.assert_allclose(pictures, data.denormalize(expected), atol=1)


def test_eight_bits_make_a_quarter_of_the_file_and_pictures_that_differ_a_little(earth):
    folder, maps, expected = earth
    size, full = [(folder / x).stat().st_size for x in ("eight_bits.tflite", "earth.onnx")]
    assert 0.2 < size / full < 0.3
    pictures = export.load_translator(folder / "eight_bits.tflite")(maps)
    difference = np.abs(pictures - data.denormalize(expected).astype(int))
    assert 0.1 < difference.mean() < 1 and difference.max() < 26


def trained(network):
    """A network with weights and statistics as training leaves them, none of them neutral."""
    rng = np.random.default_rng(0)
    network.set_weights(
        [
            w + rng.normal(0, 0.2, w.shape) if w.ndim == 4 else rng.uniform(0.5, 1.5, w.shape)
            for w in network.get_weights()
        ]
    )
    return network


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_any_size_survives_the_way_through_a_file(tmp_path, emoji, suffix):
    pytest.importorskip("tf2onnx")
    generator = trained(resnet(16, filters=2, blocks=1, norm="batch"))
    pictures = emoji.test.target[:4]
    wide = np.concatenate([pictures[:2], pictures[2:]], axis=2)  # (2, 16, 32, 3)
    path = tmp_path / f"any.{suffix}"
    {"onnx": export.to_onnx, "tflite": export.to_litert}[suffix](export.any_size(generator), path)
    translator = export.load_translator(path)
    assert translator.shape == (None, None, 3)
    known = generator.predict(data.normalize(pictures), verbose=0)
    np.testing.assert_allclose(translator.run(data.normalize(pictures)), known, atol=1e-4)
    other = resnet(32, filters=2, blocks=1, norm="batch")
    other.set_weights(generator.get_weights())
    known = other.predict(data.normalize(np.concatenate([wide, wide], axis=1)), verbose=0)
    got = translator.run(data.normalize(np.concatenate([wide, wide], axis=1)))
    np.testing.assert_allclose(got, known, atol=1e-4)
    assert translator(wide).shape == wide.shape


def test_a_size_that_a_unet_cannot_halve_is_refused_in_words(emoji, tmp_path):
    export.any_size(unet(16, filters=2)).save(tmp_path / "any.keras")
    translator = export.load_translator(tmp_path / "any.keras")
    picture = emoji.test.target[:1]
    assert translator(np.concatenate([picture, picture], axis=1)).shape == (1, 32, 16, 3)
    with pytest.raises(ValueError, match=r"any\.keras cannot translate .*\(1, 12, 16, 3\).*crop"):
        translator(picture[:, :12])


def test_a_network_in_half_precision_is_written_in_single(tmp_path, emoji):
    pytest.importorskip("tf2onnx")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = trained(resnet(16, filters=2, blocks=0))
    finally:
        keras.config.set_dtype_policy(policy)
    export.to_onnx(half, tmp_path / "half.onnx")
    single = resnet(16, filters=2, blocks=0)
    single.set_weights(half.get_weights())
    source = data.normalize(emoji.test.target[:2])
    got = export.load_translator(tmp_path / "half.onnx").run(source)
    np.testing.assert_allclose(got, single.predict(source, verbose=0), atol=1e-4)


def test_what_a_wrapper_wraps_is_written_in_single_too():
    image, policy = keras.Input((8, 8, 3)), keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = keras.Model(image, WeightNormalization(keras.layers.Conv2D(3, 1))(image))
    finally:
        keras.config.set_dtype_policy(policy)
    copied = export.any_size(half)
    assert {layer.layer.compute_dtype for layer in copied.layers[1:]} == {"float32"}


def test_what_is_no_generator_is_refused(tmp_path):
    networks = {
        "pair": patchgan(16, conditional=True, layers=1, filters=2),
        "logits": patchgan(16, layers=1, filters=2),
        "grey": unet(16, filters=2, channels=1),
    }
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.keras")
        with pytest.raises(ValueError, match=rf"{name}\.keras holds no generator"):
            export.load_translator(tmp_path / f"{name}.keras")
    with pytest.raises(ValueError, match="earth_recognizer holds no generator"):
        export.load_translator("earth_recognizer")


@pytest.mark.parametrize("shape", [(4,), (3, 16, 16)])
def test_a_file_from_elsewhere_that_is_no_generator_is_refused(tmp_path, shape):
    """Numbers instead of pictures, or channels first, as PyTorch has them."""
    pytest.importorskip("tf2onnx")
    network = keras.Sequential([keras.Input(shape), keras.layers.Dense(shape[-1])])
    network(np.zeros((1, *shape), "float32"))  # which Keras wants before it exports
    network.export(tmp_path / "other.onnx", format="onnx", verbose=False)
    with pytest.raises(ValueError, match=r"other\.onnx holds no generator"):
        export.load_translator(tmp_path / "other.onnx")


def test_no_picture_is_refused_in_words(tmp_path):
    unet(16, filters=2).save(tmp_path / "u.keras")
    translator = export.load_translator(tmp_path / "u.keras")
    with pytest.raises(ValueError, match=r"N from 1 on, .*, not \(0, 16"):
        translator(np.zeros((0, 16, 16, 3), "uint8"))


def test_the_generator_of_a_saved_trainer_and_of_a_recording_is_found(tmp_path):
    model = Pix2Pix(unet(8, filters=2), patchgan(8, conditional=True, layers=1, filters=2))
    model.compile()
    model.save(tmp_path / "model.keras")
    found = export.load_generator(tmp_path / "model.keras")
    assert same(weights(found), weights(model.generator))
    assert export.load_translator("earth").shape == (64, 64, 3)


@pytest.mark.parametrize("suffix", ["keras", "onnx", "tflite"])
def test_files_that_are_none_are_named(tmp_path, suffix):
    pytest.importorskip("onnxruntime")
    path = tmp_path / f"broken.{suffix}"
    with pytest.raises(FileNotFoundError, match=rf"no file .*broken\.{suffix}"):
        export.load_translator(path)
    path.write_bytes(b"no network")
    with pytest.raises(ValueError, match=rf"broken\.{suffix} cannot be read as \.{suffix}"):
        export.load_translator(path)


def test_other_names_and_pictures_are_refused(tmp_path):
    generator = unet(8, filters=2)
    with pytest.raises(ValueError, match=r"x\.tflite does not end in \.onnx"):
        export.to_onnx(generator, "x.tflite")
    with pytest.raises(ValueError, match=r"x\.h5 does not end in \.keras"):
        export.load_translator("x.h5")
    with pytest.raises(ValueError, match=r"no recording 'moon'.*earth"):
        export.load_translator("moon")
    generator.save(tmp_path / "x.keras")
    translator = export.load_translator(tmp_path / "x.keras")
    for shape in [(1, 8, 4, 3), (1, 8, 8, 1), (8, 8, 3)]:
        with pytest.raises(ValueError, match=r"x\.keras takes pictures .*\(8, 8, 3\).*resize"):
            translator(np.zeros(shape, "uint8"))
    with pytest.raises(ValueError, match="wants uint8"):
        translator(np.zeros((1, 8, 8, 3), "float32"))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        export.load_translator(tmp_path / "x.onnx")


def test_what_is_interrupted_leaves_the_file_before_and_nothing_else(tmp_path):
    path = tmp_path / "new folder" / "x.txt"
    with export.whole_file(path) as part:
        part.write_text("first", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), export.whole_file(path) as part:
        part.write_text("sec", encoding="utf-8")
        raise KeyboardInterrupt
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]
    assert path.read_text(encoding="utf-8") == "first"
