"""What the sources of pictures share: the form of a data set, the cache, a progress bar."""

import contextlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # in a notebook without widgets, pooch's tqdm misses them
    import pooch


class Split(NamedTuple):
    """Pictures of the two domains, uint8 (n, size, size, 3), and their names.

    Paired: source[i], target[i] and names[i] belong together. Unpaired: source and target may
    differ in length, and names are those of source followed by those of target.
    """

    source: np.ndarray
    target: np.ndarray
    names: list[str]


class Splits(NamedTuple):
    """The three parts of a data set; a part that the data set does not have holds 0 pictures."""

    train: Split
    validation: Split
    test: Split


def cache_folder():
    """Return the folder for rendered and downloaded pictures, creating it if need be.

    It is the one named by the environment variable COMPANION_CACHE, or in the user's cache.

    Raises OSError where it cannot be created.
    """
    named = os.environ.get("COMPANION_CACHE")
    folder = Path(named or pooch.os_cache("image-to-image-companion")).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def aside():
    """Return a temporary folder in the cache: what is finished there is renamed in one step.

    So an interruption leaves no half file behind. Raises OSError where nothing can be written.
    """
    try:
        return tempfile.TemporaryDirectory(dir=cache_folder())
    except OSError as error:
        raise _unwritable(cache_folder(), error) from error


def _unwritable(folder, error):
    return OSError(
        f"The cache folder {folder} cannot be written ({error}): name another one in the "
        f"environment variable COMPANION_CACHE."
    )


def cached(name, keys, make):
    """Return the arrays that make() returns, kept under these keys in the cache after that."""
    path = cache_folder() / f"{name}.npz"
    # Missing, cut short, damaged: whatever is wrong with the file, making it again cures it.
    with contextlib.suppress(Exception), np.load(path) as stored:
        return [stored[key] for key in keys]
    with aside() as work:
        arrays = make()
        np.savez_compressed(f"{work}/{path.name}", **dict(zip(keys, arrays)))
        os.replace(f"{work}/{path.name}", path)
    return arrays


def progress(items, label, **options):
    """Show a progress bar, on standard output because a stored notebook may hold no stderr."""
    return tqdm(items, label, file=sys.stdout, mininterval=1, **options)
