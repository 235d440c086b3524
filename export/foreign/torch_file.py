"""Files of `torch.save`, both formats, read without running anything of theirs.

`torch.load(weights_only=True)` builds nothing but tensors and plain containers. It is still asked only for
files whose pickle was looked through first, opcode by opcode: a pickle may name no more than what state dicts
name, as some of what torch allows can be asked for terabytes; and an archive may hold nothing compressed.
"""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from dcgan_edge.errors import ArtifactError
from dcgan_edge.names import shown

ZIP_START = b"PK\x03\x04"
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of torch.serialization.MAGIC_NUMBER
LEGACY_PICKLES = 5  # magic number, protocol, system, the object, the keys of its storages
PICKLE_LIMIT = 16 * 2**20  # bytes; the pickle of a network and its optimiser has about one for 10,000 tensors
STEP_LIMIT = 500_000  # opcodes
FORBIDDEN = ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")  # other ways to name what would be run
LOAD = "torch.load({file!r}, map_location='cpu', weights_only=False)"
MODULE = (LOAD, "content.state_dict()")
CONTENT = (LOAD, "content['the key of the generator']")
SCRIPT = ("torch.jit.load({file!r}, map_location='cpu')", "content.state_dict()")
ENTRY_LIMIT = 20_000  # files in an archive

STORAGES = frozenset(
    f"torch.{kind}Storage"
    for kind in ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
)
ALLOWED = STORAGES | {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    "torch.storage.UntypedStorage",
    "torch.Tensor",
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "_codecs.encode",
    "__builtin__.set",
    "builtins.set",
}
ASIDE = frozenset(  # settings and figures beside the weights: an empty stand-in is put in their place
    (
        "argparse.Namespace",
        "numpy.dtype",
        "numpy.ndarray",
        *(
            f"numpy.{core}.multiarray.{name}"
            for core in ("core", "_core")
            for name in ("scalar", "_reconstruct")
        ),
        *(
            f"pathlib.{name}"
            for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
        ),
        "torch.torch_version.TorchVersion",
    )
)


class _Aside:
    """What stands for a value that is not read: it takes anything and keeps nothing."""

    def __new__(cls, *values: object) -> _Aside:
        return super().__new__(cls)

    def __init__(self, *values: object) -> None:
        """Take the values that the original class would have taken."""

    def __setstate__(self, state: object) -> None:
        """Take the state that the original class would have taken."""


def load_zip(file: BinaryIO, path: Path) -> Any:
    """Return the object in the archive of torch.save `file`, which lies at `path`; its tensors are mapped.

    Raises ArtifactError when it is damaged, is no such archive, or holds more than weights.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            pickle = _checked_entries(archive, path)
            names = _globals(io.BytesIO(archive.read(pickle)), 1, path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise _damaged(path, error) from error
    return _load(path, names, mmap=True)


def load_legacy(file: BinaryIO, path: Path) -> Any:
    """Return the object in `file`, which torch.save wrote at `path` before 1.6 or was told to write so.

    Raises ArtifactError when it is damaged or holds more than weights.
    """
    file.seek(0)
    names = _globals(io.BytesIO(file.read(PICKLE_LIMIT)), LEGACY_PICKLES, path)
    return _load(path, names, mmap=False)


def _load(path: Path, names: set[str], *, mmap: bool) -> Any:
    stand_ins = [(_Aside, name) for name in sorted(names & ASIDE)]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        raise _damaged(path, error) from error


def _checked_entries(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """Return the entry of the pickle, after every name and size in `archive` was found to be torch's way."""
    entries = archive.infolist()
    name = shown(path.name)
    if len(entries) > ENTRY_LIMIT:
        raise ArtifactError(f"{name} is an archive of {len(entries):,} files, which no file of weights is.")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise ArtifactError(_refusal(path, "is a TorchScript archive, which is code", *SCRIPT))
    folded = {entry.filename.lower() for entry in entries}
    for entry in entries:
        parts = entry.filename.split("/")
        if ".." in parts or parts[0] == "" or "\\" in entry.filename or ":" in parts[0]:
            raise ArtifactError(
                f"{name} holds a file called {shown(entry.filename)}, which would lie outside of it."
            )
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ArtifactError(
                f"{name} holds {shown(entry.filename)} compressed, which torch.save never does. Unpack it "
                "first if it is an archive of other files."
            )
    pickles = [entry for entry in entries if entry.filename.lower().endswith("/data.pkl")]
    if len(pickles) != 1 or len(folded) != len(entries) or len({each.split("/")[0] for each in folded}) != 1:
        raise ArtifactError(f"{name} is a zip archive, but not one that torch.save wrote.")
    if pickles[0].file_size > PICKLE_LIMIT:
        raise ArtifactError(f"{name} has an index of {pickles[0].file_size:,} bytes, which no weights need.")
    return pickles[0]


def _globals(file: io.BytesIO, pickles: int, path: Path) -> set[str]:
    """Return what the next pickles of `file` name, all of it harmless; nothing of it is looked up."""
    names: set[str] = set()
    texts: set[str] = set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes in texts of protocol 0
            for count, (opcode, argument) in enumerate(_steps(file, pickles)):
                if count > STEP_LIMIT:
                    raise ArtifactError(
                        f"{shown(path.name)} has an index without end, which no weights need."
                    )
                if opcode in FORBIDDEN:
                    what = "is written in another pickle protocol than torch.save's"
                    raise ArtifactError(_refusal(path, what, *CONTENT))
                if opcode == "GLOBAL":
                    names.add(str(argument).replace(" ", "."))
                elif opcode == "BINUNICODE":
                    texts.add(str(argument)[:32])
    except (ValueError, OverflowError, MemoryError) as error:
        raise _damaged(path, error) from error
    strange = sorted(names - ALLOWED - ASIDE)
    if {"_modules", "_parameters"} <= texts and strange:
        own = next((each for each in strange if not each.startswith("torch.")), strange[0])
        what = f"is a whole pickled module ({shown(own)}), which only its code can read"
        raise ArtifactError(_refusal(path, what, *MODULE))
    if strange:
        what = f"holds more than weights: it names {shown(strange[0])}, which would have to be run"
        raise ArtifactError(_refusal(path, what, *CONTENT))
    return names


def _steps(file: io.BytesIO, pickles: int) -> Iterator[tuple[str, object]]:
    for _ in range(pickles):
        for opcode, argument, _place in pickletools.genops(file):
            yield opcode.name, argument


def _refusal(path: Path, what: str, load: str, content: str) -> str:
    """Return the refusal of the file at `path`, and the two lines that make weights of it elsewhere."""
    return (
        f"{shown(path.name)} {what}. Nothing of a file is run here. If you trust it, save its "
        "weights alone, where its code is:\n"
        f"    content = {load.format(file=shown(path.name))}\n"
        f"    torch.save({content}, {shown(path.stem) + '.weights.pth'!r})"
    )


def _damaged(path: Path, error: Exception) -> ArtifactError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ArtifactError(f"{shown(path.name)} is damaged, or no file of weights ({shown(reason)}).")
