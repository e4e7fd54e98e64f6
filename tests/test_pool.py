import keras
import numpy as np
import pytest
import tensorflow as tf

from companion.pool import ImagePool


def picture(value):
    return np.full((1, 2, 2, 1), value, "float32")


def run(pool, values, batch_size=1):
    """Return the values that come back for pictures of these values."""
    pictures = np.concatenate([picture(value) for value in values])
    step = tf.function(pool)
    batches = [pictures[i : i + batch_size] for i in range(0, len(values), batch_size)]
    return np.concatenate([step(tf.constant(batch)).numpy()[:, 0, 0, 0] for batch in batches])


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_while_it_fills_pictures_pass_and_are_kept(batch_size):
    pool = ImagePool((2, 2, 1), size=6)
    assert run(pool, range(6), batch_size).tolist() == list(range(6))
    assert pool.pictures.numpy()[:, 0, 0, 0].tolist() == list(range(6))


@pytest.mark.parametrize("batch_size", [1, 10])
def test_full_it_gives_an_older_picture_half_of_the_time_and_keeps_the_new_one(batch_size):
    pool, n = ImagePool((2, 2, 1), size=5), 1000
    values = np.arange(n)
    back = run(pool, values, batch_size)[5:]
    swapped = back != values[5:]
    assert 0.45 < swapped.mean() < 0.55
    assert (back[swapped] < values[5:][swapped]).all()
    # Nothing is lost or doubled: each picture came back once, is still kept, or passed while the
    # pool was filling, which keeps a copy.
    kept = pool.pictures.numpy()[:, 0, 0, 0]
    assert sorted([*back, *kept]) == list(range(n))


def test_every_place_is_exchanged_as_often():
    pool = ImagePool((2, 2, 1), size=4)
    places = []
    run(pool, range(4))
    for value in range(4, 400):
        before = pool.pictures.numpy()[:, 0, 0, 0]
        run_one = pool(tf.constant(picture(value)))
        changed = np.flatnonzero(before != pool.pictures.numpy()[:, 0, 0, 0])
        assert len(changed) == (float(run_one[0, 0, 0, 0]) != value)
        places += changed.tolist()
    counts = np.bincount(places, minlength=4)
    assert counts.min() > 30 and len(counts) == 4


def test_size_zero_hands_pictures_through():
    assert run(ImagePool((2, 2, 1), size=0), range(9), 3).tolist() == list(range(9))


def test_draws_differ_from_step_to_step_and_repeat_with_the_seed():
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        runs.append(run(ImagePool((2, 2, 1), size=5), range(60)).tolist())
    assert runs[0] == runs[1] != list(range(60))
