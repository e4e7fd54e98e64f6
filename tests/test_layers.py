import keras
import numpy as np
import pytest

from companion.discriminators import patchgan
from companion.layers import (
    ReflectionPadding2D,
    WeightNormalization,
    initializer,
    normalization,
    normalized_like,
)

RNG = np.random.default_rng(0)
MAPS = RNG.normal(3.0, 2.0, (2, 5, 5, 64)).astype("float32")

# For each kind, which axes of (N, H, W, C) share one mean; "group" is looked at group by group.
AXES = {"batch": (0, 1, 2), "instance": (1, 2), "layer": (1, 2, 3)}


def by_hand(x, axes):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def without_scale(layer):
    """Undo the random initial scale, so that only the normalization is left."""
    layer.build(MAPS.shape)
    for weight in layer.trainable_weights:
        if "gamma" in weight.name:
            weight.assign(np.ones(weight.shape))
    return layer


@pytest.mark.parametrize("kind", AXES)
def test_normalization_uses_the_axes_of_its_kind(kind):
    output = without_scale(normalization(kind))(MAPS, training=True)
    np.testing.assert_allclose(output, by_hand(MAPS, AXES[kind]), atol=1e-4)


def test_group_normalization_has_32_groups():
    output = normalization("group")(MAPS)
    groups = by_hand(MAPS.reshape(2, 5, 5, 32, 2), (1, 2, 4))
    np.testing.assert_allclose(output, groups.reshape(MAPS.shape), atol=1e-4)


def test_none_is_the_identity():
    np.testing.assert_array_equal(normalization("none")(MAPS), MAPS)


def test_epsilon_is_that_of_the_reference():
    small = MAPS * 1e-3  # variance 4e-6, so that epsilon decides
    output = normalization("instance")(small)
    np.testing.assert_allclose(output, by_hand(small, (1, 2)), atol=1e-3)


def test_instance_normalization_learns_nothing_and_batch_starts_near_one():
    instance, batch = normalization("instance"), normalization("batch")
    instance.build(MAPS.shape)
    batch.build(MAPS.shape)
    assert instance.weights == []
    assert 0.9 < float(keras.ops.mean(batch.gamma)) < 1.1
    assert 0.005 < float(keras.ops.std(batch.gamma)) < 0.05


def test_moving_statistics_keep_nine_tenths():
    layer = normalization("batch")
    layer(MAPS, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * MAPS.mean((0, 1, 2)), rtol=1e-4)


def test_unknown_kind_is_named_with_the_choices():
    with pytest.raises(ValueError, match='norm is .instence.; choose "batch", "instance"'):
        normalization("instence")


def test_statistics_are_borrowed_map_by_map_and_place_by_place():
    """Two convolutions and norms: the second norm's statistics are those behind the first's."""
    maps, like = MAPS, RNG.normal(-1.0, 5.0, MAPS.shape).astype("float32")
    convs = [keras.layers.Conv2D(8, 3, use_bias=False) for _ in range(2)]
    x = picture = keras.Input((5, 5, 64))
    for conv in convs:
        x = normalization("instance")(conv(x))
    model = keras.Model(picture, x)

    ours, theirs = maps, like
    for conv in convs:
        ours, theirs = conv(ours).numpy(), conv(theirs).numpy()
        mean, variance = theirs.mean((1, 2), keepdims=True), theirs.var((1, 2), keepdims=True)
        ours, theirs = ((z - mean) / np.sqrt(variance + 1e-5) for z in (ours, theirs))
    np.testing.assert_allclose(normalized_like(model, maps, like), ours, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(normalized_like(model, maps, maps), model(maps), atol=1e-5)


def test_statistics_are_borrowed_in_a_model_of_two_inputs_which_stays_as_it_was():
    model = patchgan(64, conditional=True, layers=2, filters=2)
    maps, photos, other = RNG.normal(size=(3, 2, 64, 64, 3)).astype("float32")
    before = model([maps, photos]).numpy()
    own = normalized_like(model, [maps, photos], [maps, photos])
    np.testing.assert_allclose(own, before, atol=1e-5)
    borrowed = normalized_like(model, [maps, photos], [2 * other, photos])
    assert np.abs(borrowed - before).max() > 0.01
    np.testing.assert_array_equal(model([maps, photos]), before)


def test_what_an_instance_norm_has_learned_stays_when_it_borrows():
    """Also where group normalization has a group for each map."""
    for norm in keras.layers.GroupNormalization(-1), keras.layers.GroupNormalization(64):
        picture = keras.Input((5, 5, 64))
        model = keras.Model(picture, norm(picture))
        norm.gamma.assign(RNG.uniform(1, 3, 64))
        norm.beta.assign(RNG.uniform(-1, 1, 64))
        np.testing.assert_allclose(normalized_like(model, MAPS, MAPS), model(MAPS), atol=1e-4)


def test_statistics_are_borrowed_inside_of_nested_models():
    inner = patchgan(64, layers=2, filters=2)
    picture = keras.Input((64, 64, 3))
    maps, other = RNG.normal(size=(2, 2, 64, 64, 3)).astype("float32")
    model = keras.Model(picture, inner(picture))
    expected = normalized_like(inner, maps, 2 * other)
    np.testing.assert_allclose(normalized_like(model, maps, 2 * other), expected, atol=1e-5)


def test_statistics_are_borrowed_by_instance_norms_only_and_from_equal_shapes():
    picture = keras.Input((5, 5, 64))
    for kind in ["batch", "layer", "group", "none"]:
        model = keras.Model(picture, normalization(kind)(picture))
        with pytest.raises(ValueError, match="has no instance normalization"):
            normalized_like(model, MAPS, MAPS)
    model = keras.Model(picture, normalization("instance")(picture))
    with pytest.raises(ValueError, match=r"equal shapes, not \(2, 5, 5, 64\) and \(1, 5, 5, 64\)"):
        normalized_like(model, MAPS, MAPS[:1])


def test_reflection_padding_mirrors_without_repeating_the_edge():
    row = np.arange(4, dtype="float32").reshape(1, 1, 4, 1).repeat(4, axis=1)
    padded = ReflectionPadding2D(2)(row)
    assert padded.shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(padded[0, 0, :, 0], [2, 1, 0, 1, 2, 3, 2, 1])


def test_reflection_padding_is_saved(tmp_path):
    picture = keras.Input((5, 5, 64))
    model = keras.Model(picture, ReflectionPadding2D(np.int64(3), name="mirror")(picture))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("mirror").padding == 3
    np.testing.assert_array_equal(loaded(MAPS), model(MAPS))


def test_reflection_padding_refuses_what_it_cannot_mirror():
    with pytest.raises(ValueError, match="A padding of 5 mirrors 5 pixels.*5, 5, 64"):
        ReflectionPadding2D(5)(MAPS)
    assert ReflectionPadding2D(4)(MAPS).shape == (2, 13, 13, 64)
    for padding in [-1, 1.0, True, None]:
        with pytest.raises(ValueError, match=f"padding is {padding}; pass a whole number"):
            ReflectionPadding2D(padding)


def test_initializers_are_small_and_differ_from_layer_to_layer():
    first, second = (np.array(initializer()((64, 64))) for _ in range(2))
    assert abs(first.std() - 0.02) < 0.002
    assert not np.allclose(first, second)


@pytest.mark.parametrize("layer", [keras.layers.Conv2D(8, 3), keras.layers.Dense(8)])
def test_weight_normalization_changes_nothing_before_training(layer):
    wrapped = WeightNormalization(layer)
    output = wrapped(MAPS)
    assert len(wrapped.trainable_weights) == 3  # g, v and the bias
    np.testing.assert_allclose(output, layer(MAPS), rtol=1e-4, atol=1e-4)


def test_weight_normalization_separates_length_from_direction():
    layer = WeightNormalization(keras.layers.Conv2D(8, 3, use_bias=False))
    output = layer(MAPS)
    layer.layer.kernel.assign(5 * layer.layer.kernel)
    np.testing.assert_allclose(layer(MAPS), output, rtol=1e-4, atol=1e-4)
    layer.g.assign(2 * layer.g)
    np.testing.assert_allclose(layer(MAPS), 2 * output, rtol=1e-4, atol=1e-4)


def test_weight_normalization_trains_and_is_saved(tmp_path):
    picture = keras.Input((5, 5, 64))
    layer = WeightNormalization(keras.layers.Conv2D(8, 3))
    model = keras.Model(picture, layer(picture))
    before = layer.get_weights()
    model.compile("sgd", "mse")
    model.fit(MAPS, np.ones((2, 3, 3, 8)), shuffle=False, verbose=0)
    assert all(np.abs(old - new).max() > 0 for old, new in zip(before, layer.get_weights()))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(MAPS), model(MAPS), rtol=1e-5, atol=1e-5)


def test_weight_normalization_of_a_zero_kernel_is_zero_and_can_be_trained():
    layer = WeightNormalization(keras.layers.Dense(2, kernel_initializer="zeros"))
    np.testing.assert_array_equal(layer(MAPS), np.zeros((2, 5, 5, 2)))
    picture = keras.Input((5, 5, 64))
    model = keras.Model(picture, layer(picture))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(MAPS, np.ones((2, 5, 5, 2)), epochs=2, shuffle=False, verbose=0)
    kernel = layer.layer.kernel.numpy()
    assert np.isfinite(model(MAPS)).all() and np.abs(kernel).max() > 0


def test_weight_normalization_refuses_other_layers():
    with pytest.raises(ValueError, match="wraps a Conv2D or a Dense layer, not <Conv2DTranspose"):
        WeightNormalization(keras.layers.Conv2DTranspose(8, 3))
