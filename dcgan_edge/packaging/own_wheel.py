"""The wheel of this program, made again from the files that are running: a bundle needs no source tree.

It has the package's files and the metadata of its installation, and is the same for every machine. Source:
PyPA specifications, "Binary distribution format".
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import dcgan_edge
from dcgan_edge.errors import EdgeError, UnavailableError

NAME = "dcgan-edge"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can have
WHEEL = "Wheel-Version: 1.0\nGenerator: dcgan-edge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NO_PART = re.compile(r"^\.|^__pycache__$|~$|\.(pyc|orig|rej|bak)$")  # what Python and editors leave there


def own_distribution() -> Distribution:
    """Return the installation of this program.

    Raises UnavailableError when the program runs without one, EdgeError when it is of another version.
    """
    # A build leaves an .egg-info in the source tree, which is found first there and is no installation.
    installed = (each for each in distributions(name=NAME) if each.read_text("METADATA") is not None)
    found = next(installed, None)
    if found is None:
        raise UnavailableError("dcgan-edge runs here without being installed: pip install -e .")
    if found.version != dcgan_edge.__version__:
        raise EdgeError(
            f"dcgan-edge {dcgan_edge.__version__} runs here, and {found.version} is installed. Install again."
        )
    return found


def own_wheel() -> tuple[str, bytes]:
    """Return the name and the content of this program's wheel; the same files give the same bytes.

    Raises as `own_distribution` does, and EdgeError when a file cannot be read.
    """
    found = own_distribution()
    base = f"dcgan_edge-{found.version}"
    info = f"{base}.dist-info"
    files = dict(_package_files())
    files[f"{info}/METADATA"] = _metadata(found, "METADATA")
    files[f"{info}/entry_points.txt"] = _metadata(found, "entry_points.txt")
    for name in found.metadata.get_all("License-File") or []:
        files[f"{info}/licenses/{name}"] = _metadata(found, f"licenses/{name}")
    files[f"{info}/WHEEL"] = WHEEL.encode()
    record = f"{info}/RECORD"
    lines = [f"{name},sha256={_digest(files[name])},{len(files[name])}\n" for name in sorted(files)]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    return f"{base}-py3-none-any.whl", _zipped(files)


def _package_files() -> Iterator[tuple[str, bytes]]:
    """(name in the wheel, content) of every file of the package, of which two folders may be links."""
    top = Path(str(dcgan_edge.__file__)).parent
    for folder, folders, names in os.walk(top, followlinks=True):
        folders[:] = [each for each in folders if not NO_PART.search(each)]
        for name in names:
            if NO_PART.search(name):
                continue
            path = Path(folder) / name
            try:
                yield f"{top.name}/{path.relative_to(top).as_posix()}", path.read_bytes()
            except OSError as error:
                raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error


def _metadata(found: Distribution, name: str) -> bytes:
    text = found.read_text(name)
    if text is None:
        raise EdgeError(f"The installation of dcgan-edge has no {name}. Install it again.")
    return text.encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zipped(files: dict[str, bytes]) -> bytes:
    """A zip of `files` that is not compressed, so that its bytes are the same with every zlib."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files, key=lambda each: (".dist-info/" in each, each)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[name])
    return written.getvalue()
