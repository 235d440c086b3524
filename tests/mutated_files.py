"""Files that were damaged or made up, a thousand of them: each is refused with a sentence and its exit code.

    python -m tests.mutated_files --count 1000 --seed 0

Sound files of each kind (ONNX, engines, checkpoints, their manifests and golden images, records, packed
data) get bit flips, truncations, huge numbers, wrong types and deep nesting. Each is then read as a user
reads it, in a process that may take 5 s and 1 GB for it; that process dying is a failure as well. Some of
the changed ONNX files get a manifest that fits the change, so that the graph itself is reached.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np

from dcgan_edge import onnx_file
from dcgan_edge.artifact import (
    METADATA_KEY,
    BatchProfile,
    embed_manifest,
    golden_path,
    read_artifact,
    sidecar_path,
    write_artifact,
)
from dcgan_edge.errors import ArtifactError, EdgeError

SECONDS = 5.0
GIBIBYTE = 2**30
HUGE: tuple[Any, ...] = (
    10**12, 10**30, -1, 0, 1e300, 2**63, 0.5, True, None, "", "x" * 1000, "1", [], {}, [[]], "\ud800"
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """One kind of file: the file to change, what lies beside it, and how a user has it read."""

    name: str
    file: Path
    beside: tuple[Path, ...]
    read: Callable[[Path], object]
    codes: tuple[int, ...] = (ArtifactError.exit_code,)
    is_json: bool = False
    resealed: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one changed file: "read", or the exit code of its error; else what is wrong."""

    what: str
    seconds: float
    wrong: str = ""


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip one to four bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut the end off, or a piece out of the middle."""
    start = rng.randrange(len(data))
    return data[:start] + (data[start + rng.randint(1, 64) :] if rng.random() < 0.5 else b"")


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Put eight bytes that are a huge number somewhere, near the start as often as not."""
    start = rng.randrange(min(len(data), 200) if rng.random() < 0.5 else len(data))
    return data[:start] + rng.choice((b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7)) + data[start + 8 :]


def change_json(data: bytes, rng: random.Random) -> bytes:
    """Give one value of a JSON document another type or size, or nest something deep."""
    facts = json.loads(data)
    places: list[tuple[Any, Any]] = []
    stack = [facts]
    while stack:
        here = stack.pop()
        keys = list(here) if isinstance(here, dict) else range(len(here))
        places += [(here, key) for key in keys]
        stack += [here[key] for key in keys if isinstance(here[key], dict | list)]
    if rng.random() < 0.1:
        return b"[" * 100_000 if rng.random() < 0.5 else b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    place, key = rng.choice(places)
    how = rng.random()
    if how < 0.1 and isinstance(place, dict):
        del place[key]
    elif how < 0.2 and isinstance(place, dict):
        place["unknown"] = 1
    elif how < 0.3:
        deep: Any = 1
        for _ in range(500):
            deep = [deep]
        place[key] = deep
    else:
        place[key] = rng.choice(HUGE)
    text = json.dumps(facts)
    return text.replace("1e+300", rng.choice(("1e999", "NaN", "9" * 5000))).encode()


def mutate(case: Case, rng: random.Random) -> bytes:
    """Return the changed content of the case's file."""
    data = case.file.read_bytes()
    ways = [flip_bits, cut, overwrite, *([change_json] * 4 if case.is_json else [])]
    for _ in range(20):
        changed = rng.choice(ways)(data, rng)
        if changed != data:
            return changed
    return data[:-1]


def place(case: Case, content: bytes, folder: Path) -> Path:
    """Put the changed file and what belongs beside it into `folder`; return the path to read."""
    for path in (case.file, *case.beside):
        shutil.copy(path, folder / path.name)
    main = (case.beside or (case.file,))[0]
    (folder / case.file.name).write_bytes(content)
    if case.resealed:
        _reseal(folder / main.name, case.file, content)
    return folder / main.name


def _reseal(path: Path, original: Path, content: bytes) -> None:
    """Describe the changed graph as if its maker had meant it so."""
    manifest = dataclasses.replace(read_artifact(original)[0].about_content(), batch=BatchProfile(1, 1, 1))
    try:
        kept = {key: text for key, text in onnx_file.metadata(content).items() if key != METADATA_KEY}
        write_artifact(path, embed_manifest(onnx_file.with_metadata(content, kept), manifest), manifest)
    except (EdgeError, ValueError):
        return  # not even an ONNX file any more: it stays as it is


def attempt(case: Case, path: Path) -> Outcome:
    """Read the file and say what came of it."""
    start = time.perf_counter()
    wrong = ""
    try:
        case.read(path)
        what = "read"
    except EdgeError as error:
        what = str(error.exit_code)
        if error.exit_code not in case.codes:
            wrong = f"exit code {error.exit_code}: {error}"
        elif not str(error).strip() or len(str(error)) > 2000:
            wrong = f"a message of {len(str(error))} characters"
    except BaseException as error:  # what a user would see as a traceback is what is looked for
        what, wrong = "traceback", f"{type(error).__name__}: {str(error)[:200]}"
    seconds = time.perf_counter() - start
    return Outcome(what, seconds, wrong or (f"it took {seconds:.1f} s" if seconds > SECONDS else ""))


def make_cases(folder: Path, checkpoint: Path, exported: Path) -> list[Case]:
    """Return a case for each kind of file, made from small sound ones in `folder`."""
    from tests.mutated_readers import (
        prove,
        read_checkpoint_generator,
        read_engine,
        read_foreign_keras,
        read_foreign_weights,
        read_packed,
        read_record,
        run_artifact,
        run_on_openvino,
        show,
        write_foreign,
        write_samples,
    )

    record, packed, engine = write_samples(folder)
    archive, legacy, tensors, keras = write_foreign(folder)
    onnx = exported / "generator.fp16.onnx"
    beside = (sidecar_path(onnx), golden_path(onnx))
    return [
        Case("ONNX", onnx, (), run_artifact),
        Case("ONNX with a manifest that fits", onnx, (), run_artifact, (1, 6), resealed=True),
        Case("ONNX with a manifest that fits, on OpenVINO", onnx, (), run_on_openvino, (1, 6), resealed=True),
        Case("manifest of ONNX", sidecar_path(onnx), (onnx,), run_artifact, is_json=True),
        Case("golden images", golden_path(onnx), (onnx, beside[0]), prove),
        Case("engine", engine, (), read_engine),
        Case("engine with its manifest", engine, (engine, sidecar_path(engine)), read_engine),
        Case("manifest of an engine", sidecar_path(engine), (engine,), read_engine, is_json=True),
        Case("manifest of an engine, described", sidecar_path(engine), (engine,), show, is_json=True),
        Case("checkpoint", checkpoint, (), read_checkpoint_generator),
        Case("checkpoint, described", checkpoint, (), show),
        Case("benchmark record", record, (), read_record, is_json=True),
        Case("packed data", packed, (packed, sidecar_path(packed)), read_packed),
        Case("description of packed data", sidecar_path(packed), (packed,), read_packed, is_json=True),
        Case("weights of torch", archive, (), read_foreign_weights, (2, 6)),
        Case("weights of torch, legacy", legacy, (), read_foreign_weights, (2, 6)),
        Case("weights in safetensors", tensors, (), read_foreign_weights, (2, 6)),
        Case("Keras", keras, (), read_foreign_keras),
    ]


def try_one(case: Case, rng: random.Random) -> Outcome:
    """Change the case's file, and read it here."""
    with tempfile.TemporaryDirectory() as folder:
        return attempt(case, place(case, mutate(case, rng), Path(folder)))


def _serve(pipe: Connection, folder: Path, checkpoint: Path, exported: Path) -> None:
    """A process that reads one file after the other and tells its memory."""
    cases = make_cases(folder, checkpoint, exported)
    for case in cases:  # libraries are loaded before memory counts
        with tempfile.TemporaryDirectory() as here:
            attempt(
                case, place(dataclasses.replace(case, resealed=False), case.file.read_bytes(), Path(here))
            )
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(len(cases))
    while (task := pipe.recv()) is not None:
        number, seed = task
        outcome = try_one(cases[number], random.Random(seed))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) * 1024
        if grown > GIBIBYTE:
            outcome = dataclasses.replace(outcome, wrong=f"it took {grown / GIBIBYTE:.1f} GiB")
        pipe.send((cases[number].name, outcome))


class Reader:
    """The process, started again when it died or hung."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.cases: int = self._pipe.recv()

    def read(self, number: int, seed: int) -> tuple[str, Outcome]:
        """Have the file of case `number` changed by `seed` and read."""
        self._pipe.send((number, seed))
        try:
            if self._pipe.poll(4 * SECONDS):
                name, outcome = self._pipe.recv()
                return name, outcome
            reason = f"it hung for {4 * SECONDS:g} s"
        except EOFError:
            self._process.join()
            reason = f"the process died with exit code {self._process.exitcode}"
        self._process.kill()
        self._start()
        return f"case {number}", Outcome("died", 0.0, reason)

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


@click.command()
@click.option("--count", default=1000, show_default=True, help="Files to change and read.")
@click.option("--seed", default=0, show_default=True, help="Seed of the changes.")
def command(count: int, seed: int) -> None:
    """Change and read COUNT files; exit 1 if one is not refused with a sentence and its code."""
    from tests.mutated_readers import make_files

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint, exported = make_files(folder)
        reader = Reader(folder, checkpoint, exported)
        outcomes: Counter[tuple[str, str]] = Counter()
        faults: list[str] = []
        for index in range(count):
            name, outcome = reader.read(index % reader.cases, seed * 1_000_000 + index)
            outcomes[name, outcome.what] += 1
            if outcome.wrong:
                faults.append(f"{name}, seed {seed * 1_000_000 + index}: {outcome.wrong}")
        reader.close()
    for (name, what), number in sorted(outcomes.items()):
        click.echo(f"{name:42} {what:10} {number:5}")
    for fault in faults:
        click.echo(f"FAULT {fault}")
    click.echo(f"{count} files, {len(faults)} faults, numpy {np.__version__}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    command()
