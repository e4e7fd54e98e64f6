"""Long trainings, run once and kept: how each was made, and what came out.

`load(name)` returns a trained network, `history(name)` its curves and numbers, `names()` lists
them. `python -m companion.recorded NAME ...` trains again and stores anew; interrupted, it goes on
from the last epoch when called again.

A recording names its device and versions. Those made on a GPU ran the same recipes and networks
through Keras on JAX, whose steps give TensorFlow's losses to four digits.
"""

import csv
import hashlib
import json
import os
import platform
import shutil
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from companion import data, earth, losses, metrics, optimizers
from companion._sources import aside
from companion.cyclegan import CycleGAN
from companion.discriminators import patchgan
from companion.generators import resnet, unet
from companion.pix2pix import Pix2Pix
from companion.translator import together

FOLDER = Path(__file__).parent / "recordings"
EPOCH = 250  # steps; after each the held-out pictures are translated and the state is saved

# Labels to satellite pictures. Instance norm and no dropout, resize + convolution against
# hatching, a learning rate that falls to zero from the middle on.
EARTH = {
    "data": "earth",
    "size": 64,
    "generator": "unet",
    "filters": 16,
    "norm": "instance",
    "discriminator_layers": 2,
    "discriminator_filters": 16,
    "conditional": True,
    "adversarial": "least_squares",
    "l1_weight": 30.0,
    "learning_rate": 4e-4,
    "batch_size": 8,
    "steps": 4000,
    "seeds": 3,
}
# Emoji are flat where the Earth is rough, so the adversarial term gets less say.
EMOJI = {**EARTH, "data": "openmoji", "l1_weight": 100.0, "steps": 6000}
GREY = {**EARTH, "data": "openmoji_grey", "l1_weight": 100.0}

# One artist's emoji in the other's look, without pairs and, for comparison, with them.
STYLES = {
    "data": "emoji_styles",
    "size": 64,
    "generator": "resnet",
    "filters": 20,
    "blocks": 6,
    "norm": "instance",
    "discriminator_layers": 2,
    "discriminator_filters": 32,
    "weights": {"adversarial": 1.0, "cycle_a": 10.0, "cycle_b": 10.0, "identity": 5.0},
    "learning_rate": 4e-4,
    "batch_size": 1,
    "steps": 5000,
    "seeds": 3,
}


def _without(*terms):
    return {**STYLES, "weights": {**STYLES["weights"], **dict.fromkeys(terms, 0.0)}}


RECIPES = {
    "earth": EARTH,
    # What the loss is made of (pix2pix paper, table 1).
    "earth_l1": {**EARTH, "adversarial": None},
    "earth_l2": {**EARTH, "adversarial": None, "l1_weight": 0.0},
    "earth_gan": {**EARTH, "conditional": False, "l1_weight": 0.0},
    "earth_cgan": {**EARTH, "l1_weight": 0.0},
    "earth_l1_gan": {**EARTH, "conditional": False},
    # `earth_cgan` and `earth`, with a discriminator that is also shown pictures with the maps of
    # other places.
    "earth_matching": {**EARTH, "l1_weight": 0.0, "matching": True},
    "earth_l1_matching": {**EARTH, "matching": True},
    # Side of the discriminator's patches (table 3); `earth` has 34, and 142 see the whole picture.
    "earth_patch_1": {**EARTH, "discriminator_layers": 0},
    "earth_patch_16": {**EARTH, "discriminator_layers": 1},
    "earth_patch_70": {**EARTH, "discriminator_layers": 3},
    "earth_patch_142": {**EARTH, "discriminator_layers": 4},
    # The weight of the L1 term: `earth_cgan` has 0, `earth` 30, `earth_l1` nothing else.
    "earth_weight_3": {**EARTH, "l1_weight": 3.0},
    "earth_weight_300": {**EARTH, "l1_weight": 300.0},
    # The generator (table 2), its normalization, and larger pictures.
    "earth_without_skips": {**EARTH, "generator": "encoder_decoder"},
    "earth_resnet": {**EARTH, "generator": "resnet", "blocks": 6},
    "earth_batch_norm": {**EARTH, "norm": "batch"},
    "earth_no_norm": {**EARTH, "norm": "none"},
    # Each score of its discriminator depends on nothing outside its window.
    "earth_no_leak": {**EARTH, "discriminator_norm": "none"},
    "earth_128": {**EARTH, "size": 128, "seeds": 1},
    # From how few pairs: `earth` has 2,281.
    "earth_10": {**EARTH, "pairs": 10},
    "earth_100": {**EARTH, "pairs": 100},
    "earth_1000": {**EARTH, "pairs": 1000},
    # Line drawings of emoji, where many colours are right.
    "emoji": EMOJI,
    "emoji_l1": {**EMOJI, "adversarial": None},
    "emoji_l2": {**EMOJI, "adversarial": None, "l1_weight": 0.0},
    # The same emoji in shades of grey, where the shading is given and only colours are missing.
    "grey": GREY,
    "grey_l1": {**GREY, "adversarial": None},
    "grey_l2": {**GREY, "adversarial": None, "l1_weight": 0.0},
    # CycleGAN and what it does without each of its terms (CycleGAN paper, table 4).
    "styles": STYLES,
    "styles_no_cycle": _without("cycle_a", "cycle_b"),
    "styles_no_identity": _without("identity"),
    "styles_no_adversarial": _without("adversarial"),
    "styles_forward_cycle": _without("cycle_b"),
    "styles_no_pool": {**STYLES, "pool_size": 0},
    # With the other generator: pix2pix' U-Net, as in `earth`.
    "styles_unet": {**STYLES, "generator": "unet", "filters": 16},
    # The cycle term wired to half of the networks: only the generator that closes a loop learns.
    "styles_half_cycle": {**STYLES, "half_cycle": True},
    # Maps and satellite pictures as if nobody knew which belong together.
    "earth_unpaired": {**STYLES, "data": "earth_unpaired"},
    "styles_pairs": {
        **{key: value for key, value in STYLES.items() if key != "weights"},
        "data": "emoji_styles_pairs",
        "conditional": True,
        "adversarial": "least_squares",
        "l1_weight": 30.0,
    },
    # Names the brush of each pixel of a satellite picture, for the recognition score.
    "earth_recognizer": {
        "data": "earth",
        "size": 64,
        "filters": 16,
        "learning_rate": 1e-3,
        "batch_size": 16,
        "steps": 2000,
        "seeds": 1,
    },
}
# Beside the generators, these keep their discriminators, for chapters that look into them.
DISCRIMINATORS = [
    "earth",
    "earth_l1_matching",
    "earth_patch_1",
    "earth_patch_70",
    "emoji",
    "styles",
]


# What a reader calls.


def names():
    """Return the names of all recordings that there are."""
    return [name for name in RECIPES if (FOLDER / f"{name}.json").exists()]


def history(name):
    """Return what is known of a recording, as a dict.

    settings: as in `RECIPES`
    curves:   for each seed {loss: values}, one value every `EPOCH` steps; those that begin with
              val_ are measured on the validation pictures
    held_out: {measure: one value for each seed}, on the test pictures at the end
    minutes:  for each seed; and device and versions that it was made with

    Raises ValueError for a name that is not in `names()`.
    """
    return json.loads(_file(name, "json").read_text(encoding="utf-8"))


def load(name, network=None):
    """Return a trained network of a recording, that of its first seed, as a `keras.Model`.

    network: "generator" and "discriminator" of pix2pix; "generator_ab", "generator_ba",
             "discriminator_a" and "discriminator_b" of CycleGAN; "recognizer". None for the one
             that translates. Discriminators are kept of those in `DISCRIMINATORS`.

    Raises ValueError for a recording or a network that there is not.
    """
    with np.load(_file(name, "npz")) as stored:
        kept = list(dict.fromkeys(key.split("/")[0] for key in stored))
        network = network or kept[0]
        if network not in kept:
            raise ValueError(f"{name} has no {network!r}; choose one of {', '.join(kept)}.")
        weights = [stored[key].astype("float32") for key in stored if key.startswith(f"{network}/")]
    model = build(RECIPES[name])[network]
    model.set_weights(weights)
    return model


def _file(name, suffix):
    path = FOLDER / f"{name}.{suffix}"
    if not path.exists():
        how = f"record it: make record RUN={name}" if name in RECIPES else ", ".join(names())
        raise ValueError(f"There is no recording {name!r}: {how}.")
    return path


# How each is made: pictures, networks, training, numbers.


def pictures(recipe):
    """Return the Splits that a recipe trains on."""
    if recipe["data"] == "emoji_styles_pairs":
        return data.emoji_styles(recipe["size"], paired=True)
    if recipe["data"] == "earth_unpaired":
        return earth.earth(recipe["size"], paired=False)
    if recipe["data"] == "openmoji_grey":
        parts = data.openmoji(recipe["size"])
        return data.Splits(*(p._replace(source=data.greyscale(p.target)) for p in parts))
    parts = getattr(data, recipe["data"])(recipe["size"])
    if "pairs" in recipe:  # from all over the world, since neighbours overlap
        spread = np.linspace(0, len(parts.train.source) - 1, recipe["pairs"]).round().astype(int)
        source, target, names = parts.train
        train = data.Split(source[spread], target[spread], [names[i] for i in spread])
        parts = parts._replace(train=train)
    return parts


def build(recipe):
    """Return the untrained networks of a recipe as {name: keras.Model}."""
    size, filters = recipe["size"], recipe["filters"]
    if "generator" not in recipe:
        return {"recognizer": _recognizer(size, filters)}

    def generator():
        options = {"size": size, "filters": filters, "norm": recipe["norm"], "upsample": "resize"}
        if recipe["generator"] == "resnet":
            return resnet(blocks=recipe["blocks"], **options)
        network = unet(dropout=0, **options)
        return network if recipe["generator"] == "unet" else _without_skips(network)

    def discriminator(conditional):
        layers = recipe["discriminator_layers"]
        norm = recipe.get("discriminator_norm", recipe["norm"])
        options = {"layers": layers, "filters": recipe["discriminator_filters"], "norm": norm}
        return patchgan(size, conditional=conditional, **options)

    if "weights" in recipe:
        return {
            "generator_ab": generator(),
            "generator_ba": generator(),
            "discriminator_a": discriminator(False),
            "discriminator_b": discriminator(False),
        }
    if recipe["adversarial"] is None:
        return {"generator": generator()}
    judge = discriminator(recipe["conditional"])
    if not recipe["conditional"]:  # takes the pair all the same, and looks at one of it
        source, image = keras.Input(judge.input.shape[1:]), judge.input
        judge = keras.Model([source, image], judge(image + 0 * source))  # or Keras 3.13 refuses it
    return {"generator": generator(), "discriminator": judge}


@keras.saving.register_keras_serializable("companion")
class _Below(keras.layers.Layer):
    """Of a skip and the map below, hand on the latter."""

    def call(self, maps):
        return maps[1]


def _without_skips(network):
    """Return a U-Net whose decoder gets nothing but the map below."""

    def copy(layer):
        if isinstance(layer, keras.layers.Concatenate):
            return _Below(name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=copy)


def _recognizer(size, filters):
    """Return a small segmentation network: pictures to logits of the ten brushes, per pixel."""

    def conv(x, width, strides=1):
        x = keras.layers.Conv2D(width, 3, strides, "same", use_bias=False)(x)
        return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))

    image = keras.Input((size, size, 3))
    fine = conv(conv(image, filters), filters)
    half = conv(conv(fine, 2 * filters, 2), 2 * filters)
    x = conv(conv(half, 4 * filters, 2), 4 * filters)
    x = keras.layers.SpatialDropout2D(0.5)(x)
    for skip, width in [(half, 2 * filters), (fine, filters)]:
        x = keras.layers.Concatenate()([skip, keras.layers.UpSampling2D(2)(x)])
        x = conv(x, width)
    return keras.Model(image, keras.layers.Conv2D(len(earth.PALETTE), 1)(x), name="recognizer")


class _Weighted(CycleGAN):
    """CycleGAN with a weight for each term, so that each can be left out."""

    def __init__(self, *networks, recipe):
        self.weights_of_terms = recipe["weights"]
        self.half_cycle = recipe.get("half_cycle", False)
        super().__init__(
            *networks,
            identity_weight=recipe["weights"]["identity"],
            pool_size=recipe.get("pool_size", 50),
        )

    def generator_losses(self, a, b):
        fake_a, fake_b, terms = super().generator_losses(a, b)
        if self.half_cycle:  # who writes a translation does not learn how it is read
            read_a = self.generator_ba(tf.stop_gradient(fake_b), training=True)
            read_b = self.generator_ab(tf.stop_gradient(fake_a), training=True)
            terms |= {"cycle_a": losses.cycle(a, read_a), "cycle_b": losses.cycle(b, read_b)}
        return fake_a, fake_b, terms

    def total_loss(self, **terms):
        return sum(self.weights_of_terms[name] * term for name, term in terms.items())


class _Matching(Pix2Pix):
    """pix2pix with wrong pairs, as Reed et al. (2016, section 4.2) train: real targets of others.

    They are half of what the discriminator should call painted.
    """

    def train_discriminator(self, source, target, output):
        others = tf.roll(source, shift=1, axis=0)
        with tf.GradientTape() as tape:
            pairs = [source, target], [source, output], [others, target]
            real, fake, mismatched = together(self.discriminator, *pairs)
            loss = 0.5 * losses.adversarial(real, real=True, kind=self.adversarial)
            for scores in [fake, mismatched]:
                loss += 0.25 * losses.adversarial(scores, real=False, kind=self.adversarial)
        self._update("discriminator", tape, loss)
        return loss


def model_of(recipe, networks):
    """Return a compiled model that trains these networks as the recipe says."""

    def adam(beta_1=0.5):
        half = recipe["steps"] // 2
        rate = optimizers.LinearDecay(recipe["learning_rate"], half, recipe["steps"] - half)
        return optimizers.Adam(rate, beta_1)

    if "recognizer" in networks:
        model = networks["recognizer"]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(adam(beta_1=0.9), loss)
        return model
    if recipe.get("adversarial", True) is None:
        model = networks["generator"]
        model.compile(
            adam(), "mean_absolute_error" if recipe["l1_weight"] else "mean_squared_error"
        )
        return model
    if "weights" in recipe:
        model = _Weighted(*networks.values(), recipe=recipe)
    else:
        l1_weight, adversarial = recipe["l1_weight"], recipe["adversarial"]
        kind = _Matching if recipe.get("matching") else Pix2Pix
        model = kind(**networks, l1_weight=l1_weight, adversarial=adversarial)
    model.compile(adam(), adam())
    return model


def batches(recipe, split, seed, training):
    """Return a dataset of a recipe's batches, without end where it is for training."""
    paired = not ("weights" in recipe and training)
    size = recipe["batch_size"] if training else 16
    made = data.to_dataset(
        split, size, augment=data.mirror if training else False, shuffle=training, paired=paired,
        seed=seed,
    )  # fmt: skip
    if "generator" not in recipe:  # from pictures to brushes
        colours = tf.constant(list(earth.PALETTE.values()), "float32") / 127.5 - 1
        made = made.map(lambda source, target: (
            target,
            tf.argmin(tf.reduce_sum((source[..., None, :] - colours) ** 2, -1), -1),
        ))  # fmt: skip
    return made.repeat() if training else made


class _Clock(keras.callbacks.Callback):
    """Adds to the log how long each epoch took, so that interruptions do not count."""

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs["minutes"] = (time.monotonic() - self.started) / 60


class _State(keras.callbacks.Callback):
    """Keeps the training after each epoch, and goes on from the last one kept.

    Keras' BackupAndRestore writes weights and epoch over the old ones, in two files; interrupted
    there, it goes on from a mixture. Here a file, named by its epoch, is written aside, and is
    renamed when it is whole.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def latest(self):
        """Return the epochs done and the file with their state, or 0 and None."""
        files = sorted(self.folder.glob("*.weights.h5"))
        return (int(files[-1].name.split(".")[0]), files[-1]) if files else (0, None)

    def on_train_begin(self, logs=None):
        _, file = self.latest()
        if file:
            self.model.load_weights(file)

    def on_epoch_end(self, epoch, logs=None):
        _, older = self.latest()
        with aside() as work:
            file = Path(work, f"{epoch + 1:05}.weights.h5")
            self.model.save_weights(file)
            os.replace(file, self.folder / file.name)
        if older:
            older.unlink()


def train(name, seed):
    """Train one seed of a recipe and return its networks, curves and minutes.

    Curves and state are kept in `data.cache_folder()` after each epoch, where an interrupted
    training of the same recipe finds them again and goes on as if nothing had happened (but for
    the recognizer, whose dropout draws its first masks once more).
    """
    recipe = RECIPES[name]
    splits = pictures(recipe)
    keras.utils.set_random_seed(seed)
    networks = build(recipe)
    model = model_of(recipe, networks)
    folder = _kept(name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    log, state = folder / "curves.csv", _State(folder)
    done, _ = state.latest()
    if log.exists():  # it is written first, so it may be an epoch ahead of the state
        rows = log.read_text(encoding="utf-8").splitlines(keepends=True)
        log.write_text("".join(rows[: 1 + done]), encoding="utf-8")
    model.fit(
        batches(recipe, splits.train, seed, training=True).skip(done * EPOCH),
        validation_data=batches(recipe, splits.validation, seed, training=False),
        initial_epoch=done,
        epochs=recipe["steps"] // EPOCH,
        steps_per_epoch=EPOCH,
        shuffle=False,
        verbose=2,
        callbacks=[_Clock(), keras.callbacks.CSVLogger(log, append=True), state],
    )
    rows = list(csv.DictReader(log.read_text(encoding="utf-8").splitlines()))
    curves = {key: [round(float(row[key]), 5) for row in rows] for key in rows[0] if key != "epoch"}
    return networks, curves, sum(curves.pop("minutes"))


def _kept(name, seed):
    """Return the folder of an unfinished training; with another recipe it is another training."""
    recipe = hashlib.sha256(json.dumps(RECIPES[name]).encode()).hexdigest()[:8]
    return data.cache_folder() / "training" / f"{name}-{recipe}-{seed}"


def measure(name, networks):
    """Return the held-out numbers of trained networks as {measure: value}, on the test pictures."""
    recipe = RECIPES[name]
    test = pictures(recipe).test
    source, target = map(data.normalize, test[:2])
    if "recognizer" in networks:
        return metrics.recognition(
            earth.brushes(test.source), networks["recognizer"].predict(target, verbose=0).argmax(-1)
        )
    translator = next(iter(networks.values()))
    output = translator.predict(source, batch_size=16, verbose=0)
    numbers = {"mean_absolute_error": float(metrics.mean_absolute_error(target, output).mean())}
    if "generator_ba" in networks:
        back = networks["generator_ba"].predict(target, batch_size=16, verbose=0)
        numbers["mean_absolute_error_ba"] = float(metrics.mean_absolute_error(source, back).mean())
    if recipe["data"].startswith("openmoji"):
        numbers["colourfulness"] = float(metrics.colourfulness(output).mean())
    if recipe["data"].startswith("earth") and recipe["size"] == 64:
        seen = load("earth_recognizer").predict(output, batch_size=16, verbose=0).argmax(-1)
        numbers |= metrics.recognition(earth.brushes(test.source), seen)
    return {key: round(value, 4) for key, value in numbers.items()}


def fingerprint(recipe):
    """Return what tells these networks and pictures from others: shapes, names, colours."""
    networks = build(recipe)
    shapes = {name: [list(w.shape) for w in network.weights] for name, network in networks.items()}
    parts = pictures(recipe)
    text = json.dumps([shapes, [part.names for part in parts]])
    return {
        "networks_and_names": hashlib.sha256(text.encode()).hexdigest()[:16],
        "pictures": [len(part.source) for part in parts],
        "mean_colours": [round(float(x.mean())) for part in parts for x in part[:2]],
    }


def record(name):
    """Train all seeds of a recipe and store the recording."""
    runs = []
    for seed in range(RECIPES[name]["seeds"]):
        networks, curves, minutes = train(name, seed)
        weights = {key: rounded(network.get_weights()) for key, network in networks.items()}
        runs.append((weights, curves, minutes))
    versions = {module.__name__: module.__version__ for module in (keras, np, tf)}
    store(name, runs, f"{os.cpu_count()} cores, {platform.machine()}", versions)
    for seed in range(len(runs)):  # so that the next time trains anew
        shutil.rmtree(_kept(name, seed))


def store(name, runs, device, versions):
    """Measure the networks of all seeds, and store the first ones' weights and all numbers.

    runs: for each seed ({network: rounded weights}, curves, minutes)
    """
    recipe = RECIPES[name]
    held_out = {}
    for seed, (weights, _, _) in enumerate(runs):
        networks = build(recipe)
        for key in weights:
            networks[key].set_weights(weights[key])
        for key, value in measure(name, networks).items():
            held_out.setdefault(key, []).append(value)
        print(f"{name}, seed {seed}: {held_out}", flush=True)
    arrays = {
        f"{network}/{i:03}": weight.astype("float16")
        for network, weights in runs[0][0].items()
        if not network.startswith("discriminator") or name in DISCRIMINATORS
        for i, weight in enumerate(weights)
    }
    known = {
        "settings": recipe,
        **fingerprint(recipe),
        "held_out": held_out,
        "minutes": [round(minutes, 1) for _, _, minutes in runs],
        "device": device,
        "versions": versions,
        "curves": [curves for _, curves, _ in runs],
    }
    FOLDER.mkdir(exist_ok=True)
    save(FOLDER / f"{name}.npz", arrays)
    text = json.dumps(known, indent=1)
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def save(path, arrays):
    """Write {name: array} as `np.savez_compressed` does, in bzip2: a sixth smaller for weights.

    `np.load` reads either.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, array)


def rounded(weights):
    """Return weights as a recording keeps them, so that its numbers are those of its weights.

    To 6 binary digits, since those beyond would not compress, and then to float16.
    """
    kept = []
    for weight in weights:
        fraction, exponent = np.frexp(weight)
        kept.append(np.ldexp(np.round(fraction * 64) / 64, exponent).astype("float16"))
    return [weight.astype("float32") for weight in kept]


if __name__ == "__main__":
    unknown = sorted(set(sys.argv[1:]) - set(RECIPES))
    if unknown:
        sys.exit(f"There is no recipe {', '.join(unknown)}; there are {', '.join(RECIPES)}.")
    if not sys.argv[1:]:
        print("Name recordings to make, of:", *RECIPES, sep="\n")
    for name in sys.argv[1:]:
        record(name)
