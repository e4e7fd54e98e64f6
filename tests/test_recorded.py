import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from trainers import same, weights

from companion import data, recorded
from companion.receptive_field import measured_receptive_field

STORED = recorded.names()


def once(function, key):
    """The function of a recipe, computed once for all recipes with the same key."""
    results = {}

    def result(recipe):
        text = json.dumps(key(recipe), sort_keys=True)
        if text not in results:
            results[text] = function(recipe)
        return results[text]

    return result


def structure(recipe):
    """What a recipe says of its networks: all but what is known to be about the training."""
    training = ["data", "pairs", "l1_weight", "weights", "half_cycle", "matching", "pool_size"]
    training += ["learning_rate", "batch_size", "steps", "seeds"]
    return "weights" in recipe, {key: recipe[key] for key in recipe if key not in training}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache for all recordings' pictures, outside the user's."""
    pictures_once = once(recorded.pictures, lambda x: [x["data"], x["size"], x.get("pairs")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(recorded, "pictures", pictures_once)
        yield


@pytest.fixture(scope="module")
def networks_once():
    return once(recorded.build, structure)


@pytest.fixture
def build_once(cache, networks_once, monkeypatch):
    """Recordings share the networks, and the graphs of `predict`, that only weights tell apart."""
    monkeypatch.setattr(recorded, "build", networks_once)


@pytest.fixture
def eagerly():
    """No graphs: to trace and compile a small network takes longer than what is asked of it."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_there_are_recordings_and_they_stay_small():
    sizes = {path.name: path.stat().st_size for path in recorded.FOLDER.iterdir()}
    assert STORED and sorted(sizes) == sorted(f"{n}.{s}" for n in STORED for s in ("json", "npz"))
    assert max(sizes.values()) < 6e6 and sum(sizes.values()) < 70e6


@pytest.mark.parametrize("name", STORED)
def test_a_recording_is_not_stale(build_once, name):
    """Its settings, networks and pictures are those that the recipe would have today."""
    history, recipe = recorded.history(name), recorded.RECIPES[name]
    assert history["settings"] == json.loads(json.dumps(recipe))
    for key, value in recorded.fingerprint(recipe).items():
        assert history[key] == value
    for values in history["held_out"].values():
        assert len(values) == recipe["seeds"]
    assert len(history["curves"]) == len(history["minutes"]) == recipe["seeds"]
    steps = [len(losses) * recorded.EPOCH for run in history["curves"] for losses in run.values()]
    assert set(steps) == {recipe["steps"]}


@pytest.mark.parametrize("name", STORED)
def test_a_recordings_weights_give_its_numbers(build_once, name):
    networks = {}
    for network in recorded.build(recorded.RECIPES[name]):
        if not network.startswith("discriminator"):
            networks[network] = recorded.load(name, network)
    for measure, value in recorded.measure(name, networks).items():
        assert value == pytest.approx(recorded.history(name)["held_out"][measure][0], abs=0.002)


@pytest.mark.parametrize("name", recorded.DISCRIMINATORS)
def test_a_kept_discriminator_tells_real_from_painted(cache, name):
    """An untrained one, or one with another network's weights, could not."""
    if name not in STORED:
        pytest.skip(f"{name} is not recorded yet")
    networks = recorded.build(recorded.RECIPES[name])
    judge = next(n for n in networks if n.startswith("discriminator"))
    judge = {"discriminator_a": "discriminator_b"}.get(judge, judge)
    test = recorded.pictures(recorded.RECIPES[name]).test
    source, target = data.normalize(test.source[:64]), data.normalize(test.target[:64])
    painted = recorded.load(name).predict(source, verbose=0)
    look = recorded.load(name, judge)
    pair = len(look.inputs) == 2
    on_real = look.predict([source, target] if pair else target, verbose=0).mean()
    on_fake = look.predict([source, painted] if pair else painted, verbose=0).mean()
    assert on_real > on_fake + 0.05


@pytest.fixture
def small(cache, eagerly, monkeypatch):
    """Recipes as they are, but with pictures and networks so small that two steps are quick."""

    def shrink(name):
        recipe = dict(recorded.RECIPES[name], size=32, filters=2, batch_size=2, seeds=1, steps=2)
        recipe.update({key: 2 for key in ["discriminator_filters"] if key in recipe})
        recipe.update(
            {key: min(recipe[key], 2) for key in ["discriminator_layers"] if key in recipe}
        )
        recipe.update({key: 1 for key in ["blocks"] if key in recipe})
        monkeypatch.setitem(recorded.RECIPES, name, recipe)
        monkeypatch.setattr(recorded, "EPOCH", 1)
        pictures = recorded.pictures(recipe)
        few = data.Splits(*(data.Split(p.source[:4], p.target[:4], p.names[:4]) for p in pictures))
        monkeypatch.setattr(recorded, "pictures", lambda _: few)
        return recipe

    return shrink


@pytest.mark.parametrize(
    "name",
    ["earth", "earth_l2", "earth_gan", "earth_without_skips", "earth_resnet", "earth_batch_norm"]
    + ["earth_matching", "earth_l1_matching", "earth_no_leak"]
    + ["styles", "styles_forward_cycle", "styles_half_cycle", "styles_pairs", "earth_recognizer"],
)
def test_a_recipe_can_take_two_steps(small, name):
    small(name)
    steps_of_its_own = name in ["earth_l1_matching", "styles_half_cycle"]
    tf.config.run_functions_eagerly(not steps_of_its_own)  # the others' are compiled elsewhere
    networks, curves, minutes = recorded.train(name, seed=0)
    assert all(len(values) == 2 and np.isfinite(values).all() for values in curves.values())
    assert any(key.startswith("val_") for key in curves) and minutes > 0
    for network in networks.values():
        assert all(np.isfinite(weight).all() for weight in weights(network))


@pytest.mark.parametrize(
    "callback, moment",
    [
        (keras.callbacks.CSVLogger, "on_epoch_begin"),
        (recorded._State, "on_epoch_end"),  # the curves are an epoch ahead
    ],
)
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(
    small, monkeypatch, tmp_path, callback, moment
):
    small("earth_cgan")
    straight, curves, _ = recorded.train("earth_cgan", seed=1)
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path))

    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callback, moment, stop)
        recorded.train("earth_cgan", seed=1)
    again, same_curves, _ = recorded.train("earth_cgan", seed=1)
    assert same(weights(straight["generator"]), weights(again["generator"]))
    assert curves == same_curves and len(curves["l1"]) == 2


def test_a_training_interrupted_while_its_state_is_written_goes_on(small, monkeypatch, tmp_path):
    small("earth_cgan")
    straight, curves, _ = recorded.train("earth_cgan", seed=1)
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path))
    begun = []

    def stop_in_the_second(self, file):
        begun.append(file)
        if len(begun) > 1:
            Path(file).write_bytes(b"half a file")
            raise KeyboardInterrupt
        return save_weights(self, file)

    save_weights = keras.Model.save_weights
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keras.Model, "save_weights", stop_in_the_second)
        recorded.train("earth_cgan", seed=1)
    again, same_curves, _ = recorded.train("earth_cgan", seed=1)
    assert same(weights(straight["generator"]), weights(again["generator"]))
    assert curves == same_curves


def test_another_recipe_is_another_training(small, monkeypatch):
    recipe = small("earth_cgan")
    _, curves, _ = recorded.train("earth_cgan", seed=2)
    monkeypatch.setitem(recorded.RECIPES, "earth_cgan", {**recipe, "learning_rate": 0.1})
    _, others, _ = recorded.train("earth_cgan", seed=2)
    assert curves["l1"][1] != others["l1"][1]


def test_a_recording_is_stored_and_loaded(small, monkeypatch, tmp_path):
    small("earth_cgan")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    monkeypatch.setattr(recorded, "DISCRIMINATORS", ["earth_cgan"])
    recorded.record("earth_cgan")
    assert not recorded._kept("earth_cgan", 0).exists()  # or recording again would not train
    assert recorded.names() == ["earth_cgan"]
    history = recorded.history("earth_cgan")
    assert len(history["held_out"]["mean_absolute_error"]) == 1
    assert recorded.load("earth_cgan").output.shape[1:] == (32, 32, 3)
    assert len(recorded.load("earth_cgan", "discriminator").inputs) == 2
    with pytest.raises(ValueError, match="no 'generator_ab'; choose one of generator, discrim"):
        recorded.load("earth_cgan", "generator_ab")


@pytest.mark.parametrize("name, remedy", [("earth", "make record RUN=earth"), ("eart", "earth_")])
def test_a_recording_that_is_not_there(monkeypatch, tmp_path, name, remedy):
    if name == "earth":
        monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    for use in [recorded.history, recorded.load]:
        with pytest.raises(ValueError, match=f"no recording '{name}'.*{remedy}"):
            use(name)


def test_the_ablations_leave_out_what_they_say():
    for name, terms in {
        "styles": set(),
        "styles_no_cycle": {"cycle_a", "cycle_b"},
        "styles_no_identity": {"identity"},
        "styles_no_adversarial": {"adversarial"},
        "styles_forward_cycle": {"cycle_b"},
    }.items():
        recipe = recorded.RECIPES[name]
        assert {term for term, weight in recipe["weights"].items() if not weight} == terms
        model = recorded.model_of(recipe, recorded.build({**recipe, "size": 32, "filters": 2}))
        values = {"adversarial": 1.0, "cycle_a": 10.0, "cycle_b": 100.0, "identity": 1000.0}
        expected = {"adversarial": 1.0, "cycle_a": 100.0, "cycle_b": 1000.0, "identity": 5000.0}
        total = sum(value for term, value in expected.items() if term not in terms)
        assert model.total_loss(**values) == pytest.approx(total)


@pytest.mark.parametrize("name, writer_learns", [("styles", True), ("styles_half_cycle", False)])
def test_whom_the_cycle_term_reaches(name, writer_learns):
    recipe = recorded.RECIPES[name]
    networks = recorded.build({**recipe, "size": 32, "filters": 2})
    model = recorded.model_of(recipe, networks)
    pictures = tf.random.stateless_uniform((2, 1, 32, 32, 3), (0, 0), -1, 1)
    with tf.GradientTape(persistent=True) as tape:
        *_, terms = model.generator_losses(*pictures)

    def learns(generator, term):
        gradient = tape.gradient(terms[term], networks[generator].trainable_variables)
        return any(g is not None for g in gradient)

    assert learns("generator_ba", "cycle_a") and learns("generator_ab", "cycle_b")
    assert learns("generator_ab", "cycle_a") == learns("generator_ba", "cycle_b") == writer_learns
    assert learns("generator_ab", "adversarial") and learns("generator_ab", "identity")


def test_the_matching_recipe_calls_real_pictures_with_other_maps_painted():
    recipe = dict(recorded.RECIPES["earth_matching"], size=32, filters=2, discriminator_filters=2)
    networks = recorded.build(recipe)
    model = recorded.model_of(recipe, networks)
    source, target, output = tf.random.stateless_uniform((3, 4, 32, 32, 3), (0, 0), -1, 1)
    others = tf.gather(source, [3, 0, 1, 2])
    expected = 0
    for maps, pictures, label, share in [
        (source, target, 1, 0.5),
        (source, output, 0, 0.25),
        (others, target, 0, 0.25),
    ]:
        scores = networks["discriminator"]([maps, pictures], training=True)
        expected += share * tf.reduce_mean((scores - label) ** 2)
    before = networks["discriminator"].get_weights()
    assert float(model.train_discriminator(source, target, output)) == pytest.approx(
        float(expected), rel=1e-5
    )
    assert not same(before, weights(networks["discriminator"]))


def test_only_the_discriminator_of_the_recipe_without_a_leak_lacks_normalization():
    networks = recorded.build(recorded.RECIPES["earth_no_leak"])
    assert measured_receptive_field(networks["discriminator"]) == (34, 34)
    usual = recorded.build(recorded.RECIPES["earth"])
    assert measured_receptive_field(usual["discriminator"]) == (64, 64)
    kinds = [[type(layer) for layer in x["generator"].layers] for x in (networks, usual)]
    assert kinds[0] == kinds[1]


def test_a_recipe_of_few_pairs_takes_them_from_all_over_the_world(cache):
    all_pairs = recorded.pictures(recorded.RECIPES["earth"])
    few = recorded.pictures(recorded.RECIPES["earth_10"])
    assert len(set(few.train.names)) == 10
    positions = [all_pairs.train.names.index(name) for name in few.train.names]
    assert np.ptp(np.diff(positions)) <= 1
    assert (positions[0], positions[-1]) == (0, len(all_pairs.train.names) - 1)
    for kept, position in zip(few.train.source, positions):
        assert (kept == all_pairs.train.source[position]).all()
    assert few.test.names == all_pairs.test.names


def test_a_recipe_can_switch_the_pool_off():
    sizes = {}
    for name in ["styles", "styles_no_pool"]:
        recipe = recorded.RECIPES[name]
        networks = recorded.build({**recipe, "size": 32, "filters": 2})
        sizes[name] = recorded.model_of(recipe, networks).pool_size
    assert sizes == {"styles": 50, "styles_no_pool": 0}


def test_weights_are_kept_to_six_binary_digits():
    weights = np.random.default_rng(0).normal(0, 0.02, 1000).astype("float32")
    (kept,) = recorded.rounded([weights])
    assert kept.dtype == "float32" and (kept == kept.astype("float16")).all()
    assert 0 < np.abs(kept / weights - 1).max() <= 1 / 64
    fraction, _ = np.frexp(kept)
    assert (fraction * 64 == np.round(fraction * 64)).all()


def test_a_recording_is_read_as_it_was_saved(tmp_path):
    """In the same order, since a network's weights are told apart by nothing else."""
    (weights,) = recorded.rounded([np.random.default_rng(0).normal(size=(256, 256))])
    weights = weights.astype("float16")
    arrays = {"generator/001": weights, "generator/000": weights[0], "discriminator/000": weights.T}
    recorded.save(tmp_path / "some.npz", arrays)
    with np.load(tmp_path / "some.npz") as stored:
        assert list(stored) == list(arrays)
        for name, array in arrays.items():
            assert stored[name].dtype == "float16" and (stored[name] == array).all()
    np.savez_compressed(tmp_path / "deflated.npz", **arrays)
    bzip2, deflated = (tmp_path / f"{name}.npz" for name in ["some", "deflated"])
    assert bzip2.stat().st_size < 0.95 * deflated.stat().st_size


def test_the_encoder_decoder_is_the_unet_without_its_skips():
    unet = recorded.build(recorded.RECIPES["earth"])["generator"]
    cut = recorded.build(recorded.RECIPES["earth_without_skips"])["generator"]
    joins = [x for x in unet.layers if isinstance(x, keras.layers.Concatenate)]
    convs = [x for x in unet.layers if isinstance(x, keras.layers.Conv2D)]
    after = convs[-len(joins) :]  # each reads what one skip has joined
    skipped = sum(9 * x.input[0].shape[-1] * conv.filters for x, conv in zip(joins, after))
    assert not any(isinstance(x, keras.layers.Concatenate) for x in cut.layers)
    assert unet.count_params() - cut.count_params() == skipped
    assert cut.output.shape == unet.output.shape


def test_the_encoder_decoder_loads_from_a_file_with_the_same_pictures(tmp_path):
    cut = recorded.build(recorded.RECIPES["earth_without_skips"])["generator"]
    cut.save(tmp_path / "cut.keras")
    again = keras.models.load_model(tmp_path / "cut.keras")
    maps = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
    np.testing.assert_array_equal(again(maps), cut(maps))


def test_grey_recipes_give_the_shading_and_ask_for_the_colours(cache):
    part = recorded.pictures({**recorded.RECIPES["grey"], "size": 16}).validation
    emoji = data.openmoji(16).validation
    assert part.names == emoji.names and (part.target == emoji.target).all()
    assert (part.source == data.greyscale(emoji.target)).all()
