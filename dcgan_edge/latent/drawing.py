"""`dcgan-edge latent interpolate | grid | arithmetic` as functions: an exported artifact in, pictures out.

Nothing here needs torch; a device draws as a desk does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import Pair, every_pair, one_class, pair_for_each, parse_classes
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.images import check_grid, encode_png
from dcgan_edge.latent.arithmetic import draw_answer, solve
from dcgan_edge.latent.interpolation import plane_to_file, walk_to_folder
from dcgan_edge.runtime.session import Backend, Session, open_session

MOST_SEEDS = 10_000  # of one picture or film
MOST_SCALE = 64  # screen pixels of a side of an image's pixel


@dataclass(frozen=True)
class Drawing:
    """The `files` that were written, and the `facts` of what they show: the document of `--json`."""

    files: tuple[Path, ...]
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts and the paths as JSON has them."""
        return {**self.facts, "files": [str(path) for path in self.files]}


def interpolate(
    artifact: StrPath,
    seeds: Sequence[int],
    out: StrPath = "walk",
    *,
    classes: str | None = None,
    steps: int = 12,
    loop: bool = False,
    formats: Sequence[str] = ("png", "gif"),
    per_second: float = 12.0,
    scale: int = 2,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Drawing:
    """Walk from each of `seeds` to the next in `steps` pictures, both ends included, and write it into `out`.

    `classes` is one name or number for all seeds, or one for each, such as "3,7": the walk then goes from
    class to class. A single seed may have several: its picture goes through them. None is the class s modulo
    their number.
    `formats` are "png" (a strip, a row for each pair of seeds), "gif" and "mp4" (films of `per_second` frames
    per second). `loop` adds the way from the last seed back to the first. Each pixel is drawn `scale` x
    `scale`.

    Raises UsageError for fewer than two seeds or steps, for classes that are not there, and what
    `open_session` and the encoders raise.
    """
    out = Path(out)
    _check_picture(seeds, scale)
    check_writable(out / "strip.png")
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        architecture = session.manifest.architecture
        pairs = _stops(architecture, seeds, classes)
        files = walk_to_folder(
            session, pairs, out, steps=steps, loop=loop, formats=formats, per_second=per_second, scale=scale
        )
        facts = {
            **_session_facts(session, artifact),
            "seeds": [seed for seed, _ in pairs],
            "classes": [architecture.classes[number] for _, number in pairs if architecture.classes],
            "steps": steps,
            "loop": loop,
        }
    return Drawing(tuple(files), facts)


def latent_grid(
    artifact: StrPath,
    seeds: Sequence[int],
    output: StrPath = "grid.png",
    *,
    rows: int = 9,
    columns: int = 9,
    class_name: str | None = None,
    scale: int = 2,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Drawing:
    """Draw the plane through three `seeds` as `rows` x `columns` pictures, and write the PNG `output`.

    The seeds are the top left, top right and bottom left corner; all pictures are of the class `class_name`,
    which a generator with classes needs. Raises UsageError for another number of seeds, fewer than 2 x 2
    pictures or a class that is not there, and what `open_session` raises.
    """
    output = Path(output)
    _check_picture(seeds, scale)
    check_writable(output)
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        number = one_class(session.manifest.architecture, class_name)
        plane_to_file(session, seeds, output, rows=rows, columns=columns, number=number, scale=scale)
        facts = {**_session_facts(session, artifact), "seeds": list(seeds), "layout": [rows, columns]}
    return Drawing((output,), facts)


def latent_arithmetic(
    artifact: StrPath,
    output: StrPath = "arithmetic.png",
    *,
    start: Sequence[int],
    minus: Sequence[int] = (),
    plus: Sequence[int] = (),
    noise: float = 0.25,
    seed: int = 0,
    class_name: str | None = None,
    scale: int = 2,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
) -> Drawing:
    """Draw (mean of the seeds `start`) - (mean of `minus`) + (mean of `plus`), and write the PNG `output`.

    The picture has a column for each group of seeds with its mean at the foot; to the right the answer among
    neighbours at uniform noise of +-`noise`, drawn by `seed`, and at the foot alone; all are of the class
    `class_name`, which a generator with classes needs. The document has the answer's latent.

    Raises UsageError when there is nothing to calculate with, and what `open_session` raises.
    """
    output = Path(output)
    _check_picture([*start, *minus, *plus], scale)
    check_writable(output)
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        check_grid(
            max(map(len, (start, minus, plus))) + 1, 7, session.manifest.architecture.size, scale=scale
        )
        number = one_class(session.manifest.architecture, class_name)
        answer = solve(start, minus, plus, session.manifest.architecture, noise=noise, seed=seed)
        write_atomic(output, encode_png(draw_answer(session, answer, number), scale=scale))
        facts = {
            **_session_facts(session, artifact),
            "groups": {concept.name: list(concept.seeds) for concept in answer.concepts},
            "weights": {concept.name: concept.weight for concept in answer.concepts},
            "latent": answer.latent.ravel().tolist(),
        }
    return Drawing((output,), facts)


def _stops(architecture: Architecture, seeds: Sequence[int], classes: str | None) -> list[Pair]:
    """The seeds of a walk with their classes; a single seed is there once for each of its classes."""
    if classes is not None and len(seeds) == 1:
        return every_pair(architecture, seeds, parse_classes(classes, architecture.classes))
    return pair_for_each(architecture, seeds, classes)


def _session_facts(session: Session, artifact: StrPath) -> dict[str, Any]:
    return {"artifact": str(artifact), "sha256": session.manifest.sha256, "session": session.facts.to_dict()}


def _check_picture(seeds: Sequence[int], scale: int) -> None:
    if len(seeds) > MOST_SEEDS:
        raise UsageError(f"A picture shows at most {MOST_SEEDS:,} seeds, not {len(seeds):,}.")
    if not 1 <= scale <= MOST_SCALE:
        raise UsageError(f"A pixel is drawn 1 to {MOST_SCALE} times as large, not {scale}.")
