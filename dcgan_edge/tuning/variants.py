"""A checkpoint as the artifacts that may run best here: precisions, forms for runtimes, layers kept in float.

Each is written by the usual pipeline, with its proof. Layers are named as in the graph, in files too.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.artifact import BatchProfile, Manifest, Precision, Target, read_artifact, read_file
from dcgan_edge.artifact import file_stem as form_stem
from dcgan_edge.errors import EdgeError, VerificationError
from dcgan_edge.export.int8 import MARGIN, Trial, sensitivity
from dcgan_edge.export.onnx.calibration import Method, calibrate
from dcgan_edge.export.onnx.for_target import REWRITES, for_target
from dcgan_edge.export.onnx.graph import build_graph
from dcgan_edge.export.onnx.quantise import quantisable
from dcgan_edge.export.onnx.reference import TorchSession
from dcgan_edge.export.writing import Making, Wanted, write_generator
from dcgan_edge.extras import is_installed
from dcgan_edge.files import write_atomic
from dcgan_edge.runtime.parity import INT8_GATE
from dcgan_edge.schema import build, read_json

from .candidates import Subject
from .objective import Wishes
from .outcome import Tuned
from .search import Search
from .trials import Say

NAME = "tuned.variants.json"
CALIBRATION: Method = "min-max"  # of files with layers kept: the best as a rule, and there are many of them
FEW_LAYERS = 3  # of which every choice is tried; of more, the most sensitive are kept one after the other
MOST_KEPT = 6
SEEDS = range(10_000, 10_128)  # of the calibration that ranks layers; the export calibrates anew
FORMS: dict[str, Target] = {"onnxruntime": "onnxruntime-cpu", "openvino": "openvino"}


def tune_checkpoint(
    checkpoint: Path,
    folder: Path,
    wishes: Wishes,
    precisions: Sequence[Precision],
    targets: Sequence[Target],
    say: Say,
) -> Tuned:
    """Write variants of `checkpoint` into `folder` and search among them; see `tune`.

    First all precisions in all forms; then INT8 with layers in float32, in the form of the best INT8 file, or
    in the form of each backend where INT8 alone makes other images.
    """
    variants = Variants(checkpoint, folder, say)
    precisions, forms = precisions or ("fp32", "int8"), list(targets or forms_here(wishes))
    subjects = variants.written(precisions, forms)
    search = Search(subjects, wishes, say)
    search.survey(subjects)
    if "int8" in precisions:
        best = search.best_of("int8")
        own = [form for form in forms if form != "any"] or forms
        for form in [best.manifest.notes["for"]] if best else own:
            search.survey(variants.with_layers_kept(form, lambda: search.has_time))
    search.refused |= variants.refused
    search.refine()
    return search.finish()


def forms_here(wishes: Wishes) -> list[Target]:
    """Return "any" and the forms for the CPU backends that take part."""
    backends = [each for each in FORMS if is_installed(each)]
    return ["any", *(FORMS[each] for each in backends if not wishes.backends or each in wishes.backends)]


class Variants:
    """The generator of a checkpoint, read and traced once, and the artifacts of it in `folder`."""

    def __init__(self, checkpoint: Path, folder: Path, say: Say) -> None:
        """Raise what `export` raises for a checkpoint that it does not take."""
        self._reference, self._folder, self._say = TorchSession(checkpoint), folder, say
        self._profile = BatchProfile()
        self._path = folder / NAME
        self._refused = _read(self._path, self._reference.manifest.sha256)
        say("tracing the generator")
        self._graph = build_graph(
            self._reference.generator, self._reference.manifest.architecture, self._profile
        )

    def written(self, precisions: Sequence[Precision], targets: Sequence[Target]) -> list[Subject]:
        """Return an artifact of each precision in each form, but once where forms are the same.

        Raises VerificationError when none makes the right images.
        """
        found: list[Subject | None] = []
        done: set[object] = set()
        for precision, target in itertools.product(dict.fromkeys(precisions), dict.fromkeys(targets)):
            form = (precision, REWRITES[target], target if precision == "int8" else None)
            if form in done:
                continue
            done.add(form)
            found.append(self._artifact(precision, target))
        subjects = [each for each in found if each]
        if not subjects:
            raise VerificationError(" ".join(self.refused.values()))
        return subjects

    def with_layers_kept(self, target: Target, has_time: Callable[[], bool]) -> list[Subject]:
        """Return INT8 artifacts in the form for `target` with layers in float32, as far as the images are
        close enough and `has_time`.

        Of up to FEW_LAYERS layers these are all choices that leave one in INT8; of more, the most sensitive
        one, the two most sensitive, and so on.
        """
        architecture = self._reference.manifest.architecture
        trial = Trial.of(for_target(self._graph, target)[0], architecture, target)
        layers = quantisable(trial.graph)
        self._say(f"ranking {len(layers)} layers by what INT8 costs them")
        given = architecture.inputs(SEEDS)
        ranges = calibrate(trial.graph, given, CALIBRATION, image_bytes=trial.image_bytes)
        ranked = list(sensitivity(trial, layers, ranges))
        found = []
        for kept in kept_layers(ranked):
            if not has_time():
                self._say("no time is left for more choices of layers")
                break
            left = [name for name in layers if name not in kept]
            decibels = trial.quantised(left, ranges)[1]
            if decibels < INT8_GATE.psnr_db - MARGIN:
                self._say(f"left out: {', '.join(kept)} in float32 leave {decibels:.1f} dB")
                continue
            found.append(self._artifact("int8", target, kept))
        return [each for each in found if each]

    @property
    def refused(self) -> dict[str, str]:
        """Why files were not written, by their names; those of earlier runs too."""
        return dict(self._refused)

    def _artifact(self, precision: Precision, target: Target, kept: Sequence[str] = ()) -> Subject | None:
        """Return the artifact, written now unless an earlier run has; None where its images are others."""
        stem = file_stem(target, kept)
        path = self._folder / f"{stem}.{precision}.onnx"
        manifest = self._earlier(path, target, kept)
        if manifest is None and path.name not in self._refused:
            self._say(f"writing {path.name}")
            method: Method | None = CALIBRATION if kept else None
            wanted = Wanted((precision,), keep_fp32=tuple(kept), target=target, stem=stem, calibration=method)
            try:
                (made,) = write_generator(
                    self._graph, self._reference, self._folder, wanted, batch=self._profile, making=Making(),
                    progress=self._say,
                )  # fmt: skip
            except VerificationError as error:
                self._refuse(path.name, str(error))
            else:
                manifest = made.manifest
        return Subject(path, manifest) if manifest else None

    def _refuse(self, name: str, why: str) -> None:
        """Keep why `name` was not written, for the next run as well, which need not try again."""
        self._say(why)
        self._refused[name] = why
        facts = {"checkpoint": self._reference.manifest.sha256, "refused": self._refused}
        write_atomic(self._path, json.dumps(facts, indent=2).encode())

    def _earlier(self, path: Path, target: Target, kept: Sequence[str]) -> Manifest | None:
        """Return the manifest of what an earlier run wrote, None where there is none of this checkpoint."""
        if not path.exists():
            return None
        try:
            manifest, _ = read_artifact(path)
        except EdgeError:  # cut off between the file and its manifest
            return None
        notes = manifest.notes
        there = notes.get("quantisation", {}).get("layers", {}).get("fp32", [])
        same = manifest.parent_sha256 == self._reference.manifest.sha256 and notes.get("for") == target
        return manifest if same and set(kept) <= set(there) and manifest.batch == self._profile else None


def _read(path: Path, checkpoint: str) -> dict[str, str]:
    """Return the files of `checkpoint` that an earlier run refused to write; nothing of a damaged record."""
    try:
        facts = read_json(read_file(path), path.name)
        return build(_Refused, facts).refused if facts["checkpoint"] == checkpoint else {}
    except (EdgeError, KeyError, TypeError, ValueError):
        return {}


@dataclass(frozen=True)
class _Refused:
    checkpoint: str
    refused: dict[str, str]


def kept_layers(ranked: Sequence[str]) -> list[tuple[str, ...]]:
    """Return which layers are kept in float32 in each variant; `ranked` are all, the most sensitive first.

    One layer at least stays INT8, and none kept is a variant that exists already.
    """
    if len(ranked) <= FEW_LAYERS:
        return [kept for count in range(1, len(ranked)) for kept in itertools.combinations(ranked, count)]
    return [tuple(ranked[:count]) for count in range(1, min(len(ranked), MOST_KEPT + 1))]


def file_stem(target: Target, kept: Sequence[str]) -> str:
    """Return what the file's name begins with: "generator-openvino-keep-ConvTranspose_0"."""
    layers = [re.sub(r"\W", "_", name, flags=re.ASCII) for name in kept]
    return "-".join([form_stem(target), *(["keep", *layers] if layers else [])])
