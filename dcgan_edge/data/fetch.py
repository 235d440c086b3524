"""A public data set from its mirrors into a folder that `train --data` takes. Nothing else downloads.

`fetch_sources` says what to bring, `download` brings one file, `unpack` opens an archive. A file gets its own
name only after its SHA-256 was found to be the published one; until then it is a `.part`, or a `.bad`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dcgan_edge import __version__
from dcgan_edge.data.download import Network, download, forget, size_of
from dcgan_edge.data.fetch_sources import DataSource, RemoteFile
from dcgan_edge.data.http_client import MirrorError, check_address
from dcgan_edge.data.unpack import is_unpacked, unpack
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import sha256_of, write_atomic

RECEIPT = "dataset.json"
SET = "{set}"  # in a mirror's address: the name of the data set

log = logging.getLogger(__name__)
Report = Callable[[str, int, int], None]  # a file's name, bytes done, of how many


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
    source: str
    title: str
    homepage: str
    terms: str
    files: tuple[FetchedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def fetch(
    source: DataSource,
    folder: Path,
    *,
    mirrors: Sequence[str] = (),
    network: Network | None = None,
    report: Report | None = None,
) -> Fetched:
    """Bring the files of `source` into `folder`, check them, unpack archives, and write a receipt.

    `mirrors` take the place of the source's own and are tried in order. `{set}` in one becomes the name of
    the set. What is already there and whole is left alone, so a second call goes on after the first.

    Raises UsageError for a mirror that is no address and for a file in the way; EdgeError when no mirror has
    a file, the disk is full, or the set must be downloaded by hand.
    """
    mirrors = [_folder_url(mirror, source.name) for mirror in mirrors or source.mirrors]
    _make(folder)
    files = tuple(
        _fetch_file(source, file, folder, mirrors, network or Network(), report or _silent)
        for file in source.files
    )
    fetched = Fetched(source.name, source.title, source.homepage, source.terms, files)
    receipt = {"schema_version": 1, "program": f"dcgan-edge {__version__}", **fetched.to_dict()}
    write_atomic(folder / RECEIPT, (json.dumps(receipt, indent=2) + "\n").encode())
    return fetched


def _fetch_file(
    source: DataSource,
    file: RemoteFile,
    folder: Path,
    mirrors: Sequence[str],
    network: Network,
    report: Report,
) -> FetchedFile:
    url, path = None, folder / file.name
    if path.exists():
        _check_existing(path, file)
    elif not (file.unpack and is_unpacked(folder, file.unpack)):
        if not mirrors:
            raise _by_hand(source, file, folder)
        url = _from_any(mirrors, file, path, network, report)
    if file.unpack and path.exists():
        unpack(path, folder, file.unpack, lambda done, of: report(f"unpacking {file.name}", done, of))
    unpacked = file.unpack.folder if file.unpack else None
    return FetchedFile(file.name, file.size, file.sha256, path.exists(), url, unpacked)


def _by_hand(source: DataSource, file: RemoteFile, folder: Path) -> EdgeError:
    title = source.title.partition(",")[0]
    return EdgeError(
        f"{title}: {source.by_hand}. Download {file.name} from {source.homepage}, put it "
        f"into {folder}, and run the same command again to check and unpack it; or name a mirror of your own "
        "with --mirror."
    )


def _from_any(mirrors: Sequence[str], file: RemoteFile, path: Path, network: Network, report: Report) -> str:
    """Bring `file` to `path` from the first mirror that has it; its address there."""
    failures = []
    for mirror in mirrors:
        url = mirror + file.name
        try:
            _from_one(url, file, path, network, report)
            return url
        except MirrorError as error:
            failures.append(f"{url}: {error}")
            log.warning("%s", failures[-1])
    raise EdgeError(
        f"No mirror gave {file.name}. Tried {'; '.join(failures)}. Run the same command again to go on, or "
        "name another mirror with --mirror."
    )


def _from_one(url: str, file: RemoteFile, path: Path, network: Network, report: Report) -> None:
    part = path.with_name(path.name + ".part")
    while True:
        continued = size_of(part) > 0
        download(url, part, file.size, network=network, report=lambda n: report(file.name, n, file.size))
        found = sha256_of(part)
        if found == file.sha256:
            part.replace(path)
            forget(part)
            return
        bad = path.with_name(path.name + ".bad")
        part.replace(bad)
        forget(part)
        if not continued:  # a part of an earlier run may have been of another file; then once more, whole
            raise MirrorError(f"its SHA-256 is {found}, the published one {file.sha256}; kept as {bad.name}")


def _check_existing(path: Path, file: RemoteFile) -> None:
    if size_of(path) != file.size or sha256_of(path) != file.sha256:
        raise UsageError(
            f"{path} is there already and is not the published file. Remove it, or give --out another folder."
        )


def _folder_url(mirror: str, name: str) -> str:
    check_address(mirror)
    return mirror.replace(SET, name).rstrip("/") + "/"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error


def _silent(name: str, done: int, of: int) -> None:
    pass
