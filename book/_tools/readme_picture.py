"""Copy the README's picture out of the training chapter; `make execute` does it at its end."""

import base64

from notebooks import BOOK, read

PICTURE = BOOK / "_static" / "painted.png"


def picture():
    """The first figure of train_pix2pix: drawings, what the network painted, originals."""
    for cell in read(BOOK / "train_pix2pix.ipynb").cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output.data["image/png"])
    raise SystemExit("train_pix2pix.ipynb holds no figure: make execute CHAPTER=train_pix2pix")


if __name__ == "__main__":
    PICTURE.write_bytes(picture())
