"""The command line, run in this process: what it writes, what it prints, how it fails."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from companion import __main__ as main_module
from companion import checkup, data, export, recorded
from companion.__main__ import main
from companion.generators import resnet, unet

RNG = np.random.default_rng(0)


def save(path, size=(16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3)).astype("uint8")
    Image.fromarray(pixels).save(path)
    return pixels


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def fails(*arguments):
    """Return the one line with which a command fails."""
    with pytest.raises(SystemExit) as stopped:
        main([str(x) for x in arguments])
    assert isinstance(stopped.value.code, str)
    return stopped.value.code


def run(*arguments):
    main([str(x) for x in arguments])


@pytest.fixture
def model(tmp_path):
    """A generator in a file, for pictures of 16x16."""
    keras.utils.set_random_seed(0)
    unet(16, filters=2).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_picture_is_translated(model, tmp_path):
    pixels = save(tmp_path / "in.png")
    run("translate", model, tmp_path / "in.png", tmp_path / "new" / "out.png")
    source = data.normalize(pixels[None])
    expected = keras.models.load_model(model).predict(source, verbose=0)
    np.testing.assert_array_equal(read(tmp_path / "new" / "out.png"), data.denormalize(expected)[0])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.png"]


def test_a_folder_is_translated(model, tmp_path, capsys):
    for name in ["a.png", "b.JPG", "c.webp"]:
        save(tmp_path / "in" / name, size=(40, 20))
    (tmp_path / "in" / "notes.txt").write_text("no picture", encoding="utf-8")
    run("translate", model, tmp_path / "in", tmp_path / "out")
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["a.png", "b.png", "c.png"]
    assert {read(path).shape for path in written} == {(16, 16, 3)}
    assert not np.array_equal(read(written[0]), read(written[1]))
    assert f"3 translated: {tmp_path / 'out'}" in capsys.readouterr().out


def test_pictures_keep_their_size_where_every_size_will_do(tmp_path):
    generator = export.any_size(resnet(16, filters=2, blocks=0))
    generator.save(tmp_path / "any.keras")
    save(tmp_path / "in.png", size=(39, 20))
    run("translate", tmp_path / "any.keras", tmp_path / "in.png", tmp_path / "out.png")
    assert read(tmp_path / "out.png").shape == (20, 39, 3)


def test_what_cannot_be_translated_is_one_line(model, tmp_path):
    save(tmp_path / "in.png")
    before = sorted(tmp_path.iterdir())
    assert "no picture or folder" in fails("translate", model, tmp_path / "no", tmp_path / "out")
    assert "names no picture" in fails("translate", model, tmp_path / "in.png", tmp_path / "out")
    assert "in.png exists already" in fails("translate", model, tmp_path / "in.png", tmp_path)
    folder, file = tmp_path / "in", tmp_path / "in.png"
    save(folder / "1.png")
    assert "in.png is a file" in fails("translate", model, folder, file)
    shutil.rmtree(folder)
    moon = fails("translate", "moon", tmp_path / "in.png", tmp_path / "out.png")
    assert "no recording 'moon'" in moon
    (tmp_path / "bad.png").write_bytes(b"no picture")
    line = fails("translate", model, tmp_path / "bad.png", tmp_path / "out.png")
    assert "bad.png cannot be read as a picture" in line
    (tmp_path / "bad.png").unlink()
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def small(monkeypatch):
    """Recipes that train in seconds: tiny networks, epochs of two steps."""
    monkeypatch.setattr(recorded, "EARTH", {**recorded.EARTH, "filters": 2})
    monkeypatch.setattr(recorded, "STYLES", {**recorded.STYLES, "filters": 2, "blocks": 0})
    monkeypatch.setattr(recorded, "EPOCH", 2)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_pix2pix_trains_on_a_folder_of_pairs(small, tmp_path, capsys):
    for name in ["train/1", "train/2", "val/3"]:
        for kind in ("source", "target"):
            save(tmp_path / "pairs" / kind / f"{name}.png")
    out = tmp_path / "new" / "out.keras"
    run("train", "pix2pix", tmp_path / "pairs", out, "--size", 16, "--steps", 3, "--batch-size", 1)
    printed = capsys.readouterr().out
    assert printed.count("\n2/2 - ") == 2  # two epochs of two steps: at least the three asked for
    assert "Epoch 2/2" in printed and "val_l1" in printed and str(out) in printed
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.keras", "out.png"]
    trained = export.load_translator(out)  # the file holds what was judged last
    one, other = (
        data.normalize(read(tmp_path / "pairs" / kind / "val" / "3.png")[None])
        for kind in ("source", "target")
    )
    error = float(re.findall(r"val_l1: ([\d.]+)", printed)[-1])
    assert np.abs(trained.run(one) - other).mean() == pytest.approx(error, abs=1e-3)
    summary = re.findall(r"^ +([\d.]+)  (?:the|always) (.+)$", printed, re.MULTILINE)
    errors = {what: float(value) for value, what in summary}
    assert errors["translations"] == pytest.approx(error, abs=3e-3)  # rounded to bytes
    assert errors["sources, left alone"] == pytest.approx(np.abs(one - other).mean(), abs=1e-3)
    # The sheet: source, translation and target of the one held-out pair, one above the other.
    sheet = Image.fromarray(read(out.with_suffix(".png")))
    shown = [sheet.crop((0, top, 128, top + 128)).resize((16, 16), 4) for top in (0, 132, 264)]
    expected = [one, trained.run(one), other]
    for picture, pixels in zip(shown, expected):
        assert (
            np.abs(np.asarray(picture) - data.denormalize(pixels)[0].astype(float)).mean() < 30
        )  # noise, enlarged


def test_cyclegan_trains_without_pairs_and_keeps_both_ways(small, tmp_path):
    for name in ["trainA/1", "trainA/2", "trainB/1", "testA/1", "testA/2", "testB/3"]:
        save(tmp_path / "piles" / f"{name}.png")
    run("train", "cyclegan", tmp_path / "piles", tmp_path / "out.keras", "--size", 16, "--steps", 2)
    assert read(tmp_path / "out.png").shape == (4 * 132 - 4, 2 * 132 - 4, 3)
    there, back = (export.load_generator(tmp_path / f"{x}.keras") for x in ("out", "out_back"))
    assert (there.get_weights()[0] != back.get_weights()[0]).any()
    assert "train cyclegan" in fails("train", "pix2pix", tmp_path / "piles", tmp_path / "x.keras")


def test_a_training_without_held_out_pictures_says_so(small, tmp_path, capsys):
    for name in ["1", "2"]:
        save(tmp_path / "sides" / "train" / f"{name}.png", size=(32, 16))
    settings = ["--size", 16, "--steps", 2]
    run("train", "pix2pix", tmp_path / "sides", tmp_path / "out.keras", *settings)
    printed = capsys.readouterr().out
    assert "No picture was held out" in printed and "Mean absolute error" not in printed
    assert not (tmp_path / "out.png").exists()


def test_an_interrupted_training_keeps_the_last_whole_epoch(small, tmp_path, monkeypatch):
    for name in ["1", "2"]:
        save(tmp_path / "sides" / "train" / f"{name}.png", size=(32, 16))
    kept = []
    whole_file = export.whole_file

    def interrupted(path):
        kept.append(path)
        if len(kept) == 2:
            raise KeyboardInterrupt
        return whole_file(path)

    monkeypatch.setattr(export, "whole_file", interrupted)
    settings = ["--size", 16, "--steps", 4, "--source", "left"]
    line = fails("train", "pix2pix", tmp_path / "sides", tmp_path / "out.keras", *settings)
    assert "Interrupted" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.keras", "sides"]
    assert export.load_translator(tmp_path / "out.keras").shape == (16, 16, 3)


def test_trainings_that_cannot_begin_are_one_line(tmp_path):
    out = tmp_path / "out.keras"
    save(tmp_path / "train" / "1.png", size=(32, 16))
    assert "no folder" in fails("train", "pix2pix", tmp_path / "nowhere", out)
    assert "does not end in .keras" in fails("train", "pix2pix", tmp_path, tmp_path / "out.h5")
    assert "steps is 0" in fails("train", "pix2pix", tmp_path, out, "--steps", 0)
    assert "power of two" in fails("train", "pix2pix", tmp_path, out, "--size", 100)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
    for name in ["out.keras", "out.png"]:  # a picture of somebody's, perhaps
        (tmp_path / name).write_bytes(b"kept")
        assert f"{name} exists already" in fails("train", "pix2pix", tmp_path, out)
        assert (tmp_path / name).read_bytes() == b"kept"
        (tmp_path / name).unlink()
    (tmp_path / "out_back.keras").mkdir()
    assert "out_back.keras exists already" in fails("train", "cyclegan", tmp_path, out)


def test_a_place_that_cannot_be_written_to_is_noticed_before_training(tmp_path, monkeypatch):
    save(tmp_path / "train" / "1.png", size=(32, 16))
    monkeypatch.setattr(recorded, "model_of", None)  # training would end in a trace
    assert "1.png" in fails("train", "pix2pix", tmp_path, tmp_path / "train" / "1.png" / "x.keras")
    if Path("/proc").is_dir():  # on Linux, a folder in which not even root can write
        assert "/proc" in fails("train", "pix2pix", tmp_path, "/proc/x.keras")


@pytest.mark.parametrize(
    "options, layers, filters",
    [
        ([], 2, 16),
        (["--filters", 64], 2, 64),
        (["--size", 256, "--filters", 64], 3, 64),  # the paper's
    ],
)
def test_the_discriminator_grows_with_the_generator(
    tmp_path, monkeypatch, options, layers, filters
):
    asked = []
    monkeypatch.setattr(recorded, "build", lambda recipe: asked.append(recipe) or {})
    fails("train", "pix2pix", tmp_path / "nowhere", tmp_path / "out.keras", *options)
    assert not asked  # the folder comes first
    save(tmp_path / "train" / "1.png", size=(32, 16))
    monkeypatch.setattr(main_module, "read_folder", stop)
    fails("train", "pix2pix", tmp_path, tmp_path / "out.keras", *options)
    (recipe,) = asked
    assert (recipe["discriminator_layers"], recipe["discriminator_filters"]) == (layers, filters)


def stop(*_):
    raise ValueError("far enough")


def test_export_writes_the_format_of_the_name(model, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    run("export", model, tmp_path / "model.onnx")
    pictures = RNG.integers(0, 256, (2, 16, 16, 3)).astype("uint8")
    outputs = [export.load_translator(tmp_path / f"model.{x}")(pictures) for x in ("keras", "onnx")]
    np.testing.assert_allclose(*outputs, atol=1)
    line = fails("export", model, tmp_path / "model.txt")
    assert "does not end in .onnx or .tflite" in line


def test_check_prints_the_report(tmp_path, capsys):
    save(tmp_path / "train" / "1.png", size=(32, 16))
    with pytest.raises(SystemExit) as stopped:  # nothing is held out
        run("check", tmp_path)
    assert stopped.value.code == 1
    assert str(checkup.check_folder(tmp_path)) in capsys.readouterr().out
    save(tmp_path / "val" / "2.png", size=(32, 16))
    run("check", tmp_path)
    assert "Next: python -m companion train pix2pix" in capsys.readouterr().out
    assert "no subfolder train" in fails("check", tmp_path / "train")


def test_a_command_writes_nothing_to_stderr_that_is_no_error(tmp_path):
    save(tmp_path / "in.png")
    command = [sys.executable, "-m", "companion", "translate"]
    missing = [*command, str(tmp_path / "no.keras"), str(tmp_path / "in.png"), "out.png"]
    done = subprocess.run(missing, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"There is no file {tmp_path / 'no.keras'}: check the path.\n"
