"""Reference answers are stored once; from then on they must come out the same."""

import sys
from pathlib import Path

import numpy as np

TOLERANCE = 1e-5


def store(name, arrays):
    """Write the arrays to name.npz; where that exists, only compare, and exit if they differ."""
    path = Path(__file__).with_name(f"{name}.npz")
    arrays = {key: np.asarray(array, "float32") for key, array in arrays.items()}
    if not path.exists():
        np.savez_compressed(path, **arrays)
        print(f"Stored {path.name}, {path.stat().st_size:,} bytes.")
        return

    stored = dict(np.load(path))
    if {key: x.shape for key, x in stored.items()} != {key: x.shape for key, x in arrays.items()}:
        sys.exit(f"{path.name} holds other arrays than this script makes: delete it to store anew.")
    differences = {key: np.abs(stored[key] - arrays[key]).max() for key in stored}
    worst = max(differences, key=differences.get)
    # "not <=" rather than ">", so that a NaN is a difference too.
    if not differences[worst] <= TOLERANCE:
        sys.exit(
            f"{path.name}: {worst} differs by {differences[worst]:.1e} from what is stored. "
            f"Where the new answer is right, delete the file to store it."
        )
    print(f"{path.name}: {len(stored)} arrays, largest difference {differences[worst]:.1e}")
