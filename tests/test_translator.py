"""What both trainers share: optimizers, precision, distribution, checks, saving and resuming."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from trainers import (
    BATCHES,
    BOTH,
    SOURCE,
    TARGET,
    compiled,
    cyclegan,
    pix2pix,
    same,
    steepest,
    still,
    train,
    trainable,
    weights,
)

from companion.callbacks import ImageMonitor

both = pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)


def fresh_process(code, *arguments):
    """Run code in a Python of its own, which has imported nothing yet."""
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=Path(__file__).parent,  # where trainers.py is
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]


# Optimizers.


@both
def test_the_optimizers_are_the_papers_unless_given(make):
    """Adam's first step does not depend on beta_1, so no test of one step can see it."""
    model = compiled(make())
    for adam in [model.generator_optimizer, model.discriminator_optimizer]:
        assert float(adam.learning_rate) == pytest.approx(2e-4) and adam.beta_1 == 0.5


@both
def test_optimizers_by_name(make):
    model = compiled(make(), "sgd", "rmsprop")
    train(model, BATCHES.take(1))
    assert isinstance(model.generator_optimizer, keras.optimizers.SGD)
    assert isinstance(model.discriminator_optimizer, keras.optimizers.RMSprop)


@both
def test_one_optimizer_for_both_is_refused(make):
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="an optimizer each"):
        make().compile(adam, adam)


@both
@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_an_optimizer_moves_its_own_networks_and_no_other(make, kind):
    optimizers = [steepest(), still()] if kind == "generator" else [still(), steepest()]
    model = compiled(make(), *optimizers)
    before = {name: trainable(getattr(model, name)) for name in model.networks}
    train(model, BATCHES.take(1))
    for name in model.networks:
        after = trainable(getattr(model, name))
        moved = [not np.array_equal(old, new) for old, new in zip(before[name], after)]
        assert all(moved) if name.startswith(kind) else not any(moved)


@both
@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_eagerly_or_several_steps_at_once_the_training_is_the_same(make, options):
    usual, other = compiled(make(), "sgd", "sgd"), compiled(make(), "sgd", "sgd", **options)
    first, second = train(usual, BATCHES.take(2)), train(other, BATCHES.take(2))
    assert same(weights(usual), weights(other), atol=2e-5)
    for name in first:
        assert first[name] == pytest.approx(second[name], rel=1e-4)


@both
def test_train_on_batch_takes_the_step_of_fit(make):
    model, twin = compiled(make(), "sgd", "sgd"), compiled(make(), "sgd", "sgd")
    train(model, BATCHES.take(1))
    twin.train_on_batch(SOURCE[:2], TARGET[:2])
    assert same(weights(model), weights(twin), atol=2e-6)


# Precision.


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@both
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_mixed_precision_takes_nearly_the_same_step(make, policy):
    options = {"dropout": 0} if make is pix2pix else {}  # its draws depend on the precision
    optimizers = [keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01)]
    if policy == "mixed_float16":  # start from a scale at which nothing overflows
        optimizers = [keras.optimizers.LossScaleOptimizer(x, 2.0**8) for x in optimizers]
    model = compiled(make(**options), *optimizers)
    keras.config.set_dtype_policy("float32")
    exact = compiled(make(**options), "sgd", "sgd")
    start = weights(exact)
    half, full = train(model, BATCHES.take(1)), train(exact, BATCHES.take(1))
    for name in full:
        assert half[name] == pytest.approx(full[name], rel=0.03)
    steps = [(a - c, b - c) for a, b, c in zip(weights(model), weights(exact), start)]
    taken, expected = (np.concatenate([x.ravel() for x in side]) for side in zip(*steps))
    assert np.linalg.norm(taken - expected) < 0.1 * np.linalg.norm(expected)
    assert all(weight.dtype in (np.float32, np.int32) for weight in weights(model))
    assert model.predict(SOURCE, verbose=0).dtype == np.float32


@both
@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_float16_scales_both_losses_and_skips_what_overflows(make, policy):
    def scaled(first):
        return keras.optimizers.LossScaleOptimizer(steepest(), initial_scale=first)

    model = compiled(make(), scaled(1e30), scaled(2.0**10))
    before = {name: trainable(getattr(model, name)) for name in model.networks}
    train(model, BATCHES.take(1))
    for name in model.networks:
        stayed = same(before[name], trainable(getattr(model, name)))
        assert stayed == name.startswith("generator")
    default = compiled(make())
    for optimizer in [default.generator_optimizer, default.discriminator_optimizer]:
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def test_pictures_of_numpys_own_float_train_as_others_do():
    """`x / 127.5 - 1` is float64, and painted pictures, which are float32, join them in a batch."""
    double = BATCHES.map(lambda a, b: (tf.cast(a, "float64"), tf.cast(b, "float64")))
    for make in BOTH.values():
        one, other = train(compiled(make()), BATCHES), train(compiled(make()), double)
        for name, values in one.items():
            np.testing.assert_allclose(other[name], values, rtol=1e-4)


# Several devices.

DEVICES = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from trainers import *

from companion.optimizers import Adam

one_by_one = tf.distribute.ReductionToOneDevice()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=one_by_one)
batch = tf.data.Dataset.from_tensor_slices((SOURCE, TARGET)).batch(8)
steepest = lambda: keras.optimizers.SGD(0.1)
adam = lambda: Adam(0.1, epsilon=1.0)  # so large that rounding cannot turn a step round
cases = {
    "pix2pix": (lambda: pix2pix(norm="instance", dropout=0), steepest, 1),
    "cyclegan": (lambda: cyclegan(pool_size=0), steepest, 1),
    "pix2pix with Adam": (lambda: pix2pix(norm="instance", dropout=0), adam, 3),
}
for name, (make, optimizer, steps) in cases.items():
    alone = compiled(make(), optimizer(), optimizer(), run_eagerly=True)
    losses = train(alone, batch.repeat(steps))
    with strategy.scope():
        shared = compiled(make(), optimizer(), optimizer())
    for key, value in train(shared, batch.repeat(steps)).items():
        np.testing.assert_allclose(value, losses[key], rtol=1e-4)
    start, apart = weights(make()), weights(alone)
    assert not same(start, apart, atol=1e-4), "the step is too small to be compared"
    assert same(apart, weights(shared), atol=1e-5), f"{name} takes another step on two devices"

    # A last batch too small for both devices would turn weights into NaN.
    try:
        train(shared, tf.data.Dataset.from_tensor_slices((SOURCE[:5], TARGET[:5])).batch(4))
    except tf.errors.InvalidArgumentError as error:
        assert "drop_remainder=True" in str(error)
    else:
        raise AssertionError("a device without a picture passed")

# With everything switched on it runs, and goes on from a file.
keras.config.set_dtype_policy("mixed_float16")
with strategy.scope():
    model = compiled(cyclegan())
for _ in range(3):
    train(model, BATCHES)
assert all(np.isfinite(weight).all() for weight in weights(model))
model.save("MODEL")
with strategy.scope():
    train(keras.models.load_model("MODEL"), BATCHES)
"""


def test_two_devices_take_the_step_of_one(tmp_path):
    fresh_process(DEVICES.replace("MODEL", str(tmp_path / "model.keras")))


WORKER = """
import sys
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before TensorFlow does anything else
assert strategy.num_replicas_in_sync == 2
from trainers import *

makers = {
    "pix2pix": lambda: pix2pix(norm="instance", dropout=0),
    "cyclegan": lambda: cyclegan(pool_size=0),
}
batch = tf.data.Dataset.from_tensor_slices((SOURCE, TARGET)).batch(8)
for name, make in makers.items():
    with strategy.scope():
        model = compiled(make(), keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    step = tf.function(lambda part: strategy.run(model.train_step, args=(part,)))
    for part in strategy.experimental_distribute_dataset(batch):
        step(part)
    np.savez(f"{sys.argv[1]}_{name}.npz", *weights(model))
"""


def run_workers(code, results, seconds=150):
    """Run code in two processes that know of each other, each with a path of its own."""
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in results]
    addresses = [f"127.0.0.1:{door.getsockname()[1]}" for door in doors]
    for door in doors:
        door.close()
    workers = []
    try:
        for index, result in enumerate(results):
            task = {"type": "worker", "index": index}
            config = json.dumps({"cluster": {"worker": addresses}, "task": task})
            command = [sys.executable, "-c", code, str(result)]
            with open(f"{result}.log", "wb") as log:
                environment = {**os.environ, "TF_CONFIG": config, "CUDA_VISIBLE_DEVICES": "-1"}
                workers.append(
                    subprocess.Popen(
                        command, cwd=Path(__file__).parent, stdout=log, stderr=log, env=environment
                    )
                )
        for worker, result in zip(workers, results):
            code = worker.wait(seconds)
            assert code == 0, Path(f"{result}.log").read_text(encoding="utf-8")[-2000:]
    finally:  # one whose partner failed would wait forever
        for worker in workers:
            worker.kill()
            worker.wait()


def test_two_workers_take_the_step_of_one(tmp_path):
    results = [tmp_path / "first", tmp_path / "second"]
    run_workers(WORKER, results)
    makers = {
        "pix2pix": lambda: pix2pix(norm="instance", dropout=0),
        "cyclegan": lambda: cyclegan(pool_size=0),
    }
    batch = tf.data.Dataset.from_tensor_slices((SOURCE, TARGET)).batch(8)
    for name, make in makers.items():
        sgd = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
        alone = compiled(make(), *sgd, run_eagerly=True)
        train(alone, batch)
        assert not same(weights(make()), weights(alone), atol=1e-4), "too small to be compared"
        for result in results:
            with np.load(f"{result}_{name}.npz") as stored:
                assert same(weights(alone), stored.values(), atol=1e-5), f"{name}: another step"


# Input.

WRONG = {
    "uint8": (np.zeros((2, 16, 16, 3), "uint8"), "float pictures.*uint8.*normalize"),
    "size": (np.zeros((2, 8, 8, 3), "float32"), r"\(16, 16, 3\).*\(.*, 8, 8, 3\)"),
    "channels": (np.zeros((2, 16, 16, 1), "float32"), r"\(16, 16, 3\).*\(.*, 16, 16, 1\)"),
    "one picture": (np.zeros((16, 16, 3), "float32"), r"\(16, 16, 3\)"),
    "none": (np.zeros((0, 16, 16, 3), "float32"), "got no picture"),
    "range": (
        np.full((2, 16, 16, 3), 255, "float32"),
        r"(?s)values (lie outside|from 255).*normalize",
    ),
}


@both
@pytest.mark.parametrize("pictures, complaint", WRONG.values(), ids=WRONG)
def test_wrong_pictures_are_refused_the_same_way_everywhere(make, pictures, complaint):
    model = compiled(make())
    batch = tf.data.Dataset.from_tensors((pictures, pictures))
    for use in [
        lambda: model.fit(batch, verbose=0),
        lambda: model.evaluate(batch, verbose=0),
        lambda: model.predict(batch, verbose=0),
        lambda: model(pictures),
        lambda: model.fit(BATCHES.take(1), verbose=0, callbacks=[ImageMonitor(pictures)]),
    ]:
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=complaint):
            use()


def test_batches_of_unequal_sides_are_refused():
    model = compiled(cyclegan(identity_weight=0))  # nothing else would stop them
    batch = tf.data.Dataset.from_tensors((SOURCE[:4], TARGET[:2]))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="as many pictures"):
        model.fit(batch, verbose=0)


@both
def test_pictures_alone_and_sample_weights_are_refused(make):
    with pytest.raises(ValueError, match="two kinds of pictures"):
        compiled(make()).fit(SOURCE, verbose=0)
    with pytest.raises(ValueError, match="two kinds of pictures"):
        compiled(make()).fit(SOURCE, TARGET, sample_weight=np.ones(8), verbose=0)


@both
def test_an_unknown_adversarial_loss_is_refused_at_once(make):
    with pytest.raises(ValueError, match="hinge.*least_squares"):
        make(adversarial="hinge")


@both
@pytest.mark.parametrize("batch_size", [1, 4, 5])
def test_every_held_out_picture_counts_the_same(make, batch_size):
    model = compiled(make(), still(), still())
    five = tf.data.Dataset.from_tensor_slices(
        (SOURCE[:5], TARGET[:5] * np.linspace(0, 1, 5, dtype="float32")[:, None, None, None])
    )
    together, apart = (
        {name: float(value) for name, value in losses.items()}  # Keras 3.13 returns tensors
        for losses in (
            model.evaluate(five.batch(n), verbose=0, return_dict=True) for n in (5, batch_size)
        )
    )
    assert apart == pytest.approx(together, rel=1e-5)


# Saving, resuming, exporting.


@both
def test_resuming_from_a_file_takes_the_very_same_next_steps(make, tmp_path):
    straight = compiled(make())
    train(straight, BATCHES)  # four steps

    stopped = compiled(make())
    train(stopped, BATCHES.take(2))
    stopped.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    train(resumed, BATCHES.skip(2))

    assert same(weights(straight), weights(resumed))  # pools included
    for a, b in zip(straight._random_states(), resumed._random_states(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for optimizer in ["generator_optimizer", "discriminator_optimizer"]:
        first, second = getattr(straight, optimizer), getattr(resumed, optimizer)
        assert same([v.numpy() for v in first.variables], [v.numpy() for v in second.variables])
        assert int(second.iterations) == 4


@both
def test_a_model_is_saved_and_loaded_compiled_or_not(make, tmp_path):
    model, path = make(), tmp_path / "model.keras"
    model.save(path)
    assert not keras.models.load_model(path).compiled
    model.compile("sgd", "sgd")
    model.save(path)
    loaded = keras.models.load_model(path, compile=False)
    assert not loaded.compiled
    loaded.save(path)
    np.testing.assert_array_equal(keras.models.load_model(path)(SOURCE), model(SOURCE))


def test_a_fresh_process_loads_and_goes_on_training(tmp_path):
    models = [compiled(make()) for make in BOTH.values()]
    for model in models:
        train(model, BATCHES.take(2))
        model.save(tmp_path / f"{type(model).__name__}.keras")
    np.save(tmp_path / "source.npy", SOURCE)
    code = """
import sys, keras, numpy as np
from companion import cyclegan, pix2pix
keras.utils.set_random_seed(0)
folder = sys.argv[1]
source = np.load(folder + "/source.npy")
for name in ["Pix2Pix", "CycleGAN"]:
    model = keras.models.load_model(f"{folder}/{name}.keras")
    np.save(f"{folder}/{name}.npy", model.predict(source, verbose=0))
    model.fit(source[:2], source[2:4], verbose=0)
"""
    fresh_process(code, tmp_path)
    for model in models:
        output = np.load(tmp_path / f"{type(model).__name__}.npy")
        np.testing.assert_allclose(output, model.predict(SOURCE, verbose=0), atol=1e-6)


@both
def test_a_file_keeps_the_settings(make, tmp_path):
    model = make(adversarial="least_squares")
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name in model.settings:
        assert getattr(loaded, name) == getattr(model, name)
    assert float(loaded.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(2e-4)
    assert loaded.steps_per_execution == 2


@both
def test_a_configuration_builds_more_than_one_model(make):
    model = make()
    config = model.get_config()
    first, second = (type(model).from_config(config) for _ in range(2))
    assert len(first.weights) == len(second.weights) == len(model.weights)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_resumed_run_is_compiled_as_the_first_was(tmp_path, monkeypatch, jit_compile):
    # Keras refuses XLA where operations are deterministic, as they are in tests.
    monkeypatch.setattr("keras.src.trainers.trainer.model_supports_jit", lambda model: True)
    compiled(pix2pix(), jit_compile=jit_compile).save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").jit_compile is jit_compile


XLA = """
import os
os.environ["TF_DETERMINISTIC_OPS"] = "0"  # XLA and these operations exclude each other
from trainers import *
for make in [lambda: pix2pix(dropout=0), lambda: cyclegan(pool_size=9)]:
    usual, xla = compiled(make(), "sgd", "sgd"), compiled(make(), "sgd", "sgd", jit_compile=True)
    first, second = train(usual, BATCHES), train(xla, BATCHES)
    assert xla.jit_compile
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-3)
"""


def test_xla_compiles_the_step_and_gives_the_same():
    fresh_process(XLA)


@both
def test_export_writes_the_generator(make, tmp_path):
    model = make()
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(SOURCE), model.predict(SOURCE, verbose=0), atol=1e-5)


def test_training_mode_is_random_and_inference_is_not():
    model = pix2pix()
    assert not np.allclose(model(SOURCE, training=True), model(SOURCE, training=True))
    np.testing.assert_array_equal(model(SOURCE), model(SOURCE))


def test_both_directions_translate():
    model = cyclegan()
    np.testing.assert_array_equal(
        model.predict(SOURCE, verbose=0), model.generator_ab.predict(SOURCE, verbose=0)
    )
    assert model.generator_ba.predict(TARGET, verbose=0).shape == TARGET.shape
