"""Copy the README's picture out of the first chapter; `make execute` does it at its end."""

import base64

from notebooks import BOOK, read

PICTURE = BOOK / "_static" / "translated.png"


def picture():
    """The first figure of the chapter translation: what each family of translations does."""
    for cell in read(BOOK / "translation.ipynb").cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output.data["image/png"])
    raise SystemExit("translation.ipynb holds no figure: make execute CHAPTER=translation")


if __name__ == "__main__":
    PICTURE.write_bytes(picture())
