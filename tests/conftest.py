import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when TensorFlow is imported

import pytest

from companion import data


@pytest.fixture(scope="session")
def emoji(tmp_path_factory):
    """OpenMoji at 16 pixels, rendered once for all tests, outside the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
        return data.openmoji(size=16)
