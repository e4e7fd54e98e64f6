import warnings

import numpy as np
import pytest
from PIL import Image

from companion import data


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
    (folder / ".DS_Store").write_text("x", encoding="utf-8")
    (folder / "Thumbs.db").write_text("x", encoding="utf-8")
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


@pytest.mark.parametrize("size", ["8", 0, 8.0])
def test_sizes_that_are_no_number_of_pixels_are_refused(tmp_path, size):
    save(tmp_path / "trainA" / "any.png")
    with pytest.raises(ValueError, match=r"size is .*; pass a whole number from 1 on"):
        read_one(tmp_path, size)


def test_pictures_too_large_for_pillow_are_named(tmp_path, monkeypatch):
    save(tmp_path / "trainA" / "huge.png", size=(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # else 179 million
    with pytest.raises(ValueError, match=r"huge\.png has too many pixels.*make it smaller"):
        read_one(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # large, and Pillow would only warn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_one(tmp_path)) == 1


def test_accents_are_one_letter_or_two(tmp_path):
    save(tmp_path / "source" / "train" / "\u00e9.png")
    save(tmp_path / "target" / "train" / "e\u0301.png")
    pairs = data.paired_folder(tmp_path / "source", tmp_path / "target", size=8)
    assert pairs.train.names == ["\u00e9"]
    save(tmp_path / "source" / "train" / "e\u0301.jpg")
    with pytest.raises(ValueError, match="share one name"):
        data.paired_folder(tmp_path / "source", tmp_path / "target", size=8)
