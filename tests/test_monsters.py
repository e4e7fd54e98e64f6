import numpy as np
import pytest

from companion import checkup, monsters


def test_a_monster_is_the_same_every_time_and_another_for_another_seed():
    outline, painting = map(np.asarray, monsters.pair(1))
    assert outline.shape == painting.shape == (256, 256, 3)
    for again, pixels in zip(monsters.pair(1), (outline, painting)):
        np.testing.assert_array_equal(again, pixels)
    assert (np.asarray(monsters.pair(2)[0]) != outline).any()


def test_outline_and_painting_show_the_same_monster():
    for seed in range(5):
        outline, painting = (np.asarray(x).astype(int) for x in monsters.pair(seed))
        inside = outline[:200].min(axis=(0, 2)) < 100  # columns with ink, above the feet
        rim = painting[:, :2].mean(axis=1, keepdims=True)  # the background of each row
        painted = (abs(painting - rim).max(axis=2) > 60)[:200].any(axis=0)
        assert abs(np.flatnonzero(inside)[[0, -1]] - np.flatnonzero(painted)[[0, -1]]).max() <= 15


def test_a_drawing_is_ink_on_white_and_later_parts_cover_earlier_ones():
    parts = [("mouth", monsters.disc(100, 100, 40)), ("pupil", monsters.disc(100, 100, 10))]
    pixels = np.asarray(monsters.outline(parts))
    assert pixels[100, 100].max() < 60 and pixels[100, 140].max() < 60  # the pupil and the rim
    assert pixels[100, 125].min() == pixels[5, 5].min() == 255
    half = monsters.disc(0, 0, 10, flat=0.5, until=np.pi)
    assert half[:, 1].max() == pytest.approx(5, abs=0.1) and half[:, 1].min() > -1e-9


def test_the_folder_is_in_order(tmp_path):
    monsters.save_folder(tmp_path, train=3, validation=2)
    report = checkup.check_folder(tmp_path)
    assert report.facts[0] == "source: 3 train, 2 validation, 0 test" and report.to_mend == []
