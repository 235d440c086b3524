"""A deserialised engine: checked against its manifest, and the place where execution contexts come from.

Between the bytes of the artifact and the streams that run it. Every None or False of the library becomes an
error with the lines it logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from dcgan_edge.artifact import BatchProfile, Manifest, TensorSpec
from dcgan_edge.errors import ArtifactError, EdgeError

from .library import captured, process_logger
from .match import LIBRARY_NAMES, flavour_of, is_version_compatible
from .rtx import RtxSettings

if TYPE_CHECKING:
    from tensorrt import EngineInspector, ICudaEngine, IExecutionContext, Runtime, TensorIOMode

NO_MEMORY = re.compile(r"out ?of ?memory|memory .*could not be allocated", re.IGNORECASE)


class Engine:
    """An engine and the runtime that it must not outlive. `profiles` are its batch sizes, by index;
    `warnings` is what the library said while it loaded, such as that another model of GPU built it.
    """

    def __init__(self, trt: ModuleType, data: bytes, manifest: Manifest, rtx: RtxSettings | None) -> None:
        """Deserialise `data`, for TensorRT-RTX with the settings `rtx`.

        Raises ArtifactError when the library refuses it or its tensors are not those of `manifest`.
        """
        self._trt = trt
        self._rtx = rtx
        self._library = f"{LIBRARY_NAMES[flavour_of(manifest)]} {trt.__version__}"
        self.manifest = manifest
        with captured() as lines:
            try:
                self._runtime: Runtime = trt.Runtime(process_logger(trt))
            except (TypeError, RuntimeError) as error:  # the bindings' way of saying that there is none
                raise EdgeError(f"{self._library} could not be started{said(lines)}") from error
        try:
            self._load(data)
        except BaseException:
            self.close()  # now: the error's traceback keeps this object, and must not keep GPU memory
            raise

    @property
    def max_batch(self) -> int:
        """Return the largest batch that any profile takes."""
        return max(profile.max for profile in self.profiles)

    @property
    def scratch_bytes(self) -> int:
        """GPU memory that one running context needs for activations, whatever its profile."""
        return int(self._engine.device_memory_size_v2)

    @property
    def num_layers(self) -> int:
        """Layers after fusion."""
        return int(self._engine.num_layers)

    @property
    def verbosity(self) -> str:
        """What the builder kept for the inspector: "DETAILED", "LAYER_NAMES_ONLY" or "NONE"."""
        return str(self._engine.profiling_verbosity.name)

    def close(self) -> None:
        """Give the engine back, then the runtime. Contexts must be gone."""
        if self._rtx is not None:
            self._rtx.close()
        del self._engine
        del self._runtime

    def make_context(self) -> IExecutionContext:
        """A context without scratch memory: it must be given `scratch_bytes` before it runs.

        Raises EdgeError when the library refuses, as it does when memory is short.
        """
        trt = self._trt
        with captured() as lines:
            how = (
                trt.ExecutionContextAllocationStrategy.USER_MANAGED if self._rtx is None else self._rtx.config
            )
            context: IExecutionContext = self._engine.create_execution_context(how)
        if context is None:
            raise EdgeError(f"{self._library} could not make an execution context{said(lines)}")
        return context

    def information(self, context: IExecutionContext) -> str:
        """What the library's inspector says of the engine, as JSON, for the shapes of `context`.

        Raises EdgeError when it says nothing.
        """
        trt = self._trt
        text = None
        with captured() as lines:
            inspector: EngineInspector = self._engine.create_engine_inspector()
            if inspector is not None:
                inspector.execution_context = context
                text = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
        del inspector, context  # now: an error's traceback keeps these variables
        if not text:
            raise EdgeError(f"{self._library} could not describe this engine{said(lines)}")
        return str(text)

    def _load(self, data: bytes) -> None:
        with captured() as lines:
            if is_version_compatible(self.manifest):
                self._runtime.engine_host_code_allowed = True  # its hash was checked against its manifest
            self._engine: ICudaEngine = self._runtime.deserialize_cuda_engine(data)
            if self._engine is None:
                raise _refusal(f"{self._library} could not load this engine{said(lines)}")
            self._check_tensors()
            self.profiles = self._read_profiles()
            if self._rtx is not None and not self._rtx.attach(self._engine):
                raise EdgeError(f"{self._library} refused its runtime settings{said(lines)}")
            self.warnings = tuple(lines)

    def _check_tensors(self) -> None:
        """Raises ArtifactError unless there is one input and one output, as the manifest says."""
        trt = self._trt
        expected = {self.manifest.inputs[0].name, self.manifest.outputs[0].name}
        names: list[str] = [
            self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)
        ]
        if len(names) != len(expected) or set(names) != expected:
            found, wanted = ", ".join(names), ", ".join(sorted(expected))
            raise ArtifactError(f"The engine has the tensors {found}; its manifest says {wanted}.")
        self._check_tensor(self.manifest.inputs[0], trt.TensorIOMode.INPUT)
        self._check_tensor(self.manifest.outputs[0], trt.TensorIOMode.OUTPUT)

    def _check_tensor(self, spec: TensorSpec, mode: TensorIOMode) -> None:
        trt = self._trt
        shape = tuple(int(extent) for extent in self._engine.get_tensor_shape(spec.name))
        wrong = []
        expected = trt.DataType.UINT8 if spec.dtype == "uint8" else trt.DataType.FLOAT
        if self._engine.get_tensor_dtype(spec.name) != expected:
            wrong.append(f"{self._engine.get_tensor_dtype(spec.name)}, not {spec.dtype}")
        if self._engine.get_tensor_mode(spec.name) != mode:
            wrong.append(f"not {mode}")
        if self._engine.get_tensor_format(spec.name) != trt.TensorFormat.LINEAR:
            wrong.append(f"{self._engine.get_tensor_format(spec.name)}, not linear")
        if self._engine.get_tensor_location(spec.name) != trt.TensorLocation.DEVICE:
            wrong.append("on the host")
        if shape[1:] != spec.shape[1:]:
            wrong.append(f"of shape {shape}, not {spec.shape}")
        if wrong:
            raise ArtifactError(f"The engine's tensor {spec.name} is {' and '.join(wrong)}; build it again.")

    def _read_profiles(self) -> tuple[BatchProfile, ...]:
        source = self.manifest.inputs[0].name
        profiles = []
        for index in range(self._engine.num_optimization_profiles):
            low, best, high = (
                int(shape[0]) for shape in self._engine.get_tensor_profile_shape(source, index)
            )
            profiles.append(BatchProfile(low, best, high))
        if not profiles:
            raise ArtifactError("The engine has no optimization profile; build it again.")
        return tuple(profiles)


def _refusal(text: str) -> EdgeError:
    """What it was: a file that is refused, or a GPU that is full."""
    return EdgeError(text) if NO_MEMORY.search(text) else ArtifactError(text)


def said(lines: Iterable[str]) -> str:
    """The end of a sentence: what the library logged, if anything."""
    text = " ".join(line.strip() for line in lines)
    return f": {text[:600]}" if text else "."
