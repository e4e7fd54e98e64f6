import hashlib
import io
import logging
import os
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest
from tqdm import tqdm

from companion import data
from companion import download as module


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# From a server of our own


def zipped(entries, links=()):
    """Return a zip archive as bytes; `entries` maps names to contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if name in links else 0o100644) << 16
            archive.writestr(entry, content)
    return file.getvalue()


class Server:
    """Answers every request with `body`, announcing `announced` bytes or as many as it sends."""

    def __init__(self):
        self.status, self.body, self.announced, self.requests = 200, b"", None, 0


@pytest.fixture
def server(monkeypatch):
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests += 1
            self.send_response(state.status)
            self.send_header("Content-Length", str(state.announced or len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setattr(module, "ADDRESS", f"http://127.0.0.1:{http.server_address[1]}/")
        yield state
        http.shutdown()


@pytest.fixture
def archive(server, monkeypatch):
    """A data set on the server, listed in SETS."""

    def publish(body):
        server.body = body
        entry = (len(body), hashlib.sha256(body).hexdigest())
        monkeypatch.setitem(module.SETS, "shapes", entry)
        return body

    return publish


GOOD = {"shapes/trainA/1.txt": os.urandom(200_000), "shapes/testB/2.txt": b"two"}


def test_download_extracts_once_and_then_asks_no_network(archive, server, cache, capsys):
    archive(zipped(GOOD))
    folder = data.download("shapes")
    assert folder == cache / "shapes"
    assert (folder / "trainA" / "1.txt").read_bytes() == GOOD["shapes/trainA/1.txt"]
    assert (folder / "testB" / "2.txt").read_bytes() == b"two"
    assert [path.name for path in cache.iterdir()] == ["shapes"]  # the archive is gone
    out, err = capsys.readouterr()
    assert "Downloading shapes" in out and err == ""
    assert data.download("shapes") == folder and server.requests == 1
    assert capsys.readouterr() == ("", "")


def test_pooch_is_silent_during_a_download_and_not_after_it(archive):
    heard, handler = [], logging.Handler()
    handler.emit = heard.append
    logger = pooch.get_logger()
    level = logger.level
    logger.addHandler(handler)
    try:
        archive(zipped(GOOD))
        data.download("shapes")
    finally:
        logger.removeHandler(handler)
    assert heard == [] and logger.level == level < logging.WARNING


def test_two_downloads_at_once_both_succeed(archive, cache, monkeypatch):
    archive(zipped(GOOD))
    barrier, extract = threading.Barrier(2, timeout=20), module._extract

    def extract_together(*arguments):
        extract(*arguments)
        barrier.wait()

    monkeypatch.setattr(module, "_extract", extract_together)
    with ThreadPoolExecutor(2) as threads:
        folders = list(threads.map(data.download, ["shapes"] * 2))
    assert folders == [cache / "shapes"] * 2
    assert [path.name for path in cache.iterdir()] == ["shapes"]


def test_an_archive_that_vanishes_because_another_process_was_faster(archive, cache, monkeypatch):
    archive(zipped(GOOD))

    def other_process(archive, _):
        (cache / "shapes").mkdir()
        archive.unlink()
        raise FileNotFoundError(archive)

    monkeypatch.setattr(module, "_extract", other_process)
    assert data.download("shapes") == cache / "shapes"


def breaks_off(server, body):
    server.announced, server.body = len(body), body[: len(body) // 2]


def lies_about_the_length(server, body):
    server.body = body[: len(body) // 2]


def sends_wrong_bytes(server, body):
    server.body = body[:-1] + b"x"


def sends_too_much(server, body):
    server.body = body + b"x"


def knows_nothing(server, body):
    server.status, server.body = 404, b"no such file"


@pytest.mark.parametrize(
    "trouble, message",
    [
        (breaks_off, r"65,536 of 200,\d\d\d bytes arrived: .*IncompleteRead"),
        (
            lies_about_the_length,
            r"100,\d\d\d of 200,\d\d\d bytes arrived: no more were sent",
        ),
        (sends_wrong_bytes, r"SHA256 hash .*expected sha256:[0-9a-f]{64} but got [0-9a-f]{64}"),
        (sends_too_much, r"200,\d\d\d of 200,\d\d\d bytes arrived"),
        (knows_nothing, r"0 of 200,\d\d\d bytes arrived: 404"),
    ],
)
def test_a_failed_download_says_so_and_leaves_nothing(archive, server, cache, trouble, message):
    body = archive(zipped(GOOD))
    trouble(server, body)
    with pytest.raises(OSError, match=message) as failure:
        data.download("shapes")
    assert f"{module.ADDRESS}shapes.zip" in str(failure.value)
    assert "nothing was kept. Try again" in str(failure.value)
    assert list(cache.iterdir()) == []
    server.status, server.body, server.announced = 200, body, None
    assert (data.download("shapes") / "testB" / "2.txt").is_file()  # trying again works


def test_an_unreachable_server_is_named(archive, server, monkeypatch):
    archive(zipped(GOOD))
    monkeypatch.setattr(module, "ADDRESS", "http://127.0.0.1:9/")
    with pytest.raises(
        OSError, match=r"could not be downloaded from http://127.0.0.1:9/shapes.zip"
    ):
        data.download("shapes")


def test_an_interrupted_download_leaves_nothing(archive, cache, monkeypatch):
    archive(zipped(GOOD))

    def interrupt(self, n=1):
        raise KeyboardInterrupt

    monkeypatch.setattr(tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.download("shapes")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["../escaped.txt", "shapes/../../escaped.txt", "/{}/escaped.txt"])
def test_an_archive_cannot_write_outside_of_the_cache(archive, cache, tmp_path, name):
    name = name.format(str(tmp_path)[1:])
    archive(zipped({**GOOD, name: b"out", "shapes/link": b"/etc"}, links=["shapes/link"]))
    data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes"]
    assert all(cache in path.parents for path in tmp_path.rglob("escaped.txt"))
    assert not (cache / "shapes" / "link").is_symlink()


def test_an_interrupted_extraction_is_redone_without_network(archive, server, cache, monkeypatch):
    archive(zipped(GOOD))
    extract = zipfile.ZipFile.extract

    def interrupt(self, entry, path):
        if entry.filename.endswith("2.txt"):
            raise KeyboardInterrupt
        extract(self, entry, path)

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.download("shapes")
    assert [path.name for path in cache.iterdir()] == ["shapes.zip"]
    assert (data.download("shapes") / "testB" / "2.txt").is_file()
    assert server.requests == 1


def test_unknown_sets_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'horse2zebras'. Did you mean 'horse2zebra'\? Known are"):
        data.download("horse2zebras")
    with pytest.raises(ValueError, match=r"'xyz'. Known are apple2orange, facades, horse2zebra"):
        data.download("xyz")


def test_the_table_of_sets_is_well_formed():
    assert len(module.SETS) == 7
    for size, sha256 in module.SETS.values():
        assert size > 10**7 and len(sha256) == 64 and int(sha256, 16)
