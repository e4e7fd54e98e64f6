import keras
import pytest
from keras import layers

from companion.discriminators import patchgan
from companion.generators import resnet, unet
from companion.layers import ReflectionPadding2D, WeightNormalization
from companion.receptive_field import measured_receptive_field, receptive_field


@pytest.fixture(autouse=True)
def seed():
    """So that no ReLU blocks a gradient today which it lets through tomorrow."""
    keras.utils.set_random_seed(0)


def network(*stack, size=(32, 32)):
    x = picture = keras.Input((*size, 1))
    for layer in stack:
        x = layer(x)
    return keras.Model(picture, x)


@pytest.mark.parametrize(
    "depth, size, field",
    [
        (0, 8, 1),
        (1, 32, 16),
        (2, 48, 34),
        (3, 96, 70),
        (4, 160, 142),
        (5, 320, 286),
        (6, 640, 574),
    ],
)
def test_patchgan_has_the_published_field_computed_and_measured(depth, size, field):
    model = patchgan(size, channels=1, layers=depth, filters=1, norm="none")
    assert receptive_field(model) == (field, field)
    assert measured_receptive_field(model) == (field, field)


def test_both_pictures_of_a_pair_are_seen_alike():
    model = patchgan(32, channels=1, conditional=True, layers=1, filters=1, norm="none")
    assert receptive_field(model) == measured_receptive_field(model) == (16, 16)


@pytest.mark.parametrize("upsample, field", [("transpose", 37), ("resize", 41)])
def test_resnet_s_shortcut_does_not_hide_its_blocks(upsample, field):
    model = resnet(64, filters=2, blocks=1, norm="none", upsample=upsample)
    assert receptive_field(model) == measured_receptive_field(model) == (field, field)
    larger = resnet(64, filters=2, blocks=2, norm="none", upsample=upsample)
    assert receptive_field(larger) == measured_receptive_field(larger) == (field + 16, field + 16)


@pytest.mark.parametrize("upsample", ["transpose", "resize"])
def test_unet_sees_the_whole_picture(upsample):
    model = unet(32, filters=2, norm="none", upsample=upsample)
    assert min(receptive_field(model)) >= 32
    assert measured_receptive_field(model) == (32, 32)


def test_large_fields_reach_into_the_padding():
    model = patchgan(32, channels=1, filters=1, norm="none")
    assert receptive_field(model) == (70, 70)
    assert measured_receptive_field(model) == (32, 32)


@pytest.mark.parametrize(
    "model",
    [
        network(layers.Conv2D(1, (3, 5), (2, 1), "same"), layers.Conv2D(1, (1, 4))),
        network(layers.Conv2D(1, 3, dilation_rate=(2, 3)), layers.LeakyReLU(0.2)),
        network(layers.Conv2D(1, 3, padding="same"), layers.Conv2DTranspose(1, 3, (3, 2), "same")),
        network(layers.Conv2D(1, 3, 2), layers.Conv2DTranspose(1, (4, 5), 2), layers.Conv2D(1, 2)),
        network(layers.Conv2D(1, 4, 4), layers.UpSampling2D((4, 2)), layers.Conv2D(1, (2, 3))),
        network(layers.ZeroPadding2D(((3, 0), (0, 2))), layers.Conv2D(1, 2, 3), size=(30, 21)),
        network(layers.Conv2D(1, 5), layers.Cropping2D(((1, 2), (0, 1))), layers.Conv2D(1, 3, 2)),
        network(WeightNormalization(layers.Conv2D(1, 4, 2, "same")), layers.Dense(1)),
        network(layers.SpectralNormalization(layers.Conv2D(1, (4, 3), 2)), layers.Conv2D(1, 3)),
        network(layers.Conv2D(1, 3), layers.AveragePooling2D((2, 3)), layers.Conv2D(1, 2)),
        network(layers.AveragePooling2D(4, (3, 1), "same"), layers.Conv2D(1, (2, 3), 2)),
    ],
)
def test_arithmetic_and_measurement_agree(model):
    assert receptive_field(model) == measured_receptive_field(model)


@pytest.mark.parametrize("pooling", [layers.MaxPooling2D((3, 2), 2), layers.MaxPooling2D(4)])
def test_a_max_pooling_sees_the_pixels_among_which_it_chooses(pooling):
    model = network(layers.Conv2D(1, 2), pooling, layers.Conv2D(1, (2, 1)))
    # A gradient passes only through the largest: with enough pictures, each is one sometime.
    assert receptive_field(model) == measured_receptive_field(model, pictures=200)


@pytest.mark.parametrize("pictures", [0, 1.5, None])
def test_without_pictures_nothing_can_be_measured(pictures):
    with pytest.raises(ValueError, match=f"pictures is {pictures}; pass a whole number from 1 on"):
        measured_receptive_field(network(layers.Conv2D(1, 3)), pictures)


def test_branches_are_united_where_they_lie():
    """One looks 4 rows up, one 2 rows down, the third straight ahead."""
    picture = keras.Input((16, 16, 1))
    up = layers.Conv2D(1, (5, 1))(layers.ZeroPadding2D(((4, 0), (0, 0)))(picture))
    down = layers.Conv2D(1, (3, 1))(layers.ZeroPadding2D(((0, 2), (0, 0)))(picture))
    model = keras.Model(picture, layers.Add()([layers.Concatenate()([up, down]), picture]))
    assert receptive_field(model) == measured_receptive_field(model) == (7, 1)


@pytest.mark.parametrize(
    "size, left, kernel",
    [
        (31, [layers.Conv2D(1, 3, 2, "same")], (1, 2)),
        (32, [ReflectionPadding2D(1), layers.Conv2D(1, 3)], (2, 1)),
    ],
)
def test_paddings_put_a_branch_where_it_lies(size, left, kernel):
    """The other branch looks one pixel up and left: within the first, unless that one is off."""
    picture = keras.Input((size, size, 1))
    right = layers.Conv2D(1, *kernel)(layers.ZeroPadding2D(((1, 0), (1, 0)))(picture))
    x = picture
    for layer in left:
        x = layer(x)
    model = keras.Model(picture, layers.Add()([x, right]))
    assert receptive_field(model) == measured_receptive_field(model) == (3, 3)


@pytest.mark.parametrize("last", [layers.Flatten, layers.GlobalAveragePooling2D])
def test_an_impostor_is_exposed(last):
    """Convolutions followed by Flatten and Dense judge the picture, not patches."""
    model = network(layers.Conv2D(1, 4, 2), layers.LeakyReLU(0.2), last(), layers.Dense(1))
    assert receptive_field(model) == measured_receptive_field(model) == (32, 32)


def test_instance_normalization_sees_the_whole_picture_and_batch_does_not():
    fields = {
        norm: measured_receptive_field(patchgan(64, 1, layers=1, filters=1, norm=norm))
        for norm in ["instance", "batch", "none"]
    }
    assert fields == {"instance": (64, 64), "batch": (16, 16), "none": (16, 16)}
    assert receptive_field(patchgan(64, layers=1, filters=1, norm="instance")) == (16, 16)


def test_a_network_that_lets_nothing_through_sees_nothing():
    model = network(layers.Conv2D(1, 3, kernel_initializer="zeros"))
    assert measured_receptive_field(model) == (0, 0)


@pytest.mark.parametrize(
    "layer", [layers.Reshape((32, 32, 1)), layers.UpSampling2D(2, interpolation="bilinear")]
)
def test_layers_without_arithmetic_are_named(layer):
    with pytest.raises(ValueError, match=f"no arithmetic for {layer.name} .{type(layer).__name__}"):
        receptive_field(network(layer))


def test_models_that_cannot_be_followed_are_refused():
    conv = layers.Conv2D(1, 3)
    with pytest.raises(ValueError, match="cannot follow .*each called once"):
        receptive_field(network(conv, conv))
    with pytest.raises(ValueError, match="cannot follow .*must consist of layers"):
        receptive_field(network(conv, lambda x: keras.ops.roll(x, 1, axis=1)))
    picture = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match="no arithmetic for concatenate"):
        receptive_field(keras.Model(picture, layers.Concatenate(1)([picture, picture])))
    for field in receptive_field, measured_receptive_field:
        with pytest.raises(ValueError, match="2 symbolic outputs"):
            field(keras.Model(picture, [layers.ReLU()(picture), picture]))
        with pytest.raises(ValueError, match="fixed size, not .None, None, None, 1."):
            field(network(layers.ReLU(), size=(None, None)))
