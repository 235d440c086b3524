"""A public data set from its mirrors into a folder that `train --data` takes. Nothing else downloads.

`fetch_sources` says what to bring, `download` brings one file and checks it, `unpack` opens an archive.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dcgan_edge import __version__
from dcgan_edge.data.download import MirrorError, download
from dcgan_edge.data.fetch_sources import SOURCES, DataSource, RemoteFile
from dcgan_edge.data.unpack import is_unpacked, unpack
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import StrPath, sha256_of, write_atomic

RECEIPT = "dataset.json"
SET = "{set}"  # in a mirror's address: the name of the data set

log = logging.getLogger(__name__)
FetchProgress = Callable[[str, int, int], None]  # a file's name, bytes done, of how many


@dataclass(frozen=True)
class FetchedFile:
    """A published file. `url` is where it came from, None when it was there already; `checked` whether its
    digest was compared, which it is unless only the folder `unpacked` is there.
    """

    name: str
    size: int
    sha256: str
    checked: bool
    url: str | None
    unpacked: str | None


@dataclass(frozen=True)
class Fetched:
    """A data set that is whole in its folder, with its terms and where each of its files came from."""

    source: str
    title: str
    homepage: str
    terms: str
    files: tuple[FetchedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what the receipt and `--json` say."""
        return asdict(self)


def fetch(
    name: str,
    out: StrPath,
    *,
    mirrors: Sequence[str] = (),
    timeout: float = 30.0,
    retries: int = 5,
    progress: FetchProgress | None = None,
) -> Fetched:
    """Bring the public data set `name` into the folder `out`, check and unpack it, and write a receipt.

    `mirrors` are addresses of folders, tried in order instead of the known ones; `{set}` in one becomes
    `name`. A server is given up after `timeout` seconds without a byte, and asked again `retries` times after
    a broken connection. What is there already and whole is left alone. `progress(file, done, of)` is told
    bytes, or files while an archive is unpacked.

    Raises UsageError for an unknown name, a mirror that is no address and a file in the way; EdgeError when
    no mirror has a file, the disk is full, or the set must be downloaded by hand; UnavailableError when a
    download is needed and pooch is not installed.
    """
    if name not in SOURCES:
        raise UsageError(f"There is no data set {name!r}; there are {', '.join(SOURCES)}.")
    return fetch_source(
        SOURCES[name], Path(out), mirrors=mirrors, timeout=timeout, retries=retries, progress=progress
    )


def fetch_source(
    source: DataSource,
    folder: Path,
    *,
    mirrors: Sequence[str] = (),
    timeout: float = 30.0,
    retries: int = 5,
    progress: FetchProgress | None = None,
) -> Fetched:
    """Bring the files of `source`, which need not be in the table, as `fetch` does."""
    mirrors = [_folder_url(mirror, source.name) for mirror in mirrors or source.mirrors]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error
    bring = _Courier(folder, mirrors, timeout, retries, progress or (lambda name, done, of: None))
    files = tuple(bring.file(source, file) for file in source.files)
    fetched = Fetched(source.name, source.title, source.homepage, source.terms, files)
    receipt = {"schema_version": 1, "program": f"dcgan-edge {__version__}", **fetched.to_dict()}
    write_atomic(folder / RECEIPT, (json.dumps(receipt, indent=2) + "\n").encode())
    return fetched


@dataclass(frozen=True)
class _Courier:
    """Brings files into `folder` from the first of `mirrors` that has them."""

    folder: Path
    mirrors: Sequence[str]
    timeout: float
    retries: int
    progress: FetchProgress

    def file(self, source: DataSource, file: RemoteFile) -> FetchedFile:
        url, path = None, self.folder / file.name
        if path.exists():
            _check_existing(path, file)
        elif not (file.unpack and is_unpacked(self.folder, file.unpack)):
            if not self.mirrors:
                raise _by_hand(source, file, self.folder)
            url = self._from_any(file)
        if file.unpack and path.exists():
            self.progress(f"unpacking {file.name}", 0, 1)
            unpack(path, self.folder, file.unpack)
            self.progress(f"unpacking {file.name}", 1, 1)
        unpacked = file.unpack.folder if file.unpack else None
        return FetchedFile(file.name, file.size, file.sha256, path.exists(), url, unpacked)

    def _from_any(self, file: RemoteFile) -> str:
        """Bring `file` from the first mirror that has it, and return its address there."""
        failures = []
        _check_space(self.folder, file)
        for mirror in self.mirrors:
            url = mirror + file.name
            try:
                download(
                    url,
                    file,
                    self.folder,
                    timeout=self.timeout,
                    retries=self.retries,
                    progress=lambda done, of: self.progress(file.name, done, of),
                )
                return url
            except MirrorError as error:
                failures.append(f"{url}: {error}")
                log.warning("%s", failures[-1])
        raise EdgeError(
            f"No mirror gave {file.name}. Tried {'; '.join(failures)}. Run the same command again to go on, "
            "or name another mirror with --mirror."
        )


def _by_hand(source: DataSource, file: RemoteFile, folder: Path) -> EdgeError:
    title = source.title.partition(",")[0]
    return EdgeError(
        f"{title}: {source.by_hand}. Download {file.name} from {source.homepage}, put it "
        f"into {folder}, and run the same command again to check and unpack it; or name a mirror of your own "
        "with --mirror."
    )


def _check_existing(path: Path, file: RemoteFile) -> None:
    if not path.is_file() or path.stat().st_size != file.size or sha256_of(path) != file.sha256:
        raise UsageError(
            f"{path} is there already and is not the published file. Remove it, or give --out another folder."
        )


def _check_space(folder: Path, file: RemoteFile) -> None:
    free = shutil.disk_usage(folder).free
    if free < file.size:
        raise EdgeError(f"{folder} has {free:,} bytes free, and {file.name} has {file.size:,}.")


def _folder_url(mirror: str, name: str) -> str:
    try:
        parts = urlsplit(mirror)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        whole = False
    if not whole or not mirror.isprintable() or " " in mirror:
        raise UsageError(f"{mirror!r} is not the address of a mirror; write https://HOST/FOLDER/.")
    return mirror.replace(SET, name).rstrip("/") + "/"
