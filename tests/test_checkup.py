import numpy as np
import pytest
from PIL import Image

from companion import checkup, data

RNG = np.random.default_rng(0)


def picture(width=64, height=64):
    """A picture of coarse patches, as distinct as photos are."""
    patches = RNG.integers(0, 256, (8, 8, 3)).astype("uint8")
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture
def pairs(tmp_path):
    """A flawless folder of pairs: 100 for training, 3 held out."""
    for part, count in [("train", 100), ("val", 3)]:
        for i in range(count):
            for kind in ("source", "target"):
                save(picture(), tmp_path / kind / part / f"{i}.png")
    return tmp_path


def test_a_flawless_folder_gives_nothing_to_mend_or_to_know(pairs):
    report = checkup.check_folder(pairs)
    assert report.to_mend == report.to_know == []
    text = str(report)
    assert "source: 100 train, 3 validation, 0 test" in text
    assert "64x64 (103)" in text and "RGB (103)" in text
    assert "To mend before training:\nnothing" in text
    assert text.endswith(f"Next: python -m companion train pix2pix {pairs} painter.keras")


def test_a_copy_among_the_held_out_is_found_though_saved_anew(pairs):
    for kind in ("source", "target"):
        with Image.open(pairs / kind / "train" / "7.png") as image:
            save(image.resize((80, 80)), pairs / kind / "val" / "copy.jpg", quality=75)
    assert checkup.check_folder(pairs).to_mend == [
        "pair: near-copies in train and validation (1): 7 = copy."
    ]


def test_pairs_of_one_source_and_different_targets_are_no_copies(pairs):
    blank = Image.new("RGB", (64, 64), "white")  # one drawing, many flags
    for part in ("train", "val"):
        save(blank, pairs / "source" / part / "0.png")
    assert checkup.check_folder(pairs).to_mend == []


def test_drawings_on_much_white_are_told_apart(tmp_path):
    for part, corner in [("trainA", 0), ("valA", 56), ("trainB", 0), ("valB", 0)]:
        drawing = Image.new("RGB", (64, 64), "white")
        drawing.paste((200, 0, 0), (corner, corner, corner + 8, corner + 8))
        save(drawing, tmp_path / part / "1.png")
    found = checkup.check_folder(tmp_path).to_mend
    assert found == ["B: near-copies in train and validation (1): 1 = 1."]


def test_all_that_is_wrong_with_pairs_is_reported_at_once(pairs):
    save(picture(), pairs / "source" / "train" / "alone.png")
    save(picture(64, 48), pairs / "target" / "val" / "1.png")
    (pairs / "source" / "train" / "5.png").write_bytes(b"no picture")
    save(picture().convert("L"), pairs / "source" / "train" / "6.png")
    save(picture(), pairs / "target" / "val" / "lonely.png")
    report = checkup.check_folder(pairs)
    broken, no_target, no_source, no_source_held_out, shape = report.to_mend
    assert "5.png cannot be read as a picture" in broken
    assert no_target == "train: without a target of the same name: alone."
    assert no_source == "train: without a source of the same name: 5."
    assert no_source_held_out == "validation: without a source of the same name: lonely."
    assert shape == "validation: source and target differ in shape: 1."
    mixed, squeezed, odd, few = report.to_know
    assert squeezed.startswith("target: ") and "squeezed" in squeezed
    assert mixed.startswith("source: ") and "than the rest: train/6. All become RGB" in mixed
    assert odd.startswith("target: of another size than the rest: validation/1;")
    assert few.startswith("pair: with fewer than 100")  # 5.png is broken
    assert str(report).endswith(f"Next: python -m companion check {pairs}")


def test_kinds_of_colour_without_a_majority_are_reported_as_such(tmp_path):
    for part, count in [("train", 4), ("val", 2)]:
        for i in range(count):
            for kind in ("source", "target"):
                grey = kind == "source" and i % 2
                image = picture().convert("L") if grey else picture()
                save(image, tmp_path / kind / part / f"{i}.png")
    (mixed,) = (line for line in checkup.check_folder(tmp_path).to_know if "colour" in line)
    assert mixed.startswith("source: pictures of several kinds of colour. All become RGB")


def test_files_that_are_not_read_are_named(pairs):
    for name in ("IMG_1.HEIC", "notes.txt", ".hidden"):
        (pairs / "source" / "train" / name).write_bytes(b"")
    (line,) = checkup.check_folder(pairs).to_know
    assert line.startswith(f"{pairs / 'source' / 'train'}: left out") and ".jpg" in line
    assert line.endswith("are read: IMG_1.HEIC, notes.txt.")


def test_photos_of_all_sizes_are_nothing_to_wonder_at(tmp_path):
    for i, size in enumerate([64, 64, 64, 64, 64, 64, 72, 80, 88, 96]):
        save(picture(size, size), tmp_path / "trainA" / f"{i}.png")
        save(picture(72 if i == 3 else 64, 72 if i == 3 else 64), tmp_path / "trainB" / f"{i}.png")
    odd = [line for line in checkup.check_folder(tmp_path).to_know if "another size" in line]
    assert len(odd) == 1 and odd[0].startswith("B: ")


def test_where_sizes_are_half_and_half_none_is_the_odd_one(tmp_path):
    for i in range(4):
        for part in ("trainA", "trainB"):
            save(picture(64 + 8 * (i % 2), 64 + 8 * (i % 2)), tmp_path / part / f"{i}.png")
    assert not any("another size" in line for line in checkup.check_folder(tmp_path).to_know)


def test_pairs_side_by_side_are_halves(tmp_path):
    for i in range(3):
        save(picture(128, 64), tmp_path / "train" / f"{i}.png")
    save(picture(129, 64), tmp_path / "train" / "odd.png")
    report = checkup.check_folder(tmp_path)
    odd, held_out = report.to_mend
    assert "odd.png is 129 pixels wide" in odd and "no pictures are held out" in held_out
    assert "  pixels: 64x64 (4)" in report.facts
    assert len(report.to_know) == 1 and "fewer than 100" in report.to_know[0]


def test_single_pictures_are_not_taken_for_two_side_by_side(tmp_path):
    for name in ("train/1.png", "val/2.png"):
        save(picture(64, 64), tmp_path / name)
    assert any("square as a whole" in line for line in checkup.check_folder(tmp_path).to_know)


def test_folders_of_all_three_layouts_are_read(pairs, tmp_path):
    paired = checkup.read_folder(pairs, size=8)
    assert len(paired.train.source) == len(paired.train.target) == 100
    for part in ("trainA", "trainB", "trainB"):
        save(picture(), tmp_path / "piles" / part / f"{RNG.random()}.png")
    piles = checkup.read_folder(tmp_path / "piles", size=8)
    assert (len(piles.train.source), len(piles.train.target)) == (1, 2)
    both = Image.new("RGB", (16, 8), "white")
    both.paste((0, 0, 0), (0, 0, 8, 8))
    save(both, tmp_path / "sides" / "train" / "1.png")
    left = checkup.read_folder(tmp_path / "sides", size=8, source="left")
    assert (left.train.source == 0).all() and (left.train.target == 255).all()
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        checkup.check_folder(tmp_path / "nowhere")


def test_without_pairs_the_next_command_is_cyclegan(tmp_path):
    folder = tmp_path / "my pictures"
    for part in ("trainA", "testA", "trainB", "testB"):
        save(picture(), folder / part / "1.png")
    report = checkup.check_folder(folder)
    assert report.next == f"python -m companion train cyclegan '{folder}' painter.keras"


def test_without_pairs_both_kinds_are_held_out_from_one_part(tmp_path):
    for part in ("trainA", "valA", "trainB", "testB"):
        save(picture(), tmp_path / part / "1.png")
    (found,) = checkup.check_folder(tmp_path).to_mend
    assert found.startswith("A and B: no pictures are held out to judge by")


def test_a_long_finding_is_wrapped_and_a_path_is_not_broken():
    path = "/".join(["a-long-folder"] * 10)
    report = checkup.Report(to_mend=[f"{path} cannot be read as a picture, and so on and on " * 2])
    lines = str(report).splitlines()
    assert sum(path in line for line in lines) == 2
    assert all(len(line) <= 88 for line in lines if path not in line)


def test_held_out_errors_are_those_of_the_loss():
    source, target = np.full((2, 4, 4, 3), 100, "uint8"), np.full((2, 4, 4, 3), 200, "uint8")
    target[1] = 220
    held_out, train = data.Split(source, target, ["1", "2"]), data.Split(source, target + 15, [])
    errors = checkup.held_out_errors(np.full_like(target, 190), held_out, train)
    one, other = map(data.normalize, (source, target))
    assert errors["the sources, left alone"] == pytest.approx(np.abs(one - other).mean(), abs=1e-6)
    assert errors["the translations"] == pytest.approx(20 / 127.5)
    assert errors["the mean training target"] == pytest.approx(15 / 127.5)


def test_a_contact_sheet_enlarges_small_pictures_only():
    row = np.full((3, 64, 64, 3), 9, "uint8")
    sheet = checkup.contact_sheet([row, row[:1] + 191])
    assert sheet.size == (3 * 132 - 4, 2 * 132 - 4)
    pixels = np.asarray(sheet)
    assert (pixels[:128, :128] == 9).all() and (pixels[:, 128:132] == 255).all()
    assert (pixels[132:, :128] == 200).all() and (pixels[132:, 132:] == 255).all()
    assert checkup.contact_sheet([np.zeros((1, 200, 200, 3), "uint8")]).size == (200, 200)
