"""`dcgan-edge sample`: the images of seeds as files, in the form that was asked for.

Seeds and files are computed where they are needed and never listed, and images are encoded by other threads
while the session makes the next ones, so that a million seeds take no more memory than a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import Pair, check_conditional, every_pair, file_stem, parse_classes
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import PixelArray, check_grid, encode_png, encode_pngs
from dcgan_edge.images import grid as as_grid
from dcgan_edge.parallel import ordered_map, worker_count
from dcgan_edge.profile import chosen_artifact
from dcgan_edge.runtime.device import Backend
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.sampling import pixel_blocks
from dcgan_edge.runtime.session import Session, SessionFacts, open_session
from dcgan_edge.seeds import MAX_SEEDS, Computed, rising

Format = Literal["png", "npy", "webdataset", "parquet"]
Engine = Literal["local", "ray"]
FORMATS: tuple[Format, ...] = get_args(Format)
MOST_ENCODERS = 4  # threads; the session has threads of its own
Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sampled:
    """What `sample` wrote: `files` in rising order of seeds, a grid last; and what made them.

    Files are paths, or URLs where the output is one. `images` is their number without the grid. `classes` are
    the names of the classes of PNG files, empty where the generator knows none. `verification` says in words
    whether the artifact was proven here.
    """

    artifact: Path
    sha256: str
    images: int
    files: Sequence[Path | str]
    session: SessionFacts
    verification: str
    classes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "artifact": str(self.artifact),
            "sha256": self.sha256,
            "session": self.session.to_dict(),
            "verification": self.verification,
            "images": self.images,
            "files": [str(path) for path in self.files],
            "classes": list(self.classes),
        }


def sample(
    artifact: StrPath,
    seeds: Sequence[int],
    out: StrPath,
    *,
    classes: str | None = None,
    grid: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    format: Format = "png",
    per_file: int | None = None,
    shard: tuple[int, int] = (0, 1),
    engine: Engine = "local",
    workers: int | None = None,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Sampled:
    """Write the image of each of `seeds`, made by the artifact or a profile's best, into the folder `out`.

    `format` is "png", a file for each; "npy", all of them in `images.npy`, uint8 (n, size, size, channels);
    "webdataset", `per_file` (None: 10,000) PNG files in each of `00000.tar`, `00001.tar` and so on; or
    "parquet", as many rows in `00000.parquet` and so on. For all but the first `out` may be a URL that fsspec
    knows, what is there already and right is kept, so that a run that was cut off goes on, and what
    `samples.json` says was made otherwise is refused. `shard` (number, count) writes that share of the files
    alone, numbers counted from 0; `engine` "ray" has `workers` actors of Ray write them.
    `classes` are those that each seed is drawn in, by name or number, such as "3", "cat,dog" or "all"; None
    draws seed s in the class s modulo their number. `grid` is the (rows, columns) of an additional
    `grid.png`, `scale` the size in which each pixel is drawn. `batch` is the number of images per call
    (None: 8). The file of a seed and a class is the same, byte for byte, whatever it is asked for with;
    between different `batch` it may differ by rounding, as kernels do. `progress` is told the number of
    images done, and of how many.

    Raises what `open_session` raises; UsageError for a class that is not there, a grid that is too small, a
    batch that is not taken and an option that does not apply; UnavailableError where a library is missing.
    """
    _check_format(format, grid, scale)
    artifact = chosen_artifact(artifact)
    if format != "png":
        from dcgan_edge.sample_sets import sampling as sets

        options = sets.SetOptions(classes, format, scale, batch, per_file, shard, engine, workers)
        return sets.sample_set(artifact, seeds, out, options, device, backend, threads, progress)
    _check_pictures(out, per_file=per_file, shard=shard, engine=engine, workers=workers)
    check_writable(Path(out, "grid.png"))
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        architecture = session.manifest.architecture
        chosen = None if classes is None else parse_classes(classes, architecture.classes)
        files = sample_to_folder(
            session, seeds, Path(out), classes=chosen, layout=grid, scale=scale, batch=batch,
            progress=progress,
        )  # fmt: skip
        labels, pairs = Computed(0, str), rising_pairs(architecture, seeds, chosen)
        if architecture.classes:
            labels = Computed(len(pairs), lambda place: architecture.classes[pairs[place][1]])
        return Sampled(
            Path(artifact), session.manifest.sha256, len(pairs), files, session.facts,
            verification_words(session), labels,
        )  # fmt: skip


def sample_to_folder(
    session: Session,
    seeds: Sequence[int],
    folder: Path,
    *,
    classes: Sequence[int] | None = None,
    layout: tuple[int, int] | None = None,
    scale: int = 1,
    batch: int | None = None,
    progress: Progress | None = None,
) -> Sequence[Path]:
    """Write `seed0007.png`, or `class3-seed0007.png` where there are classes, for each seed in each of
    `classes` into `folder`, and `grid.png` in the order asked for, seed by seed.

    `layout` is the grid's (rows, columns), None for no grid; each pixel is drawn `scale` x `scale`.
    `progress` is told the number of images done, and of how many. Returns the paths in rising order of seeds,
    the grid's last.
    """
    architecture = session.manifest.architecture
    pairs = rising_pairs(architecture, seeds, classes)
    if layout:
        _check_layout(layout, len(seeds) * (1 if classes is None else len(classes)), len(classes or ()))
        check_grid(*layout, architecture.size, scale=scale)
        shown = every_pair(architecture, seeds, classes)
    pixels: dict[Pair, PixelArray] = {}

    def path_of(pair: Pair) -> Path:
        return folder / f"{file_stem(architecture, pair)}.png"

    def write(block: tuple[list[Pair], PixelArray]) -> int:
        levels = block[1].transpose(0, 3, 1, 2)
        for pair, picture in zip(block[0], encode_pngs(levels, scale=scale), strict=True):
            write_atomic(path_of(pair), picture)
        if layout:
            pixels.update(zip(block[0], levels, strict=True))
        return len(levels)

    done = 0
    for count in beside(write, pixel_blocks(session, pairs, batch=batch), several=len(pairs) > 1):
        done += count
        if progress:
            progress(done, len(pairs))
    if not layout:
        return Computed(len(pairs), lambda place: path_of(pairs[place]))
    picture = as_grid(np.stack([pixels[pair] for pair in shown]), *layout)
    write_atomic(folder / "grid.png", encode_png(picture, scale=scale))
    return [*(path_of(pair) for pair in pairs), folder / "grid.png"]


def rising_pairs(
    architecture: Architecture,
    seeds: Sequence[int],
    classes: Sequence[int] | None,
    *,
    most: int = MAX_SEEDS,
) -> Sequence[Pair]:
    """Return the distinct pairs of `every_pair` in rising order, computed when they are asked for.

    Raises UsageError for classes where there are none, and for more than `most` pairs.
    """
    distinct, count = rising(seeds), max(1, len(architecture.classes))
    numbers = [] if classes is None else sorted(set(classes))
    width = max(1, len(numbers))
    if len(distinct) * width > most:
        in_classes = f" in {width:,} classes" if numbers else ""
        raise UsageError(f"{len(distinct):,} seeds{in_classes} are too many; {most:,} images are the most.")
    if classes is None:
        return Computed(len(distinct), lambda place: (distinct[place], distinct[place] % count))
    check_conditional(architecture)
    return Computed(len(distinct) * width, lambda place: (distinct[place // width], numbers[place % width]))


def beside(
    function: Callable[[Item], Result], items: Iterable[Item], *, several: bool = True
) -> Iterator[Result]:
    """Return `function(item)` of each of `items` in their order, computed by other threads while the caller's
    makes the next items. No more than a few wait at a time; without `several` no thread is started.
    """
    if not several:
        return map(function, items)
    workers = min(MOST_ENCODERS, worker_count())
    return ordered_map(function, items, ahead=2 * workers + 1, workers=workers)


def _check_format(format: Format, grid: tuple[int, int] | None, scale: int) -> None:
    """Raise UsageError for a format that is none, and for an option that it has no use for."""
    if format not in FORMATS:
        raise UsageError(f"{format!r} is no format of samples; there are {', '.join(FORMATS)}.")
    if (format != "png" and grid) or (format == "npy" and scale != 1):
        raise UsageError(f"The format {format} has no {'grid' if grid else 'scale'}; that of png has.")


def _check_pictures(
    out: StrPath, *, per_file: int | None, shard: tuple[int, int], engine: Engine, workers: int | None
) -> None:
    """Raise UsageError for what is for files of many images alone."""
    from dcgan_edge.sample_sets.stores import is_url

    named = {
        "--per-file": per_file is not None,
        "--shard": shard != (0, 1),
        "--engine": engine != "local",
        "--workers": workers is not None,
        "a URL": is_url(out),
    }
    for name, given in named.items():
        if given:
            raise UsageError(
                f"One PNG for each image goes without {name}; add --format webdataset or parquet."
            )


def _check_layout(layout: tuple[int, int], images: int, classes: int) -> None:
    """Raise UsageError for a grid that is too small, or that would mix the classes in its columns."""
    rows, columns = layout
    if images > rows * columns:
        raise UsageError(f"{images} images do not fit into a grid of {rows}x{columns}.")
    if classes > 1 and columns % classes:
        raise UsageError(
            f"A grid of {classes} classes has a column for each: {rows}x{classes}, not {rows}x{columns}."
        )
