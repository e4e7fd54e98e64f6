"""Figures with a description in words, so that the book can be read without seeing it."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from IPython.display import Image, display

from companion.pictures import denormalize


def show(figure, alt):
    """Show a Matplotlib figure as PNG with the alternative text `alt`, and close it.

    The PNG has 256 colours, chosen for the figure: half the bytes where pictures have grain.

    Raises ValueError for an empty text: say what there is to see.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in one sentence what there is to see in the figure.")
    full, png = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    # Pillow's default, the median cut, gives small areas the colour of larger ones near by.
    method = PIL.Image.Quantize.MAXCOVERAGE
    few = PIL.Image.open(full).convert("RGB").quantize(256, method=method, kmeans=3)
    few.save(png, "PNG", optimize=True)
    display(Image(png.getvalue(), metadata={"alt": alt}))  # Colab's IPython knows no alt=alt


def pictures(rows, alt, titles=None, width=9.0):
    """Show rows of pictures.

    rows:   {label: pictures}, pictures (N, H, W, 3) uint8 or float in [-1, 1], or a list of them
    titles: one per column
    width:  of the figure in inches
    """
    columns = max(len(row) for row in rows.values())
    side = width / columns
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width, side * len(rows)), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for row, (label, row_pictures) in zip(axes, rows.items()):
        row[0].text(-0.08, 0.5, label, transform=row[0].transAxes, ha="right", va="center")
        for axis, picture in zip(row, row_pictures):
            axis.imshow(picture if picture.dtype == np.uint8 else denormalize(picture))
    for axis, title in zip(axes[0], titles or []):
        axis.set_title(title, fontsize="medium")
    show(figure, alt)


def curves(values, alt, xlabel, ylabel, x=None, width=7.0):
    """Show one line per entry of {label: values}, labelled at its end.

    x: positions shared by all lines; by default 1, 2, 3 ...
    """
    figure, axis = plt.subplots(figsize=(width, 0.5 * width), layout="constrained")
    for label, line in values.items():
        positions = np.arange(1, len(line) + 1) if x is None else x
        (drawn,) = axis.plot(positions, line)
        axis.annotate(f" {label}", (positions[-1], line[-1]), color=drawn.get_color(), va="center")
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.spines[["top", "right"]].set_visible(False)
    show(figure, alt)


def explorer(name):
    """Show an explorer: HTML in the output that the reader operates, without a kernel.

    name: "receptive_field", the patch of the picture that an entry of a PatchGAN's map sees;
          "axes", the entries of feature maps that share a mean in each kind of normalization;
          "paint", a map to paint and the satellite picture that a recorded network makes of it;
          the network's weights are a file of the book's pages, elsewhere an example is shown

    Raises ValueError for any other name.
    """
    files = {path.stem: path for path in (Path(__file__).parent / "explorers").glob("*.html")}
    if name not in files:
        raise ValueError(f"There is no explorer {name!r}; choose one of {sorted(files)}.")
    place = "" if name == "paint" else " and in a notebook's output"
    text = f"Explorer {name!r}: it works on the book's page{place}."
    display({"text/html": files[name].read_text(encoding="utf-8"), "text/plain": text}, raw=True)
