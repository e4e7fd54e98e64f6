"""The switches under which TensorFlow computes the same numbers again; import this before it.

TensorFlow reads them once. Kernels of notebooks inherit them, so a notebook need not, and cannot,
set them for itself. Another processor still adds in another order, and training makes other
networks of that; to see whether a chapter's compared outputs survive it:
make test ONEDNN_MAX_CPU_ISA=AVX2
"""

import os

SWITCHES = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # no log lines but those of the import, which execute.py removes
    "TF_ENABLE_ONEDNN_OPTS": "1",  # the same CPU kernels on every platform's build
    "TF_DETERMINISTIC_OPS": "1",  # the same seed gives the same numbers, also on a GPU
}
os.environ.update(SWITCHES)
