import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when TensorFlow is imported

import pytest
from playwright.sync_api import sync_playwright

from companion import data


@pytest.fixture(scope="session")
def emoji(tmp_path_factory):
    """OpenMoji at 16 pixels, rendered once for all tests, outside the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
        return data.openmoji(size=16)


def chromium():
    """The path of the system's Chromium. Without one: skip; in continuous integration, fail."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        text = "There is no Chromium or Chrome on the PATH; on Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(text)
    return path


@pytest.fixture(scope="module")  # not longer: Playwright's event loop is in other tests' way
def browser():
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()
