"""The header of a checkpoint: what the run was asked, how far it is, and what it must not forget.

JSON under one metadata key of the safetensors file. Read as a stranger's text: every field is checked before
anything is built from it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.schema import build, read_json
from dcgan_edge.training.config import Arithmetic, TrainConfig

METADATA_KEY = "dcgan_edge"
SCHEMA_VERSION = 2
READABLE_SCHEMAS = (1, 2)  # the first did not describe the generator, only named its preset
KIND = "checkpoint"
GENERATOR_KIND = "generator"  # one that was not trained here
HEADER_LIMIT = 2**20  # bytes; ours have two thousand
MOST_STEPS = 2**53  # exact in a float, and more than anybody takes


@dataclass(frozen=True)
class Header:
    """`step` counts from the start, `step_in_epoch` within `epoch`; the next step is the one after them.

    `precision` is what training runs in, "auto" resolved, and `shards` likewise; files of older versions,
    which say nothing, are of one shard. `images` is the size of the data set,
    `data_digest` identifies its content wherever it lies ("" if that was not noted), `elapsed_seconds` is the
    time trained, resumed runs included. `generator` is None in the files of older versions.
    `schedule_changes` says in words at which step a resumed run's new budget changed its learning rate.
    """

    config: TrainConfig
    precision: Arithmetic
    step: int
    epoch: int
    step_in_epoch: int
    images: int
    elapsed_seconds: float
    versions: dict[str, str]
    data_digest: str = ""
    generator: GeneratorSpec | None = None
    schedule_changes: tuple[str, ...] = ()
    shards: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for a state that no run is ever in."""
        for name in ("step", "epoch", "step_in_epoch", "images"):
            if not 0 <= getattr(self, name) <= MOST_STEPS:
                raise ValueError(f"{name} is {getattr(self, name)!r}")
        if not 1 <= self.shards <= self.config.batch:
            raise ValueError(f"shards is {self.shards!r}")
        if not 0.0 <= self.elapsed_seconds < math.inf:
            raise ValueError(f"elapsed_seconds is {self.elapsed_seconds!r}")
        if self.generator and self.generator.architecture != self.config.architecture:
            raise ValueError("it names two different generators")

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        facts = {"schema_version": SCHEMA_VERSION, "kind": KIND, **dataclasses.asdict(self)}
        return json.dumps(facts, sort_keys=True, allow_nan=False)


def generator_json(spec: GeneratorSpec) -> str:
    """Return the text of a checkpoint that holds a generator alone, which `read_header` reads."""
    facts = {"schema_version": SCHEMA_VERSION, "kind": GENERATOR_KIND, "generator": dataclasses.asdict(spec)}
    return json.dumps(facts, sort_keys=True, allow_nan=False)


def read_header(text: str, origin: str) -> Header | GeneratorSpec:
    """Return the header that `text` holds, or what a generator is that was not trained here.

    Raises ArtifactError naming `origin` unless it is a sound one of a known schema.
    """
    facts = read_json(text, f"the header of {origin}", limit=HEADER_LIMIT)
    version, kind = (facts.pop(name, None) if isinstance(facts, dict) else None for name in _OWN)
    try:
        if kind not in (KIND, GENERATOR_KIND) or not isinstance(version, int):
            raise ValueError("it is not a checkpoint's")
        if version not in READABLE_SCHEMAS:
            known = " and ".join(map(str, READABLE_SCHEMAS))
            raise ArtifactError(
                f"{origin} has checkpoint schema {version}; this program reads {known}. Use the version of "
                "dcgan-edge that wrote it."
            )
        if kind == KIND:
            return build(Header, facts)
        return build(GeneratorSpec, facts.get("generator"), "generator")
    except (ValueError, UsageError) as error:
        raise ArtifactError(f"The header of {origin} is damaged or foreign ({error}).") from error


_OWN = ("schema_version", "kind")  # fields that say what the rest is
