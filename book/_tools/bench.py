"""Measure how fast training steps are here, beside those that people write: `make bench`.

The contestants of a table take turns, round by round, so that whatever else the machine does hits
all of them alike. They have the same architectures, weights to begin with, pictures and batches;
all but the companion's have plain Keras or PyTorch layers and optimizers. On the CPU, with all its
cores. PyTorch takes part where it can be imported; requirements.txt leaves it out, so install it
beside: .venv/bin/python -m pip install torch. --quick takes tiny networks, to test this file.
"""

import argparse
import contextlib
import functools
import gc
import math
import multiprocessing
import os
import resource
import statistics
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from companion import discriminators, generators
from companion.cyclegan import CycleGAN
from companion.pix2pix import Pix2Pix

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

FLOAT, HALF = "float32", "mixed_bfloat16"

# The sizes of a run. `largest`: 10**12 multiplications and additions of a step beyond which
# a combination of size and batch is left out, as it would not fit into time and memory. `memory`:
# of how many of a table's contestants the memory is measured, each in a process of its own.
FULL = {
    "pix2pix": 256,
    "cyclegan": 128,
    "filters": 64,
    "blocks": 9,
    "steps": 8,
    "rounds": 6,
    "sizes": (64, 128, 256),
    "batches": (1, 4, 16),
    "product": 4096,
    "largest": 3,
    "memory": None,
}
QUICK = {
    "pix2pix": 32,
    "cyclegan": 32,
    "filters": 8,
    "blocks": 2,
    "steps": 2,
    "rounds": 2,
    "sizes": (32, 64),
    "batches": (1, 2),
    "product": 512,
    "largest": 3,
    "memory": 1,
}


# Networks and pictures.


def pix2pix_networks(size, filters, blocks, dropout=0.5):
    generator = generators.unet(size, filters=filters, dropout=dropout)
    discriminator = discriminators.patchgan(size, conditional=True, filters=filters, norm="batch")
    return [generator, discriminator]


def cyclegan_networks(size, filters, blocks):
    networks = [generators.resnet(size, filters=filters, blocks=blocks) for _ in range(2)]
    return networks + [discriminators.patchgan(size, filters=filters) for _ in range(2)]


def plain(network):
    """A copy whose convolutions and normalizations are those of Keras, not the companion's."""
    classes = [
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.BatchNormalization,
        keras.layers.GroupNormalization,
    ]

    def copy(layer):
        for kind in classes:
            if isinstance(layer, kind):
                return kind.from_config(layer.get_config())
        return type(layer).from_config(layer.get_config())

    twin = keras.models.clone_model(network, clone_function=copy)
    twin.set_weights(network.get_weights())
    return twin


def random_pictures(size, batch, steps):
    """As many pairs of batches as steps, float32 in [-1, 1]."""
    random = np.random.default_rng(0)
    pictures = random.uniform(-1, 1, (2, steps * batch, size, size, 3)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(tuple(pictures)).batch(batch, drop_remainder=True)
    # The thread that tunes a pipeline sleeps for 10, 20, 40 ms and so on, and now and then whoever
    # lets go of an iterator has to wait until it wakes: after 5.1 s, for instance.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def adam():
    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def bce(label, scores):
    scores = tf.cast(scores, tf.float32)
    labels = tf.fill(tf.shape(scores), label)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, scores))


def squares(label, scores):
    return tf.reduce_mean(tf.square(tf.cast(scores, tf.float32) - label))


def l1(one, other):
    return tf.reduce_mean(tf.abs(tf.cast(one, tf.float32) - tf.cast(other, tf.float32)))


def update(optimizer, tape, loss, network):
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables))


# The contestants: each takes networks and pictures and returns a function that takes one training
# step with each batch and returns the last step's losses.


def companion(model_class, networks, pictures):
    model = model_class(*networks)
    model.compile()

    def run():
        history = model.fit(pictures, verbose=0).history
        return {name: values[0] for name, values in history.items()}

    return run


def each_batch(step, pictures):
    """Make a contestant of a function that takes one step."""

    def run():
        for a, b in pictures:
            losses = step(a, b)
        return losses

    return run


def tutorial_pix2pix(networks, pictures):
    """TensorFlow's tutorial: one graph, both gradients from one judgement of each picture."""
    generator, discriminator = networks
    generator_adam, discriminator_adam = adam(), adam()

    @tf.function
    def step(source, target):
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            output = generator(source, training=True)
            real = discriminator([source, target], training=True)
            fake = discriminator([source, output], training=True)
            adversarial, distance = bce(1.0, fake), l1(target, output)
            generator_loss = adversarial + 100.0 * distance
            discriminator_loss = 0.5 * (bce(1.0, real) + bce(0.0, fake))
        update(generator_adam, generator_tape, generator_loss, generator)
        update(discriminator_adam, discriminator_tape, discriminator_loss, discriminator)
        return {"discriminator": discriminator_loss, "adversarial": adversarial, "l1": distance}

    return each_batch(step, pictures)


def all_passes(networks, a, b):
    """Every pass of both separate-pass CycleGAN steps, one network call each, and its losses."""
    to_b, to_a, judge_a, judge_b = [functools.partial(x, training=True) for x in networks]
    fake_b, fake_a = to_b(a), to_a(b)
    cycle_a, cycle_b = l1(a, to_a(fake_b)), l1(b, to_b(fake_a))
    same_a, same_b = l1(a, to_a(a)), l1(b, to_b(b))
    real_score_a, real_score_b = judge_a(a), judge_b(b)
    fake_score_a, fake_score_b = judge_a(fake_a), judge_b(fake_b)
    adversarial_a, adversarial_b = squares(1.0, fake_score_a), squares(1.0, fake_score_b)
    discriminator_a = 0.5 * (squares(1.0, real_score_a) + squares(0.0, fake_score_a))
    discriminator_b = 0.5 * (squares(1.0, real_score_b) + squares(0.0, fake_score_b))
    report = {
        "discriminator": discriminator_a + discriminator_b,
        "adversarial": adversarial_a + adversarial_b,
        "cycle_a": cycle_a,
        "cycle_b": cycle_b,
        "identity": same_a + same_b,
    }
    to_b_terms = adversarial_b, cycle_b, same_b
    to_a_terms = adversarial_a, cycle_a, same_a
    return to_b_terms, to_a_terms, (discriminator_a, discriminator_b), report


def tutorial_cyclegan(networks, pictures):
    """TensorFlow's tutorial: both generators learn from both cycles."""
    adams = [adam() for _ in networks]

    @tf.function
    def step(a, b):
        with tf.GradientTape(persistent=True) as tape:
            to_b_terms, to_a_terms, discriminator_losses, report = all_passes(networks, a, b)
            cycle = report["cycle_a"] + report["cycle_b"]
            losses = [
                adversarial + 10.0 * cycle + 5.0 * same
                for adversarial, _, same in (to_b_terms, to_a_terms)
            ]
        for optimizer, network, loss in zip(adams, networks, [*losses, *discriminator_losses]):
            update(optimizer, tape, loss, network)
        return report

    return each_batch(step, pictures)


class KerasIO(keras.Model):
    """keras.io's example, version of 2020: a generator learns from the cycle that it closes."""

    def __init__(self, networks):
        super().__init__()
        self.networks = networks

    def compile(self):
        super().compile()
        self.adams = [adam() for _ in self.networks]

    def train_step(self, data):
        a, b = data
        with tf.GradientTape(persistent=True) as tape:
            to_b_terms, to_a_terms, discriminator_losses, report = all_passes(self.networks, a, b)
            losses = [
                adversarial + 10.0 * cycle + 5.0 * same
                for adversarial, cycle, same in (to_b_terms, to_a_terms)
            ]
        for optimizer, network, loss in zip(
            self.adams, self.networks, [*losses, *discriminator_losses]
        ):
            update(optimizer, tape, loss, network)
        return report


def keras_io_cyclegan(networks, pictures):
    return companion(lambda *networks: KerasIO(networks), networks, pictures)


def train_alone(discriminator, inputs, loss):
    """Compile a discriminator that learns in its own train_on_batch and in no combined model.

    Keras reads `trainable` when it traces the first step, so take that step before freezing.
    """
    discriminator.compile(optimizer=adam(), loss=loss, loss_weights=[0.5])
    discriminator.train_on_batch(inputs, np.ones((len(inputs[0]), *discriminator.output.shape[1:])))
    discriminator.trainable = False


def notes_pix2pix(networks, pictures):
    """predict for the fakes, then train_on_batch of the discriminator and of a combined model."""
    generator, discriminator = networks
    pictures = list(pictures.as_numpy_iterator())
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    train_alone(discriminator, list(pictures[0]), entropy)
    source = keras.Input(generator.input.shape[1:])
    output = generator(source)
    combined = keras.Model(source, [discriminator([source, output]), output])
    combined.compile(optimizer=adam(), loss=[entropy, "mae"], loss_weights=[1.0, 100.0])
    ones = np.ones((len(pictures[0][0]), *discriminator.output.shape[1:]), "float32")

    def step(source, target):
        fake = generator.predict(source, verbose=0)
        discriminator.train_on_batch([source, target], ones)
        discriminator.train_on_batch([source, fake], 0 * ones)
        return combined.train_on_batch(source, [ones, target])

    return each_batch(step, pictures)


def notes_cyclegan(networks, pictures):
    """The same way with four networks."""
    for number, network in enumerate(networks):
        network.name = f"{network.name}_{number}"  # within one model, Keras wants them to differ
    to_b, to_a, judge_a, judge_b = networks
    pictures = list(pictures.as_numpy_iterator())
    train_alone(judge_a, [pictures[0][0]], "mse")
    train_alone(judge_b, [pictures[0][1]], "mse")
    a, b = keras.Input(to_b.input.shape[1:]), keras.Input(to_b.input.shape[1:])
    fake_b, fake_a = to_b(a), to_a(b)
    outputs = [judge_a(fake_a), judge_b(fake_b), to_a(fake_b), to_b(fake_a), to_a(a), to_b(b)]
    combined = keras.Model([a, b], outputs)
    combined.compile(
        optimizer=adam(),
        loss=["mse", "mse", "mae", "mae", "mae", "mae"],
        loss_weights=[1.0, 1.0, 10.0, 10.0, 5.0, 5.0],
    )
    ones = np.ones((len(pictures[0][0]), *judge_a.output.shape[1:]), "float32")

    def step(a, b):
        fake_b, fake_a = to_b.predict(a, verbose=0), to_a.predict(b, verbose=0)
        for judge, real, fake in [(judge_a, a, fake_a), (judge_b, b, fake_b)]:
            judge.train_on_batch(real, ones)
            judge.train_on_batch(fake, 0 * ones)
        return combined.train_on_batch([a, b], [ones, ones, a, b, a, b])

    return each_batch(step, pictures)


# The same networks and steps in PyTorch.


def torch_skip(*inside):
    class Skip(nn.Sequential):
        def forward(self, x):
            return torch.cat([x, super().forward(x)], 1)

    return Skip(*inside)


def torch_residual(*inside):
    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    return Residual(*inside)


def torch_unet(size, filters, dropout):
    widths = [filters * min(2**level, 8) for level in range(min(int(math.log2(size)), 8))]
    inside = []
    for level in reversed(range(1, len(widths))):
        outer, inner = widths[level - 1 : level + 1]
        innermost = not inside
        inside = [
            torch_skip(
                nn.LeakyReLU(0.2),
                nn.Conv2d(outer, inner, 4, 2, 1, bias=False),
                *([] if innermost else [nn.BatchNorm2d(inner)]),
                *inside,
                nn.ReLU(),
                nn.ConvTranspose2d(inner * (1 if innermost else 2), outer, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outer),
                *([nn.Dropout(dropout)] if level >= len(widths) - 3 else []),
            )
        ]
    return nn.Sequential(
        nn.Conv2d(3, filters, 4, 2, 1, bias=False),
        *inside,
        nn.ReLU(),
        nn.ConvTranspose2d(2 * filters, 3, 4, 2, 1),
        nn.Tanh(),
    )


def torch_resnet(filters, blocks):
    def convolution(before, after, kernel, **options):
        return [nn.Conv2d(before, after, kernel, **options), nn.InstanceNorm2d(after)]

    inner = 4 * filters
    layers = [nn.ReflectionPad2d(3), *convolution(3, filters, 7), nn.ReLU()]
    for width in [filters, 2 * filters]:
        layers += [*convolution(width, 2 * width, 3, stride=2, padding=1), nn.ReLU()]
    for _ in range(blocks):
        layers.append(
            torch_residual(
                nn.ReflectionPad2d(1),
                *convolution(inner, inner, 3),
                nn.ReLU(),
                nn.ReflectionPad2d(1),
                *convolution(inner, inner, 3),
            )
        )
    for width in [inner, inner // 2]:
        up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
        layers += [up, nn.InstanceNorm2d(width // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(filters, 3, 7), nn.Tanh())


def torch_patchgan(channels, filters, norm):
    layers = [nn.Conv2d(channels, filters, 4, 2, 1), nn.LeakyReLU(0.2)]
    for level in range(3):
        width = filters * 2**level
        layers += [
            nn.Conv2d(
                width, 2 * width, 4, 2 if level < 2 else 1, 1, bias=norm is nn.InstanceNorm2d
            ),
            norm(2 * width),
            nn.LeakyReLU(0.2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * filters, 1, 4, 1, 1))


def with_weights(network, twin):
    """Give a PyTorch network the weights of its Keras twin."""
    for parameter, weight in zip(network.parameters(), twin.trainable_variables, strict=True):
        value = torch.tensor(np.array(weight))
        value = value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
        assert parameter.shape == value.shape
        parameter.data = value
    return network


def torch_pairs(pictures):
    pairs = pictures.as_numpy_iterator()
    return [[torch.tensor(x.transpose(0, 3, 1, 2)) for x in pair] for pair in pairs]


def torch_adam(*networks):
    parameters = [parameter for network in networks for parameter in network.parameters()]
    # Keras adds its epsilon of 1e-7 before it corrects the bias, PyTorch after. In the first step,
    # whose losses are compared, this one in PyTorch does the same.
    epsilon = 1e-7 / (1 - 0.999) ** 0.5
    return torch.optim.Adam(parameters, 2e-4, (0.5, 0.999), epsilon)


def torch_bce(label, scores):
    return nn.functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def torch_squares(label, scores):
    return nn.functional.mse_loss(scores, torch.full_like(scores, label))


def torch_pix2pix(networks, pictures):
    """As the authors' PyTorch code: the discriminator first, then the generator against it."""
    size, filters = networks[0].input.shape[1], networks[0].layers[1].filters
    dropout = max((x.rate for x in networks[0].layers if hasattr(x, "rate")), default=0.0)
    generator = with_weights(torch_unet(size, filters, dropout), networks[0])
    discriminator = with_weights(torch_patchgan(6, filters, nn.BatchNorm2d), networks[1])
    generator_adam, discriminator_adam = torch_adam(generator), torch_adam(discriminator)
    distance = nn.functional.l1_loss

    def step(source, target):
        output = generator(source)
        discriminator.requires_grad_(True)
        discriminator_adam.zero_grad()
        fake = discriminator(torch.cat([source, output.detach()], 1))
        real = discriminator(torch.cat([source, target], 1))
        discriminator_loss = 0.5 * (torch_bce(0.0, fake) + torch_bce(1.0, real))
        discriminator_loss.backward()
        discriminator_adam.step()
        discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        adversarial = torch_bce(1.0, discriminator(torch.cat([source, output], 1)))
        error = distance(output, target)
        (adversarial + 100.0 * error).backward()
        generator_adam.step()
        return {"discriminator": discriminator_loss, "adversarial": adversarial, "l1": error}

    return each_batch(step, torch_pairs(pictures))


def torch_cyclegan(networks, pictures):
    """As the authors' PyTorch code: the generators first, one Adam for both of a kind."""
    filters = networks[0].layers[2].filters
    blocks = sum(isinstance(x, keras.layers.Add) for x in networks[0].layers)
    to_b, to_a = [with_weights(torch_resnet(filters, blocks), x) for x in networks[:2]]
    judge_a, judge_b = [
        with_weights(torch_patchgan(3, filters, nn.InstanceNorm2d), x) for x in networks[2:]
    ]
    generator_adam, discriminator_adam = torch_adam(to_b, to_a), torch_adam(judge_a, judge_b)
    distance = nn.functional.l1_loss

    def step(a, b):
        fake_b, fake_a = to_b(a), to_a(b)
        cycle_a, cycle_b = distance(to_a(fake_b), a), distance(to_b(fake_a), b)
        judge_a.requires_grad_(False)
        judge_b.requires_grad_(False)
        generator_adam.zero_grad()
        identity = distance(to_b(b), b) + distance(to_a(a), a)
        adversarial = torch_squares(1.0, judge_b(fake_b)) + torch_squares(1.0, judge_a(fake_a))
        (adversarial + 10.0 * (cycle_a + cycle_b) + 5.0 * identity).backward()
        generator_adam.step()
        judge_a.requires_grad_(True)
        judge_b.requires_grad_(True)
        discriminator_adam.zero_grad()
        total = 0.0
        for judge, real, fake in [(judge_a, a, fake_a), (judge_b, b, fake_b)]:
            score_real, score_fake = judge(real), judge(fake.detach())
            loss = 0.5 * (torch_squares(1.0, score_real) + torch_squares(0.0, score_fake))
            loss.backward()
            total += loss.detach()
        discriminator_adam.step()
        return {
            "discriminator": total,
            "adversarial": adversarial,
            "cycle_a": cycle_a,
            "cycle_b": cycle_b,
            "identity": identity,
        }

    return each_batch(step, torch_pairs(pictures))


# What each contestant is, and the arithmetic of its step: for a generator and for a discriminator,
# the passes forward, backward to the weights, backward through all layers but the first, and how
# many of those go on through the first to the picture.

PIX2PIX = {
    "Pix2Pix": (functools.partial(companion, Pix2Pix), (1, 1, 1, 0), (3, 2, 3, 1)),
    "TensorFlow's tutorial": (tutorial_pix2pix, (1, 1, 1, 0), (2, 2, 3, 1)),
    "predict + train_on_batch": (notes_pix2pix, (2, 1, 1, 0), (3, 2, 3, 1)),
    "PyTorch": (torch_pix2pix, (1, 1, 1, 0), (3, 2, 3, 1)),
}
CYCLEGAN = {
    "CycleGAN": (functools.partial(companion, CycleGAN), (3, 3, 3, 1), (3, 2, 3, 1)),
    # Each generator's gradient asks for its own way back through the other one.
    "TensorFlow's tutorial": (tutorial_cyclegan, (3, 3, 4, 1), (2, 2, 3, 1)),
    "keras.io": (keras_io_cyclegan, (3, 3, 3, 0), (2, 2, 3, 1)),
    "predict + train_on_batch": (notes_cyclegan, (4, 3, 3, 1), (3, 2, 3, 1)),
    "PyTorch": (torch_cyclegan, (3, 3, 3, 1), (3, 2, 3, 1)),
}
TABLES = {"pix2pix": (PIX2PIX, pix2pix_networks), "cyclegan": (CYCLEGAN, cyclegan_networks)}


def operations(network, forward, weights, inputs, pictures):
    """Multiplications and additions of so many passes of one picture."""
    layers = [x for x in network.layers if hasattr(x, "kernel")]
    work = []
    for layer in layers:
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        pixels = (layer.input if transposed else layer.output).shape[1:3]
        work.append(2 * math.prod(pixels) * math.prod(layer.kernel.shape))
    return sum(work) * (forward + weights + inputs) - work[0] * (inputs - pictures)


@contextlib.contextmanager
def precision(policy):
    keras.config.set_dtype_policy(policy)
    yield
    keras.config.set_dtype_policy(FLOAT)


def enter(table, name, policy, size, batch, settings, steps, **options):
    """Return a contestant, ready to run, and the operations of its step."""
    contestants, build = TABLES[table]
    contestant, *passes = contestants[name]
    keras.utils.set_random_seed(0)
    with precision(policy):
        networks = build(size, settings["filters"], settings["blocks"], **options)
        half = len(networks) // 2
        work = batch * sum(operations(x, *passes[i >= half]) for i, x in enumerate(networks))
        if name not in ("Pix2Pix", "CycleGAN"):
            networks = [plain(network) for network in networks]
        return contestant(networks, random_pictures(size, batch, steps)), work


def entries(table):
    """All names of a table that can take part here, with their precisions."""
    for name in TABLES[table][0]:
        if name != "PyTorch" or torch:
            yield name, FLOAT
        if name in ("Pix2Pix", "CycleGAN"):
            yield name, HALF


def product(dtype, side):
    """Multiply two matrices of side x side; a contestant like the others."""
    one, other = [tf.cast(tf.random.normal((side, side)), dtype) for _ in range(2)]
    return lambda: tf.linalg.matmul(one, other)


def take_turns(runs, rounds):
    """Return each run's median seconds; a first round, in which graphs are traced, is not timed."""
    seconds = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(table, name, policy, settings):
    """Mebibytes that a contestant and its first steps take; for a process of its own."""
    unit = 1024 if sys.platform == "darwin" else 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run, _ = enter(table, name, policy, settings[table], 1, settings, steps=3)
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit / 1024


def in_process(function, *arguments):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def contest(table, settings, memory):
    """Print how long each contestant's step takes, and what share of the machine it uses."""
    size, steps = settings[table], settings["steps"]
    runs = {dtype: product(dtype, settings["product"]) for dtype in ("float32", "bfloat16")}
    work = {}
    for entry in entries(table):
        runs[entry], work[entry] = enter(table, *entry, size, 1, settings, steps)
    seconds = take_turns(runs, settings["rounds"])
    rates = {dtype: 2 * settings["product"] ** 3 / seconds[dtype] for dtype in list(runs)[:2]}
    print(
        f"\n{table} at {size}x{size}, batch 1; matrix product "
        f"{rates['float32'] / 1e9:.0f} GFLOP/s in float32, "
        f"{rates['bfloat16'] / 1e9:.0f} in bfloat16"
    )
    own = next(iter(TABLES[table][0]))
    fastest = min(seconds[entry] / steps for entry in work if entry[0] != own)
    print(f"{'':26}{'precision':16}{'s/step':>8}{'ratio':>7}{'GFLOP':>7}{'of rate':>9}{'MiB':>7}")
    for entry in work:
        name, policy = entry
        step = seconds[entry] / steps
        rate = work[entry] / step / rates["float32" if policy == FLOAT else "bfloat16"]
        print(
            f"{name:26}{policy:16}{step:8.3f}{step / fastest:7.2f}{work[entry] / 1e9:7.1f}"
            f"{rate:9.0%}{memory.get((table, *entry), math.nan):7.0f}"
        )
    print("ratio: against the fastest of those that are not the companion's", flush=True)


def check(table, settings):
    """Print whether the first step's losses are those of the plainly written steps."""
    options = {"dropout": 0.0} if table == "pix2pix" else {}
    first = {
        name: enter(table, name, policy, settings[table], 1, settings, 1, **options)[0]()
        for name, policy in entries(table)
        if policy == FLOAT and "predict" not in name
    }
    own, *others = first
    for name in others:
        for loss, value in first[own].items():
            if table == "pix2pix" and loss == "adversarial" and name != "PyTorch":
                continue  # the tutorial asks the discriminator before its update
            difference = abs(float(first[name][loss]) - float(value))
            verdict = "equal" if difference < 1e-4 else "NOT EQUAL"
            print(f"first step, {loss} of {own} and {name}: {verdict} ({difference:.0e})")


def scale(table, settings):
    """Print the step time of the companion's model over sizes and batches."""
    own = next(iter(TABLES[table][0]))
    print(f"\n{own}, s/step in float32 and mixed_bfloat16; -: too large")
    print(f"{'':12}" + "".join(f"{'batch ' + str(batch):>18}" for batch in settings["batches"]))
    for size in settings["sizes"]:
        print(f"{size:4}x{size:<7}", end="")
        for batch in settings["batches"]:
            steps = max(settings["steps"] // batch, 1)
            entry = [
                enter(table, own, policy, size, batch, settings, steps) for policy in (FLOAT, HALF)
            ]
            cell = f"{'-':>18}"
            if entry[0][1] < settings["largest"] * 1e12:
                seconds = take_turns({i: entry[i][0] for i in range(2)}, settings["rounds"] // 2)
                cell = "".join(f"{seconds[i] / steps:9.3f}" for i in range(2))
            print(cell, end="", flush=True)
            del entry
            keras.utils.clear_session()
            gc.collect()
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny networks, to test this file")
    settings = QUICK if parser.parse_args().quick else FULL
    # Processes of their own inherit the peak of the one that starts them: so these come first.
    memory = {
        (table, *entry): in_process(peak_memory, table, *entry, settings)
        for table in TABLES
        for entry in [*entries(table)][: settings["memory"]]
    }
    tf.config.threading.set_intra_op_parallelism_threads(os.cpu_count())
    print(
        f"{os.cpu_count()} cores, TensorFlow {tf.__version__}, Keras {keras.__version__}, "
        + (f"PyTorch {torch.__version__}" if torch else "PyTorch left out: not installed")
    )
    for table in TABLES:
        check(table, settings)
        contest(table, settings, memory)
        keras.utils.clear_session()
        gc.collect()
    for table in TABLES:
        scale(table, settings)


if __name__ == "__main__":
    tf.config.set_visible_devices([], "GPU")
    main()
