"""The command line: `python -m companion --help`."""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from companion._checks import whole_number
from companion._sources import progress
from companion.checkup import (
    check_folder,
    contact_sheet,
    held_out_errors,
    read_folder,
    sides,
)
from companion.folders import _SUFFIXES, _pictures_in, _read_picture

# What needs TensorFlow is imported where it is used, so that help and refusals come at once.


@contextlib.contextmanager
def _quiet():
    """Keep TensorFlow, while it is imported, from writing notes on the machine to stderr."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _refuse_existing(*files):
    for file in files:
        if file.exists():
            raise ValueError(f"{file} exists already: name another file, or remove it first.")


def translate(model, source, target):
    """Translate a picture, or every picture of a folder."""
    source, target = Path(source), Path(target)
    if not source.exists():
        raise FileNotFoundError(f"There is no picture or folder {source}: check the path.")
    paths = list(_pictures_in(source).values()) if source.is_dir() else [source]
    into_folder = source.is_dir() or target.is_dir()
    if not into_folder and target.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{target} names no picture: end it in one of {', '.join(_SUFFIXES)}.")
    results = [target / f"{path.stem}.png" if into_folder else target for path in paths]
    if source.is_dir() and target.is_file():
        raise ValueError(f"{target} is a file: name a folder for the translations of {source}.")
    _refuse_existing(*results)

    with _quiet():
        from companion import export

    translator = export.load_translator(model)
    height, width, _ = translator.shape
    work = list(zip(paths, results))
    for path, result in progress(work, "Translating", disable=None):  # only in a terminal
        picture = _read_picture(path)  # squeezed, as for training, unless every size will do
        picture = picture.resize((width or picture.width, height or picture.height))
        translated = translator(np.asarray(picture)[None])[0]
        with export.whole_file(result) as part:
            Image.fromarray(translated).save(part)
    print(f"{len(paths)} translated: {target}")


def train(kind, folder, model, source="right", **settings):
    """Train on a folder of pictures; keep the generator and what it makes of held-out ones."""
    with _quiet():
        import keras

        from companion import data, recorded
        from companion.export import check_suffix, whole_file

    model = Path(model)
    check_suffix(model, ".keras")
    given = {key: value for key, value in settings.items() if value is not None}
    recipe = {**{"pix2pix": recorded.EARTH, "cyclegan": recorded.STYLES}[kind], **given}
    if "filters" in given:
        recipe["discriminator_filters"] = given["filters"]
    if recipe["size"] >= 256:  # as deep as the papers have them there
        recipe |= {"discriminator_layers": 3, "blocks": 9}
    epochs = -(-whole_number("steps", recipe["steps"]) // recorded.EPOCH)
    paired = kind == "pix2pix"
    if paired and "A" in sides(folder):
        raise ValueError(f"{folder} holds no pairs, but trainA and trainB: train cyclegan on it.")
    files = {"generator": model}
    if not paired:
        files = {"generator_ab": model, "generator_ba": model.with_stem(f"{model.stem}_back")}
    sheet = model.with_suffix(".png")
    _refuse_existing(*files.values(), sheet)
    keras.utils.set_random_seed(0)
    networks = recorded.build(recipe)
    splits = read_folder(folder, recipe["size"], source)
    held_out = next((x for x in splits[1:] if len(x.source) and len(x.target)), None)
    model.parent.mkdir(parents=True, exist_ok=True)  # or fails now, before it has trained,
    tempfile.TemporaryDirectory(dir=model.parent).cleanup()  # as where nothing can be written

    def paint(name, pictures):
        painted = networks[name].predict(data.normalize(pictures), batch_size=16, verbose=0)
        return data.denormalize(painted)

    def keep(epoch, logs):
        for name, file in files.items():
            with whole_file(file) as part:
                networks[name].save(part)
        if held_out:
            source, target = (pictures[:6] for pictures in held_out[:2])
            rows = [source, paint(next(iter(files)), source), target]
            rows += [] if paired else [paint("generator_ba", target)]
            with whole_file(sheet) as part:
                contact_sheet(rows).save(part)

    recorded.model_of(recipe, networks).fit(
        recorded.batches(recipe, splits.train, seed=0, training=True),
        validation_data=held_out and data.to_dataset(held_out, 16, paired=paired),
        epochs=epochs,
        steps_per_epoch=-(-recipe["steps"] // epochs),
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,  # no bars in files and notebooks
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
    )
    if not held_out:
        print("No picture was held out in val, so nothing here says how good it is.")
    elif paired:
        translated = paint("generator", held_out.source)
        print(f"Mean absolute error on {len(translated)} held-out pairs:")
        for what, error in held_out_errors(translated, held_out, splits.train).items():
            print(f"{error:7.3f}  {what}")
    if held_out:
        rows = "sources, translations, targets" + ("" if paired else ", translations back")
        print(f"Look at {sheet}: {rows}, from top to bottom.")
    print(f"The trained generator is in {' and the way back in '.join(map(str, files.values()))}.")


def export(model, target):
    """Write a generator as an ONNX or a LiteRT file."""
    with _quiet():
        from companion import export

    writers = {".onnx": export.to_onnx, ".tflite": export.to_litert}
    suffix = Path(target).suffix
    if suffix not in writers:
        raise ValueError(f"{target} does not end in {' or '.join(writers)}: name a file that does.")
    writers[suffix](export.load_generator(model), target)


def check(folder):
    """Look for mistakes in a folder of pictures before training; ends with 1 if it finds any."""
    report = check_folder(folder)
    print(report)
    if report.to_mend:
        sys.exit(1)


def _parser():
    parser = argparse.ArgumentParser(prog="python -m companion")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function):
        added = commands.add_parser(
            function.__name__, help=function.__doc__, description=function.__doc__
        )
        added.set_defaults(function=function)
        return added.add_argument

    add = command(translate)
    add("model", help="a .keras, .onnx or .tflite file, or a recording such as earth")
    add("source", help="a picture, or a folder of pictures")
    add("target", help="where to write the translation, or the folder for all of them")

    add = command(train)
    add("kind", choices=["pix2pix", "cyclegan"])
    add("folder", help="has source/train and target/train, or train with pairs side by side, or "
        "trainA and trainB for cyclegan; beside train, val and test")  # fmt: skip
    add("model", help="the .keras file to write")
    add("--size", type=int, help="side of the pictures in pixels; 64 if you do not say")
    add(
        "--filters",
        type=int,
        help="channels of the first layers; 16, for cyclegan 20; 64 in the papers",
    )
    add("--steps", type=int, help="batches to train on; 4000, for cyclegan 5000")
    add("--batch-size", type=int, help="pictures in a batch; 8, for cyclegan 1")
    add("--source", choices=["left", "right"], default="right",
        help="of pairs side by side, the half to translate; right if you do not say")  # fmt: skip

    add = command(export)
    add("model", help="a .keras file, or a recording such as earth")
    add("target", help="the .onnx or .tflite file to write")

    add = command(check)
    add("folder", help="as for train")
    return parser


def main(arguments=None):
    """Run a command; what is wrong with its arguments, folders or files is one line, no trace."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = vars(_parser().parse_args(arguments))
    try:
        options.pop("function")(**options)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. What was written before is whole.")


if __name__ == "__main__":
    main()
