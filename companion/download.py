"""Downloads: the data sets of the CycleGAN authors, checked by size and SHA-256."""

import difflib
import os
import warnings
import zipfile
from pathlib import Path

from companion._sources import aside, cache_folder, progress

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # in a notebook without widgets, pooch's tqdm misses them
    import pooch

ADDRESS = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/"
SETS = {  # name: (bytes of name.zip, its SHA-256)
    "apple2orange": (78456409, "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8"),
    "facades": (35135868, "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0"),
    "horse2zebra": (116867962, "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1"),
    "maps": (1476754427, "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e"),
    "monet2photo": (305231073, "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04"),
    "summer2winter_yosemite": (
        132640856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    "vangogh2photo": (
        306590349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
}


def download(name):
    """Return the folder of a CycleGAN data set, downloading it on first use; a key of `SETS`.

    Read it with `unpaired_folders`. It is kept in `cache_folder()`.

    Raises ValueError for an unknown name, OSError where the download fails.
    Source: the CycleGAN authors' server, `ADDRESS`; sizes and checksums from `SETS`.
    """
    if name not in SETS:
        close = difflib.get_close_matches(name, SETS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"There is no data set {name!r}.{hint} Known are {', '.join(SETS)}.")
    folder, archive = cache_folder() / name, cache_folder() / f"{name}.zip"
    if not folder.is_dir():
        try:
            with aside() as work:
                _download_archive(name)
                _extract(archive, work)
                os.replace(Path(work, name), folder)  # all of it or nothing
        except OSError:
            if not folder.is_dir():  # or else another process was faster
                raise
        archive.unlink(missing_ok=True)
    return folder


def _download_archive(name):
    url, (size, sha256) = f"{ADDRESS}{name}.zip", SETS[name]

    def fetch(url, path, _):
        reason = "no more were sent"
        try:
            with progress(
                None, f"Downloading {name}", total=size, unit="B", unit_scale=True
            ) as bar:
                pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, path, None)
        except OSError as error:
            reason = error
        arrived = os.path.getsize(path)
        if arrived != size:
            raise OSError(f"{arrived:,} of {size:,} bytes arrived: {reason}")

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it announces each download on stderr
    try:  # pooch downloads aside, checks the SHA-256 and renames
        pooch.retrieve(url, f"sha256:{sha256}", f"{name}.zip", cache_folder(), downloader=fetch)
    except (OSError, ValueError) as error:
        raise OSError(
            f"{name} could not be downloaded from {url}, and nothing was kept. Try again; if it "
            f"fails each time, the server or the network in between has a problem. Now: {error}"
        ) from None
    finally:
        logger.setLevel(level)


def _extract(archive, folder):
    with zipfile.ZipFile(archive) as entries:
        for entry in progress(entries.infolist(), f"Extracting {archive.stem}", delay=2):
            entries.extract(entry, folder)  # never outside of the folder, whatever its name
