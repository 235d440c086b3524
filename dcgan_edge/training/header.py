"""The header of a checkpoint: what the run was asked, how far it is, and what it must not forget.

JSON under one metadata key of the safetensors file. Read as a stranger's text: every field is checked before
anything is built from it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, get_args

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.training.config import Arithmetic, TrainConfig, Types, typed

METADATA_KEY = "dcgan_edge"
SCHEMA_VERSION = 1
KIND = "checkpoint"


@dataclass(frozen=True)
class Header:
    """`step` counts from the start, `step_in_epoch` within `epoch`; the next step is the one after them.

    `precision` is what training runs in, "auto" resolved. `images` is the size of the data set,
    `elapsed_seconds` the time trained over all resumes.
    """

    config: TrainConfig
    precision: Arithmetic
    step: int
    epoch: int
    step_in_epoch: int
    images: int
    elapsed_seconds: float
    versions: dict[str, str]

    def to_json(self) -> str:
        facts = {name: getattr(self, name) for name in _TYPES if name not in ("schema_version", "kind")}
        facts |= {"schema_version": SCHEMA_VERSION, "kind": KIND, "config": self.config.to_dict()}
        return json.dumps(facts, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, origin: str) -> Header:
        """Raises ArtifactError naming `origin` unless `text` is a sound header of a known schema."""
        try:
            facts = json.loads(text)
            if isinstance(facts, dict) and facts.get("schema_version") not in (None, SCHEMA_VERSION):
                raise ArtifactError(
                    f"{origin} has checkpoint schema {facts['schema_version']}; this program reads "
                    f"{SCHEMA_VERSION}. Use the version of dcgan-edge that wrote it."
                )
            return cls(**_checked(facts))
        except (ValueError, RecursionError, UsageError) as error:
            raise ArtifactError(f"The header of {origin} is damaged or foreign ({error}).") from error


_TYPES: Types = {
    "schema_version": (int,),
    "kind": (str,),
    "config": (dict,),
    "precision": (str,),
    "step": (int,),
    "epoch": (int,),
    "step_in_epoch": (int,),
    "images": (int,),
    "elapsed_seconds": (int, float),
    "versions": (dict,),
}


def _checked(facts: Any) -> dict[str, Any]:
    fields = dict(typed(facts, _TYPES))
    if fields.pop("kind") != KIND or fields.pop("schema_version") != SCHEMA_VERSION:
        raise ValueError("it is not a checkpoint's")
    if fields["precision"] not in get_args(Arithmetic):
        raise ValueError(f"precision is {fields['precision']!r}")
    for name in ("step", "epoch", "step_in_epoch", "images", "elapsed_seconds"):
        if not 0 <= fields[name] < math.inf:
            raise ValueError(f"{name} is {fields[name]!r}")
    return {**fields, "config": TrainConfig.from_dict(fields["config"])}
