"""A folder of a hub: which of its files are the weights, in one piece or in the shards of an index."""

from __future__ import annotations

from pathlib import Path

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.names import shown
from dcgan_edge.schema import read_json

INDEX_LIMIT = 16 * 2**20  # bytes
SHARD_LIMIT = 1000
KNOWN = ("model", "pytorch_model", "diffusion_pytorch_model", "generator")
WEIGHTS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files that hold the weights in `folder`: one, or all shards that its index names.

    Safetensors come before pickles, names that hubs use before others; nothing below `folder` is looked at.

    Raises UsageError when there are no weights in it or when several files could be meant, ArtifactError when
    an index is damaged or names what is not a file of the folder.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and entry.name[0] != ".")
    except OSError as error:
        raise UsageError(f"Cannot read the folder {shown(folder)}: {error.strerror or error}.") from error
    for ending in WEIGHTS[:2]:
        for index in (name for name in names if name.endswith(f"{ending}.index.json")):
            return _shards(folder / index)
    for ending in WEIGHTS:
        found = [name for name in names if name.lower().endswith(ending)]
        usual = [name for name in found if name[: -len(ending)] in KNOWN]
        if len(found) == 1 or usual:
            return (folder / (usual or found)[0],)
        if found:
            listed = ", ".join(map(shown, found[:5]))
            raise UsageError(f"{shown(folder)} holds several files of weights: {listed}. Name one of them.")
    raise UsageError(f"{shown(folder)} holds no weights ({', '.join(WEIGHTS)}).")


def _shards(index: Path) -> tuple[Path, ...]:
    try:
        with open(index, "rb") as file:
            text = file.read(INDEX_LIMIT + 1)
    except OSError as error:
        raise ArtifactError(f"Cannot read {shown(index)}: {error.strerror or error}.") from error
    found = read_json(text, f"The index {shown(index.name)}", limit=INDEX_LIMIT, depth=8)
    shards = found.get("weight_map") if isinstance(found, dict) else None
    if (
        not isinstance(shards, dict)
        or not shards
        or not all(isinstance(each, str) for each in shards.values())
    ):
        raise ArtifactError(f"The index {shown(index.name)} does not say which file each tensor is in.")
    names = sorted(set(shards.values()))
    for name in names:
        if Path(name).name != name or not (index.parent / name).is_file():
            raise ArtifactError(
                f"The index {shown(index.name)} names {shown(name)}, which is no file beside it."
            )
    if len(names) > SHARD_LIMIT:
        raise ArtifactError(f"The index {shown(index.name)} names {len(names):,} files.")
    return tuple(index.parent / name for name in names)
