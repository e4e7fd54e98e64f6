import keras
import numpy as np
import pytest

from companion.generators import resnet, unet


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "size, norm, parameters",
    [
        (256, "batch", 54_413_955),
        (256, "instance", 54_409_603),
        (128, "batch", 41_828_995),
        (128, "instance", 41_825_667),
    ],
)
def test_unet_has_the_reference_parameters(size, norm, parameters):
    assert trainable(unet(size, norm=norm)) == parameters


@pytest.mark.parametrize(
    "blocks, norm, parameters",
    [
        (9, "instance", 11_378_179),
        (6, "instance", 7_837_699),
        (9, "batch", 11_383_427),
        (6, "batch", 7_841_411),
    ],
)
def test_resnet_has_the_reference_parameters(blocks, norm, parameters):
    assert trainable(resnet(blocks=blocks, norm=norm)) == parameters


@pytest.mark.parametrize("upsample", ["transpose", "resize"])
@pytest.mark.parametrize("factory", [unet, resnet])
def test_output_has_the_input_s_shape_and_range(factory, upsample):
    model = factory(size=32, filters=4, upsample=upsample)
    last = [weight for weight in model.weights if "kernel" in weight.path][-1]
    last.assign(1000 * last)  # so that without a tanh the values would leave [-1, 1]
    output = model(np.random.default_rng(0).normal(size=(2, 32, 32, 3))).numpy()
    assert output.shape == (2, 32, 32, 3)
    assert 0.99 < np.abs(output).max() <= 1


def test_unet_goes_down_to_one_pixel_and_skips_across():
    model = unet(64, filters=4)
    assert min(layer.output.shape[1] for layer in model.layers) == 1
    skips = [x for x in model.layers if isinstance(x, keras.layers.Concatenate)]
    assert [x.output.shape[1] for x in skips] == [2, 4, 8, 16, 32]


def test_unet_halves_at_most_eight_times():
    model = unet(512, filters=1)
    assert min(layer.output.shape[1] for layer in model.layers) == 2


def test_unet_bottleneck_is_not_normalized():
    """A normalized 1x1 map is zero; then no innermost weight would get a gradient."""
    model = unet(16, filters=4, norm="instance", dropout=0)
    innermost = [x.output for x in model.layers if x.output.shape[1:3] == (1, 1)]
    picture = np.random.default_rng(0).normal(size=(1, 16, 16, 3))
    maps = keras.Model(model.input, innermost)(picture)
    assert all(np.abs(x).max() > 0 for x in maps)


def test_dropout_is_in_the_first_three_decoder_blocks():
    model = unet(64, filters=4)
    sizes = [x.output.shape[1] for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert sizes == [2, 4, 8]
    assert not [x for x in unet(64, dropout=0).layers if isinstance(x, keras.layers.Dropout)]


def test_no_two_kernels_start_equal():
    blocks = resnet(16, filters=4, blocks=2)
    kernels = [w.numpy().ravel() for w in blocks.weights if "kernel" in w.path]
    for i, first in enumerate(kernels):
        for second in kernels[i + 1 :]:
            assert first.size != second.size or not np.allclose(first, second)


def test_resnet_shortcut_ends_a_block():
    """No activation after the sum: the block's output may be negative."""
    model = resnet(16, filters=4, blocks=1)
    (add,) = [x for x in model.layers if isinstance(x, keras.layers.Add)]
    following = [x for x in model.layers if x is not add and x.input is add.output]
    assert not any(isinstance(x, keras.layers.ReLU) for x in following)


def test_resnet_leaves_pixels_where_they_are():
    """With kernels that only look straight ahead, a pixel comes out where it went in.

    "same" padding of the 3x3 stride-2 convolutions, or a crop on the other side, moves it.
    """
    model = resnet(16, channels=1, filters=1, blocks=0, norm="none")
    for weight in model.weights:
        values = np.zeros(weight.shape, "float32")
        if "kernel" in weight.path:
            middle = weight.shape[0] // 2
            values[middle, middle, 0, 0] = 1
        weight.assign(values)
    picture = np.zeros((1, 16, 16, 1), "float32")
    picture[0, 8, 4] = 1
    np.testing.assert_allclose(model(picture), np.tanh(picture), atol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 48, 100, 255])
def test_unet_refuses_sizes_it_cannot_halve(size):
    with pytest.raises(ValueError, match=f"power of two.*not {size}"):
        unet(size)


@pytest.mark.parametrize("size", [4, 30, 255])
def test_resnet_refuses_sizes_it_cannot_halve(size):
    with pytest.raises(ValueError, match=f"multiple of 4.*not {size}"):
        resnet(size)


@pytest.mark.parametrize("factory", [unet, resnet])
def test_unknown_names_are_refused(factory):
    with pytest.raises(ValueError, match='upsample is .nearest.; choose "transpose" or "resize"'):
        factory(size=16, filters=2, upsample="nearest")
    with pytest.raises(ValueError, match="norm is .bacth.; choose"):
        factory(size=16, filters=2, norm="bacth")


@pytest.mark.parametrize("value", [0, -1, 64.0, "64", None, True, np.float32(64), [64]])
@pytest.mark.parametrize("name", ["size", "channels", "filters"])
@pytest.mark.parametrize("factory", [unet, resnet])
def test_what_counts_no_pixels_or_channels_is_refused(factory, name, value):
    with pytest.raises(ValueError, match=f"^{name} is .*; pass a whole number from 1 on"):
        factory(**{"size": 16, "filters": 1, name: value})


@pytest.mark.parametrize("blocks", [-1, 1.0, True])
def test_resnet_refuses_what_counts_no_blocks(blocks):
    with pytest.raises(ValueError, match=f"blocks is {blocks}; pass a whole number from 0 on"):
        resnet(16, filters=1, blocks=blocks)


@pytest.mark.parametrize("dropout", [1, 1.5, -0.1, "0.5", float("nan"), None])
def test_unet_refuses_a_dropout_that_is_no_rate(dropout):
    with pytest.raises(ValueError, match=f"dropout must be a rate .* less than 1, not .?{dropout}"):
        unet(16, filters=1, dropout=dropout)


@pytest.mark.parametrize("factory", [unet, resnet])
def test_numpy_s_whole_numbers_are_whole_numbers(factory):
    options = {} if factory is unet else {"blocks": np.int32(1)}
    model = factory(np.int64(16), channels=np.uint8(1), filters=np.uint8(40), **options)
    plain = factory(16, channels=1, filters=40, **options)
    assert model.count_params() == plain.count_params()
    assert keras.Model.from_config(model.get_config()).output_shape == (None, 16, 16, 1)
    model.to_json()
