import determinism  # noqa: F401  before TensorFlow, which reads these switches once
import pytest


@pytest.fixture(scope="session")
def emoji(tmp_path_factory):
    """OpenMoji at 16 pixels, rendered once for all tests, outside the user's cache."""
    from companion import data

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPANION_CACHE", str(tmp_path_factory.mktemp("cache")))
        return data.openmoji(size=16)


@pytest.fixture(scope="module")  # not longer: Playwright's event loop is in other tests' way
def browser():
    from playwright.sync_api import sync_playwright  # only where a test opens a page
    from visits import chromium

    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()
