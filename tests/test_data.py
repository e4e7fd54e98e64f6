import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from companion import _sources, data
from companion.data import Split

# The cache


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cache_folder_is_the_users_unless_the_environment_names_one(cache, monkeypatch, tmp_path):
    assert data.cache_folder() == cache and cache.is_dir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COMPANION_CACHE", "~/mine")
    assert data.cache_folder() == tmp_path / "home" / "mine"
    monkeypatch.delenv("COMPANION_CACHE")
    monkeypatch.setattr(_sources.pooch, "os_cache", lambda name: tmp_path / "user" / name)
    assert data.cache_folder() == tmp_path / "user" / "image-to-image-companion"


def numbers_to_cache():
    return [np.arange(3)]


def test_a_cache_folder_that_cannot_be_written_is_named(cache, monkeypatch):
    cache.write_bytes(b"a file is in the way")
    with pytest.raises(OSError, match=r"folder .*cache cannot be written .*: name another one in"):
        _sources.cached("numbers", ["x"], numbers_to_cache)
    cache.unlink()
    (stored,) = _sources.cached("numbers", ["x"], numbers_to_cache)

    def refuse(**_):
        raise PermissionError("read-only")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(OSError, match=r"folder .*cache cannot be written \(read-only\)"):
        _sources.cached("others", ["x"], None)  # it says so before the work, not after it
    # What is there can be read all the same: a teacher may have put it there for a class.
    np.testing.assert_array_equal(_sources.cached("numbers", ["x"], None), [stored])


# Pictures on their way


@pytest.fixture(scope="module")
def ramp():
    """A picture whose red gives the column, whose green gives the row."""
    x = np.arange(64, dtype=np.uint8)
    return np.stack([np.tile(x, (64, 1)), np.tile(x[:, None], 64), np.zeros((64, 64), "uint8")], -1)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_jitter_gives_both_pictures_the_same_draw(ramp, dtype):
    for i in range(10):
        source, target = data.jitter(ramp.astype(dtype), 2 * ramp.astype(dtype), [i, 7])
        assert source.shape == target.shape == (64, 64, 3) and source.dtype == tf.float32
        np.testing.assert_allclose(2 * source, target, atol=1e-3)
        again, _ = data.jitter(ramp.astype(dtype), ramp.astype(dtype), [i, 7])
        np.testing.assert_array_equal(source, again)


def test_jitter_enlarges_moves_and_mirrors(ramp):
    draws = [data.jitter(ramp, ramp, [i, 3])[0].numpy() for i in range(200)]
    steps = [draw[32, 40, 0] - draw[32, 20, 0] for draw in draws]  # 20 columns on
    mirrored = np.array(steps) < 0
    assert 70 < mirrored.sum() < 130
    # 64 pixels become 72 (71.5 rounded), so 20 new columns are 20 * 64 / 72 old ones.
    np.testing.assert_allclose(np.abs(steps), 20 * 64 / 72, atol=0.01)
    # 9 crops each way, all of them taken, independent of the mirror.
    top = np.array([draw[32, 32, 1] for draw in draws])
    left = np.array([min(draw[32, 31, 0], draw[32, 32, 0]) for draw in draws])
    assert len(np.unique(top.round(2))) == 9
    for side in [mirrored, ~mirrored]:
        assert len(np.unique(left[side].round(2))) >= 8
    assert abs(np.corrcoef(top, left)[0, 1]) < 0.3
    assert abs(np.corrcoef(top, mirrored)[0, 1]) < 0.3


def test_jitter_and_mirror_keep_the_channels_of_each_side(ramp):
    grey = ramp[..., :1]
    for change in [data.jitter, data.mirror]:
        for seed in range(8):
            source, target = change(grey, ramp, [seed, 0])
            assert source.shape == (64, 64, 1) and target.shape == (64, 64, 3)
            np.testing.assert_array_equal(source, target[..., :1])


def test_jitter_refuses_pictures_of_different_sizes(ramp):
    with pytest.raises(ValueError, match=r"\(64, 64, 3\) and \(32, 64, 3\) do not allow: resize"):
        data.jitter(ramp, ramp[:32], [0, 0])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_mirror_mirrors_half_of_the_pairs(ramp, dtype):
    source, target = ramp.astype(dtype), ramp[:32, :, :1].astype(dtype)
    mirrored = 0
    for seed in range(200):
        one, other = data.mirror(source, target, [seed, 3])
        assert one.dtype == other.dtype == dtype
        step = -1 if one[0, 0, 0] == 63 else 1
        np.testing.assert_array_equal(one, source[:, ::step])
        np.testing.assert_array_equal(other, target[:, ::step])
        np.testing.assert_array_equal(one, data.mirror(source, target, [seed, 3])[0])
        mirrored += step == -1
    assert 70 < mirrored < 130


@pytest.fixture(scope="module")
def numbered():
    """23 pairs of random pictures; the blue of pixel (0, 0) is the number of the pair."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 256, (2, 23, 8, 8, 3), dtype=np.uint8)
    source[:, 0, 0, 2] = target[:, 0, 0, 2] = np.arange(23)
    return Split(source, target, [str(i) for i in range(23)])


def epoch(dataset):
    batches = [[side.numpy() for side in batch] for batch in dataset]
    return [np.concatenate(side) for side in zip(*batches)]


def numbers(images):
    return data.denormalize(images)[:, 0, 0, 2].tolist()


def test_to_dataset_in_order_and_unchanged_by_default(numbered):
    dataset = data.to_dataset(numbered, 5)
    assert [len(source) for source, _ in dataset] == [5, 5, 5, 5, 3] and len(dataset) == 5
    assert dataset.element_spec[0].shape == (None, 8, 8, 3)
    assert [spec.dtype for spec in dataset.element_spec] == [tf.float32, tf.float32]
    source, target = epoch(dataset)
    np.testing.assert_array_equal(source, data.normalize(numbered.source))
    np.testing.assert_array_equal(target, data.normalize(numbered.target))


def test_shuffling_keeps_pairs_and_changes_batches_from_epoch_to_epoch(numbered):
    dataset = data.to_dataset(numbered, 5, shuffle=True)
    (one, target), (two, _) = epoch(dataset), epoch(dataset)
    assert numbers(one) == numbers(target)
    assert sorted(numbers(one)) == sorted(numbers(two)) == list(range(23))
    assert numbers(one) != list(range(23)) and numbers(one) != numbers(two)
    # Pictures are shuffled, not batches, and over the whole split, not in a small buffer.
    assert len({number // 5 for number in numbers(one)[:5]}) > 1
    firsts = [
        numbers(epoch(data.to_dataset(numbered, 5, shuffle=True, seed=i))[0])[0] for i in range(8)
    ]
    assert max(firsts) > 15


def test_augmentation_is_fresh_each_epoch_and_range_is_kept(numbered):
    dataset = data.to_dataset(numbered, 5, augment=True)
    (one, target), (two, _) = epoch(dataset), epoch(dataset)
    assert np.abs(one).max() <= 1 and one.dtype == np.float32
    assert (np.abs(one - two).max(axis=(1, 2, 3)) > 0.01).mean() > 0.5
    same = Split(numbered.source, numbered.source, numbered.names)
    source, target = epoch(data.to_dataset(same, 5, augment=True, shuffle=True))
    np.testing.assert_array_equal(source, target)  # one draw for both
    copies = Split(*np.repeat([numbered.source[:1]] * 2, 23, axis=1), numbered.names)
    assert len(np.unique(epoch(data.to_dataset(copies, 5, augment=True))[0], axis=0)) > 5


@pytest.mark.parametrize("paired", [True, False])
def test_to_dataset_is_reproducible(numbered, paired):
    options = {"augment": True, "shuffle": True, "paired": paired}
    one, other = (data.to_dataset(numbered, 5, seed=1, **options) for _ in range(2))
    different = data.to_dataset(numbered, 5, seed=2, **options)
    for _ in range(3):
        a, b, c = epoch(one), epoch(other), epoch(different)
        for side in range(2):
            np.testing.assert_array_equal(a[side], b[side])
            assert not np.array_equal(a[side], c[side])


def test_unpaired_sides_are_drawn_independently(numbered):
    dataset = data.to_dataset(numbered, 5, shuffle=True, paired=False)
    source, target = epoch(dataset)
    assert sorted(numbers(source)) == sorted(numbers(target)) == list(range(23))
    assert numbers(source) != numbers(target)
    same = Split(numbered.source, numbered.source, numbered.names)
    source, target = epoch(data.to_dataset(same, 5, augment=True, paired=False))
    assert (np.abs(source - target).max(axis=(1, 2, 3)) > 0.01).mean() > 0.5  # two draws


def test_an_unpaired_epoch_is_as_long_as_the_longer_side(numbered):
    for split in [
        Split(numbered.source, numbered.target[:10], []),
        Split(numbered.source[:10], numbered.target, []),
    ]:
        dataset = data.to_dataset(split, 5, shuffle=True, paired=False)
        assert len(dataset) == 5
        sides = sorted(epoch(dataset), key=lambda x: len(set(numbers(x))))
        short, long = (numbers(side) for side in sides)
        assert sorted(long) == list(range(23))
        # The shorter side starts over, newly shuffled, once all of it has been seen.
        assert sorted(short[:10]) == sorted(short[10:20]) == list(range(10))
        assert short[:10] != short[10:20]


def test_the_global_seed_changes_nothing(numbered):
    one, other = (data.to_dataset(numbered, 5, augment=True, shuffle=True) for _ in range(2))
    for _ in range(2):
        tf.random.set_seed(1)
        a = epoch(one)
        tf.random.set_seed(2)
        np.testing.assert_array_equal(a, epoch(other))
    tf.random.set_seed(3)
    first = epoch(data.to_dataset(numbered, 5, augment=True, shuffle=True))
    tf.random.set_seed(4)
    np.testing.assert_array_equal(
        first, epoch(data.to_dataset(numbered, 5, augment=True, shuffle=True))
    )


def test_pictures_are_not_copied_as_a_whole():
    psutil = pytest.importorskip("psutil")
    pictures = np.random.default_rng(0).integers(0, 256, (300, 512, 512, 3), dtype=np.uint8)
    split = Split(pictures, pictures, [])
    next(iter(data.to_dataset(Split(pictures[:8], pictures[:8], []), 4)))  # to warm up
    before = psutil.Process().memory_info().rss
    next(iter(data.to_dataset(split, 4, shuffle=True)))
    assert psutil.Process().memory_info().rss - before < pictures.nbytes / 2  # of 236 MB


def test_augment_takes_a_function(numbered):
    dataset = data.to_dataset(numbered, 5, augment=data.mirror)
    (one, target), (two, _) = epoch(dataset), epoch(dataset)
    known, known_target = (data.normalize(side) for side in numbered[:2])

    def mirrored(images, known):
        flipped = (images == known[:, :, ::-1]).all(axis=(1, 2, 3))
        assert ((images == known).all(axis=(1, 2, 3)) != flipped).all()
        return flipped.tolist()

    assert mirrored(one, known) == mirrored(target, known_target)  # pairs stay pairs
    assert mirrored(one, known) != mirrored(two, known)  # anew in each epoch
    assert 4 < sum(mirrored(one, known)) < 19
    one, target = epoch(data.to_dataset(numbered, 5, augment=data.mirror, paired=False))
    assert mirrored(one, known) != mirrored(target, known_target)


def test_an_unpaired_side_is_augmented_alone(numbered):
    """Also where the sides differ in channels and size."""
    grey = numbered.target[:10, :6, :, :1]
    split = Split(numbered.source, grey, [])
    for augment in [True, data.mirror]:
        source, target = epoch(data.to_dataset(split, 5, augment=augment, paired=False))
        assert source.shape == (23, 8, 8, 3) and target.shape == (23, 6, 8, 1)
        assert (np.abs(target - data.normalize(grey)[np.arange(23) % 10]) > 0.01).any()


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "8", None, True])
def test_batch_sizes_that_are_no_number_of_pictures_are_refused(numbered, batch_size):
    with pytest.raises(ValueError, match=r"batch_size is .*; pass a whole number from 1 on"):
        data.to_dataset(numbered, batch_size)


def test_augment_and_pictures_of_other_kinds_are_refused(numbered):
    with pytest.raises(ValueError, match="augment is 'mirror'; pass False, True or a function"):
        data.to_dataset(numbered, 5, augment="mirror")
    with pytest.raises(ValueError, match="normalize wants uint8 pictures"):
        data.to_dataset(Split(numbered.source, data.normalize(numbered.target), []), 5)


def test_to_dataset_refuses_what_cannot_be_batched(numbered):
    with pytest.raises(
        ValueError, match="23 sources and 10 targets are not pairs: pass paired=False"
    ):
        data.to_dataset(Split(numbered.source, numbered.target[:10], []), 5)
    with pytest.raises(ValueError, match="holds no pictures"):
        data.to_dataset(Split(numbered.source[:0], numbered.target[:0], []), 5)


def test_a_dataset_feeds_fit(numbered):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", "mae")
    dataset = data.to_dataset(numbered, 5, augment=True, shuffle=True)
    history = model.fit(dataset, epochs=2, verbose=0, shuffle=False)
    assert np.isfinite(history.history["loss"]).all()
