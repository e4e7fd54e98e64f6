import keras
import numpy as np
import pytest

from companion.discriminators import patchgan


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "layers, parameters", [(0, 9_024), (1, 139_585), (3, 2_768_705), (5, 11_159_361)]
)
def test_conditional_patchgan_has_the_reference_parameters(layers, parameters):
    assert trainable(patchgan(conditional=True, layers=layers, norm="batch")) == parameters


def test_unconditional_patchgan_has_the_reference_parameters():
    assert trainable(patchgan()) == 2_764_737


@pytest.mark.parametrize(
    "size, layers, patches", [(256, 3, 30), (128, 3, 14), (256, 0, 256), (64, 1, 30), (256, 5, 6)]
)
def test_map_of_patches(size, layers, patches):
    model = patchgan(size, layers=layers, filters=2)
    assert model.output_shape == (None, patches, patches, 1)


@pytest.mark.parametrize("layers, field", [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_score_depends_on_a_patch_of_the_published_size(layers, field):
    """Change one row of pixels at a time; the rows that move a middle score are its patch."""
    model = patchgan(128, layers=layers, filters=2, norm="none")
    picture = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype("float32")
    same = np.repeat(picture, 128, axis=0)
    changed = same.copy()
    changed[np.arange(128), np.arange(128)] += 100
    middle = model.output_shape[1] // 2
    # Both in batches of one size: some processors round a single picture in another way.
    before, after = (model.predict(x, verbose=0)[:, middle, middle] for x in (same, changed))
    rows = np.flatnonzero(np.abs(after - before).max(axis=-1) > 0)
    assert rows[-1] - rows[0] + 1 == field


def test_conditional_takes_source_then_picture_and_uses_both():
    model = patchgan(32, conditional=True, filters=2)
    assert [x.name for x in model.inputs] == ["source", "image"]
    a, b = np.random.default_rng(0).normal(size=(2, 1, 32, 32, 3)).astype("float32")
    assert not np.allclose(model([a, b]), model([b, b]))
    assert not np.allclose(model([a, b]), model([a, a]))


def test_scores_are_logits():
    last = patchgan(32, filters=2).layers[-1]
    assert isinstance(last, keras.layers.Conv2D) and last.activation is keras.activations.linear


@pytest.mark.parametrize("size, layers", [(16, 3), (100, 3), (256, 8)])
def test_sizes_that_leave_no_patch_are_refused(size, layers):
    with pytest.raises(ValueError, match=f"multiple of {2**layers}.*not {size}"):
        patchgan(size, layers=layers)


@pytest.mark.parametrize("value", [-1, 2.0, "2", None, True, np.float32(2)])
@pytest.mark.parametrize("name", ["size", "channels", "filters", "layers"])
def test_what_counts_nothing_is_refused(name, value):
    least = 0 if name == "layers" else 1
    with pytest.raises(ValueError, match=f"^{name} is .*; pass a whole number from {least} on"):
        patchgan(**{"size": 32, "filters": 1, name: value})


def test_numpy_s_whole_numbers_are_whole_numbers():
    whole = map(np.int64, (32, 3, 2, 4))
    size, channels, layers, filters = whole
    model = patchgan(size, channels, layers=layers, filters=filters)
    assert model.count_params() == patchgan(32, layers=2, filters=4).count_params()
    model.to_json()
