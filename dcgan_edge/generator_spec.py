"""What a checkpoint says of its generator: architecture, layers, and where it came from.

JSON under a metadata key of its own in the safetensors file, read as a stranger's text.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import ArtifactError
from dcgan_edge.layers import Layer, layers_from, shapes
from dcgan_edge.manifest import Origin
from dcgan_edge.schema import build, checked, read_json

METADATA_KEY = "dcgan_edge.generator"
SCHEMA_VERSION = 1
SPEC_LIMIT = 2**20  # bytes of JSON


@dataclass(frozen=True)
class GeneratorSpec:
    """The network of a generator as data. `origin` is None for one that was trained here."""

    architecture: Architecture
    layers: tuple[Layer, ...]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        """Raise ValueError when the layers do not make the images that the architecture names."""
        architecture = self.architecture
        made = shapes(self.layers, architecture.input_dim)[-1]
        if made != (architecture.channels, architecture.size, architecture.size):
            raise ValueError(
                f"the layers make {made}, the architecture says "
                f"{(architecture.channels, architecture.size, architecture.size)}"
            )

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        facts = {
            "schema_version": SCHEMA_VERSION,
            "architecture": dataclasses.asdict(self.architecture),
            "layers": [layer.to_dict() for layer in self.layers],
            "origin": dataclasses.asdict(self.origin) if self.origin else None,
        }
        return json.dumps(facts, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, origin: str) -> GeneratorSpec:
        """Return the spec in `text`. Raises ArtifactError naming `origin` unless it is a sound one."""
        facts = read_json(text, f"The header of {origin}", limit=SPEC_LIMIT)
        try:
            if not isinstance(facts, dict) or facts.keys() != _FIELDS:
                raise ValueError(f"its fields are not {', '.join(sorted(_FIELDS))}")
            if facts["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"its generator has schema {str(facts['schema_version'])[:20]}")
            architecture = build(Architecture, facts["architecture"], "architecture")
            architecture.check()
            source = checked(Origin | None, facts["origin"], "origin")
            return cls(architecture, layers_from(facts["layers"]), source)
        except ValueError as error:
            raise ArtifactError(f"The header of {origin} is damaged or foreign ({error}).") from error


_FIELDS = frozenset(["schema_version", "architecture", "layers", "origin"])
