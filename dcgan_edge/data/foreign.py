"""What a file is that is no picture here, and what to do about it, for the people who bring it.

By its ending before it is opened, by its first bytes afterwards. Nothing is ever decoded here.
"""

from __future__ import annotations

HEAD = 1024  # bytes that are enough to tell
LFS = "a Git LFS pointer, not the file itself; fetch the files: git lfs pull"
HEIC = "a HEIC picture, which is not read here; convert it first: magick mogrify -format png '*.heic'"
SVG = "a drawing without pixels (SVG); render it to PNG first"
LMDB = "an LMDB database, which is not read here; write its pictures to a folder first"
VIDEO = "a video; take pictures from it first: ffmpeg -i VIDEO frames/%06d.png"
PICKLE = "a Python pickle, which could run a program when it is read, and is not opened"
ARRAYS = "an array file; only what `dcgan-edge data prepare` writes is read"
TABLES = "a container of records, which is not read here; write its pictures to a folder first"
RAW = "a camera's raw file; develop it to JPEG or PNG first"
ARCHIVE = "an archive; give it alone to --data, or unpack it"
DOCUMENT = "a document, not a picture"
NOT_BY_ENDING = "not a picture by its ending"

ENDINGS = {
    ending: meaning
    for meaning, endings in {
        HEIC: "heic heif hif",
        SVG: "svg svgz",
        LMDB: "mdb lmdb",
        VIDEO: "mp4 m4v mov avi mkv webm wmv flv mpg mpeg",
        PICKLE: "pkl pickle pt pth joblib",
        ARRAYS: "npy npz mat",
        TABLES: "tfrecord tfrecords parquet arrow h5 hdf5 rec",
        RAW: "cr2 cr3 nef arw raf orf rw2",
        ARCHIVE: "zip tar tgz gz bz2 xz tbz2 txz 7z rar zst",
        DOCUMENT: "pdf doc docx ps eps",
    }.items()
    for ending in endings.split()
}
STARTS = (
    (0, b"version https://git-lfs.github.com/spec/", LFS),
    (4, b"ftypheic", HEIC),
    (4, b"ftypheix", HEIC),
    (4, b"ftypmif1", HEIC),
    (4, b"ftyp", VIDEO),
    (0, b"\x1aE\xdf\xa3", VIDEO),
    (8, b"AVI ", VIDEO),
    (16, b"\xde\xc0\xef\xbe", LMDB),
    (0, b"\x89HDF", TABLES),
    (0, b"PAR1", TABLES),
    (0, b"\x93NUMPY", ARRAYS),
    (0, b"PK\x03\x04", ARCHIVE),
    (0, b"\x1f\x8b", ARCHIVE),
    (257, b"ustar", ARCHIVE),
    (0, b"%PDF", DOCUMENT),
    (0, b"%!PS", DOCUMENT),
)


def by_ending(name: str) -> str:
    """Return what a file called `name` is, when its ending says that it is no picture; else ""."""
    return ENDINGS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def by_content(head: bytes) -> str:
    """Return what a file is whose first `HEAD` bytes are `head`, "" when that is not known."""
    for place, start, meaning in STARTS:
        if head[place : place + len(start)] == start:
            return meaning
    if b"<svg" in head:
        return SVG
    if len(head) > 2 and head[0] == 0x80 and head[1] in range(2, 6):  # PROTO and its version
        return PICKLE
    return "an empty file" if not head else ""
