import hashlib
import io
import os
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from companion import _sources, data
from companion.data import Split


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cache_folder_is_the_users_unless_the_environment_names_one(cache, monkeypatch, tmp_path):
    assert data.cache_folder() == cache and cache.is_dir()
    monkeypatch.delenv("COMPANION_CACHE")
    monkeypatch.setattr(_sources.pooch, "os_cache", lambda name: tmp_path / "user" / name)
    assert data.cache_folder() == tmp_path / "user" / "image-to-image-companion"


# Folders


def save(path, colour=(0, 0, 0), mode="RGB", size=(6, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def test_side_by_side_folder_cuts_pictures_in_halves(tmp_path):
    for part, name in [("train", "b"), ("train", "a"), ("val", "c"), ("test", "d")]:
        path = tmp_path / part / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        both = Image.new("RGB", (40, 20), "white")
        both.paste((0, 0, 0), (0, 0, 20, 20))  # left black, right white
        both.save(path)
    splits = data.side_by_side_folder(tmp_path, size=8)
    assert [split.names for split in splits] == [["a", "b"], ["c"], ["d"]]
    for split in splits:
        # Exactly: halves that are resized before they are cut run into each other.
        assert (split.source == 255).all() and (split.target == 0).all()
        assert split.source.shape == (len(split.names), 8, 8, 3)
        assert split.source.dtype == np.uint8
    splits = data.side_by_side_folder(tmp_path, size=8, source="left")
    assert (splits.train.source == 0).all() and (splits.train.target == 255).all()


def test_side_by_side_folder_refuses_odd_widths_and_unknown_sides(tmp_path):
    save(tmp_path / "train" / "odd.png", size=(7, 4))
    with pytest.raises(ValueError, match=r"odd.png is 7 pixels wide, an odd number.*Crop"):
        data.side_by_side_folder(tmp_path)
    with pytest.raises(ValueError, match="source is 'top'"):
        data.side_by_side_folder(tmp_path, source="top")


def test_paired_folder_matches_by_name(tmp_path):
    for i, name in enumerate(["a-b", "a", "b"]):  # "a-b.png" sorts before "a.png", "a" before "a-b"
        save(tmp_path / "edges" / "train" / f"{name}.PNG", (i, i, i))
        save(tmp_path / "photos" / "train" / f"{name}.bmp", (10 + i, 0, 0))
    save(tmp_path / "edges" / "validation" / "x.png")
    save(tmp_path / "photos" / "val" / "x.webp")
    splits = data.paired_folder(tmp_path / "edges", tmp_path / "photos", size=4)
    assert splits.train.names == ["a", "a-b", "b"]
    assert splits.train.source[:, 0, 0, 0].tolist() == [1, 0, 2]
    assert splits.train.target[:, 0, 0, 0].tolist() == [11, 10, 12]
    assert splits.validation.names == ["x"]
    assert splits.test.names == []
    assert splits.test.source.shape == splits.test.target.shape == (0, 4, 4, 3)


def test_paired_folder_names_pictures_without_partner(tmp_path):
    for name in "abcdefgh":
        save(tmp_path / "edges" / "train" / f"{name}.png")
    for name in "ghi":
        save(tmp_path / "photos" / "train" / f"{name}.png")
    with pytest.raises(ValueError, match=r"7 pictures have no partner.*: a, b, c, d, e, \.\.\."):
        data.paired_folder(tmp_path / "edges", tmp_path / "photos")
    for name in "abcdef":
        save(tmp_path / "photos" / "train" / f"{name}.png")
    save(tmp_path / "edges" / "train" / "i.png")
    save(tmp_path / "edges" / "test" / "z.png")
    with pytest.raises(ValueError, match=r"1 pictures have no partner.*: z\. Rename"):
        data.paired_folder(tmp_path / "edges", tmp_path / "photos")


def test_unpaired_folders_reads_the_cyclegan_layout(tmp_path):
    for part, names in {"trainA": "pqr", "trainB": "st", "testA": "u", "testB": "vw"}.items():
        for name in names:
            save(tmp_path / part / f"{name}.jpg", (ord(name),) * 3)
    splits = data.unpaired_folders(tmp_path, size=4)
    assert splits.train.names == ["p", "q", "r", "s", "t"]
    assert splits.train.source.shape == (3, 4, 4, 3) and splits.train.target.shape == (2, 4, 4, 3)
    assert splits.train.source[:, 0, 0, 0].tolist() == [ord(name) for name in "pqr"]
    assert splits.train.target[:, 0, 0, 0].tolist() == [ord(name) for name in "st"]
    assert splits.test.names == ["u", "v", "w"]
    assert splits.validation.names == [] and splits.validation.source.shape == (0, 4, 4, 3)


def read_one(tmp_path, size=4):
    save(tmp_path / "trainB" / "any.png")
    return data.unpaired_folders(tmp_path, size=size).train.source


def test_pictures_of_all_kinds_become_rgb(tmp_path):
    folder = tmp_path / "trainA"
    save(folder / "1.png", 100, mode="L")
    save(folder / "2.png", (200, 0, 0, 0), mode="RGBA")
    save(folder / "3.png", (0, 0, 0, 51), mode="RGBA")
    palette = Image.new("P", (6, 6), 0)
    palette.putpalette([10, 20, 30])
    palette.save(folder / "4.png")
    palette.save(folder / "5.png", transparency=0)
    save(folder / "6.png", 1, mode="1")
    save(folder / "7.jpg", (0, 255, 255, 0), mode="CMYK", quality=100)
    save(folder / "8.JPEG", (7, 7, 7))
    save(folder / ".DS_Store.png")
    (folder / ".DS_Store").write_text("x")
    (folder / "Thumbs.db").write_text("x")
    source = read_one(tmp_path)
    expected = [[100] * 3, [255] * 3, [204] * 3, [10, 20, 30], [255] * 3, [255] * 3, [255, 0, 0]]
    np.testing.assert_allclose(source[:, 2, 2], expected + [[7, 7, 7]], atol=2)


def test_pictures_are_resized_with_antialiasing_and_turned_upright(tmp_path):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255  # picking single pixels would give black or white
    turned = np.zeros((8, 8, 3), np.uint8)
    turned[:4] = 255  # the sensor's upper half ...
    exif = Image.Exif()
    exif[0x0112] = 6  # ... is the right half of the photo
    (tmp_path / "trainA").mkdir()
    Image.fromarray(stripes).save(tmp_path / "trainA" / "1.png")
    Image.fromarray(turned).save(tmp_path / "trainA" / "2.png", exif=exif)
    stripes, turned = read_one(tmp_path, size=8)
    assert 90 < stripes.min() and stripes.max() < 165
    assert (turned[:, :3] < 10).all() and (turned[:, 5:] > 245).all()


def test_unreadable_pictures_are_named(tmp_path):
    save(tmp_path / "trainA" / "good.png", size=(64, 64))
    bad = tmp_path / "trainA" / "bad.png"
    for content in [b"", b"<html>", (tmp_path / "trainA" / "good.png").read_bytes()[:-30]]:
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.png cannot be read as a picture.*convert it"):
            read_one(tmp_path)
    save(bad, 40000, mode="I;16")
    with pytest.raises(ValueError, match=r"bad\.png.*more than 8 bits.*convert it"):
        read_one(tmp_path)


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        data.side_by_side_folder(tmp_path / "nowhere")
    save(tmp_path / "flat" / "1.png")
    with pytest.raises(FileNotFoundError, match=r"flat has no subfolder train: put"):
        data.side_by_side_folder(tmp_path / "flat")
    with pytest.raises(FileNotFoundError, match=r"flat has no subfolder trainA: put"):
        data.unpaired_folders(tmp_path / "flat")
    (tmp_path / "empty" / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"train holds no pictures .*\.png"):
        data.side_by_side_folder(tmp_path / "empty")
    save(tmp_path / "twice" / "train" / "1.png")
    save(tmp_path / "twice" / "train" / "1.jpg")
    with pytest.raises(ValueError, match=r"1\.\w+ and 1\.\w+ share one name"):
        data.paired_folder(tmp_path / "twice", tmp_path / "twice")


# Downloads, from a server of our own


def zipped(entries, links=()):
    """Return a zip archive as bytes; `entries` maps names to contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if name in links else 0o100644) << 16
            archive.writestr(entry, content)
    return file.getvalue()


class Server:
    """Answers every request with `body`, announcing `announced` bytes or as many as it sends."""

    def __init__(self):
        self.status, self.body, self.announced, self.requests = 200, b"", None, 0


@pytest.fixture
def server(monkeypatch):
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests += 1
            self.send_response(state.status)
            self.send_header("Content-Length", str(state.announced or len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setattr(data, "ADDRESS", f"http://127.0.0.1:{http.server_address[1]}/")
        yield state
        http.shutdown()


@pytest.fixture
def archive(server, monkeypatch):
    """A data set on the server, listed in SETS."""

    def publish(body):
        server.body = body
        entry = (len(body), hashlib.sha256(body).hexdigest())
        monkeypatch.setitem(data.SETS, "shapes", entry)
        return body

    return publish


GOOD = {"shapes/trainA/1.txt": os.urandom(200_000), "shapes/testB/2.txt": b"two"}


def test_download_extracts_once_and_then_asks_no_network(
    archive, server, cache, capsys, monkeypatch
):
    monkeypatch.setattr(data.pooch.get_logger().handlers[0], "stream", sys.stderr)
    archive(zipped(GOOD))
    folder = data.download("shapes")
    assert folder == cache / "shapes"
    assert (folder / "trainA" / "1.txt").read_bytes() == GOOD["shapes/trainA/1.txt"]
    assert (folder / "testB" / "2.txt").read_text() == "two"
    assert [path.name for path in cache.iterdir()] == ["shapes"]  # the archive is gone
    out, err = capsys.readouterr()
    assert "Downloading shapes: 100%" in out and err == ""
    assert data.download("shapes") == folder and server.requests == 1
    assert capsys.readouterr() == ("", "")


def breaks_off(server, body):
    server.announced, server.body = len(body), body[: len(body) // 2]


def lies_about_the_length(server, body):
    server.body = body[: len(body) // 2]


def sends_wrong_bytes(server, body):
    server.body = body[:-1] + b"x"


def sends_too_much(server, body):
    server.body = body + b"x"


def knows_nothing(server, body):
    server.status, server.body = 404, b"no such file"


@pytest.mark.parametrize(
    "trouble, message",
    [
        (breaks_off, r"65,536 of 200,\d\d\d bytes arrived: .*IncompleteRead"),
        (
            lies_about_the_length,
            r"100,\d\d\d of 200,\d\d\d bytes arrived: no more were sent",
        ),
        (sends_wrong_bytes, r"SHA256 hash .*expected sha256:[0-9a-f]{64} but got [0-9a-f]{64}"),
        (sends_too_much, r"200,\d\d\d of 200,\d\d\d bytes arrived"),
        (knows_nothing, r"0 of 200,\d\d\d bytes arrived: 404"),
    ],
)
def test_a_failed_download_says_so_and_leaves_nothing(archive, server, cache, trouble, message):
    body = archive(zipped(GOOD))
    trouble(server, body)
    with pytest.raises(OSError, match=message) as failure:
        data.download("shapes")
    assert f"{data.ADDRESS}shapes.zip" in str(failure.value)
    assert "nothing was kept. Try again" in str(failure.value)
    assert list(cache.iterdir()) == []
    server.status, server.body, server.announced = 200, body, None
    assert (data.download("shapes") / "testB" / "2.txt").is_file()  # trying again works


def test_an_unreachable_server_is_named(archive, server, monkeypatch):
    archive(zipped(GOOD))
    monkeypatch.setattr(data, "ADDRESS", "http://127.0.0.1:9/")
    with pytest.raises(
        OSError, match=r"could not be downloaded from http://127.0.0.1:9/shapes.zip"
    ):
        data.download("shapes")


def test_an_interrupted_download_leaves_nothing(archive, cache, monkeypatch):
    archive(zipped(GOOD))

    def interrupt(self, n=1):
        raise KeyboardInterrupt

    monkeypatch.setattr(data.tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.download("shapes")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["../escaped.txt", "shapes/../../escaped.txt", "/{}/escaped.txt"])
def test_an_archive_that_climbs_out_is_refused(archive, cache, tmp_path, name):
    name = name.format(str(tmp_path)[1:])
    archive(zipped({**GOOD, name: b"out"}))
    with pytest.raises(ValueError, match=r"is unsafe: its entry .*escaped\.txt"):
        data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes.zip"]
    assert not list(tmp_path.rglob("escaped.txt"))


def test_an_archive_with_a_link_is_refused(archive, cache):
    archive(zipped({**GOOD, "shapes/trainA/link": b"/etc"}, links=["shapes/trainA/link"]))
    with pytest.raises(ValueError, match="is unsafe: its entry 'shapes/trainA/link'"):
        data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes.zip"]


def test_an_archive_without_its_folder_is_refused(archive, cache):
    archive(zipped({"other/1.txt": b"one"}))
    with pytest.raises(ValueError, match="has no folder shapes"):
        data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes.zip"]


def test_an_interrupted_extraction_is_redone_without_network(archive, server, cache, monkeypatch):
    archive(zipped(GOOD))
    extract = zipfile.ZipFile.extract

    def interrupt(self, entry, path):
        if entry.filename.endswith("2.txt"):
            raise KeyboardInterrupt
        extract(self, entry, path)

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes.zip"]
    assert (data.download("shapes") / "testB" / "2.txt").is_file()
    assert server.requests == 1


def test_unknown_sets_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'horse2zebras'. Did you mean 'horse2zebra'\? Known are"):
        data.download("horse2zebras")
    with pytest.raises(ValueError, match=r"'xyz'. Known are apple2orange, facades, horse2zebra"):
        data.download("xyz")


def test_the_table_of_sets_is_well_formed():
    assert len(data.SETS) == 7
    for size, sha256 in data.SETS.values():
        assert size > 10**7 and len(sha256) == 64 and int(sha256, 16)


# From pictures to batches


def test_normalize_and_denormalize_are_inverse():
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for images in [values, tf.constant(values)]:
        normalized = data.normalize(images)
        assert normalized.dtype == "float32" and type(normalized) is type(images)
        assert np.min(normalized) == -1 and np.max(normalized) == 1
        back = data.denormalize(normalized)
        assert isinstance(back, np.ndarray) and back.dtype == np.uint8
        np.testing.assert_array_equal(back, values)


def test_denormalize_rounds():
    images = np.float32([-1.0009, -1, -1 + 0.6 / 127.5, 0.9999, 1, 1.0009])
    assert data.denormalize(images).tolist() == [0, 0, 1, 255, 255, 255]
    assert data.denormalize(tf.constant([0.25], "bfloat16")).tolist() == [159]


@pytest.mark.parametrize("wrong", [np.float32([0, 255]), np.float32([0, np.nan]), np.uint8([0, 1])])
def test_denormalize_refuses_values_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"wants float pictures in \[-1, 1\], not \w+ with values"):
        data.denormalize(wrong)


def test_normalize_refuses_what_is_not_uint8():
    for images in [np.zeros((1, 2, 2, 3)), tf.zeros((1, 2, 2, 3))]:
        with pytest.raises(ValueError, match=r"normalize wants uint8 pictures"):
            data.normalize(images)


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
