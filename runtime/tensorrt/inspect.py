"""What the engine inspector of TensorRT knows of an engine, for `dcgan-edge info`.

    manifest, bytes -> library here? -> device here? -> do they match? -> deserialise -> inspector -> layers

The way of a session up to the point where it would run. Data types and formats are known only once shapes
are, so the inspector is given a context that is bound to one batch size. Source: TensorRT documentation,
"Engine Inspector".
"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dcgan_edge.artifact import BatchProfile, Manifest
from dcgan_edge.errors import EdgeError

from ..cuda import open_cuda
from ..cuda_resources import CudaStream, DeviceMemory
from .engine import Engine, said
from .layers import EngineLayer, LayerTensor, parse_layers
from .library import captured, load_tensorrt
from .match import LIBRARY_NAMES, check_match, flavour_of

if TYPE_CHECKING:
    from tensorrt import IExecutionContext


@dataclass(frozen=True)
class Inspection:
    """An engine as `library` sees it on `device`. Shapes, data types and formats are those of a batch of
    `batch`; `verbosity` is what the builder kept ("DETAILED", or layer names only). Sizes are bytes of GPU
    memory: `weight_bytes` as far as layers state theirs, `scratch_bytes` of each running context,
    `taken_bytes` what the GPU lost while the engine was loaded, by everybody on it.
    """

    library: str
    device: str
    verbosity: str
    batch: int
    profiles: tuple[BatchProfile, ...]
    num_layers: int
    weight_bytes: int
    scratch_bytes: int
    taken_bytes: int
    tensors: tuple[LayerTensor, ...]
    layers: tuple[EngineLayer, ...]
    details: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as JSON values."""
        return dataclasses.asdict(self)


def inspect_engine(manifest: Manifest, data: bytes) -> Inspection:
    """Load the engine `data`, whose hash was checked, on the current CUDA device and ask about its layers.

    Raises UnavailableError when the library, the driver or a GPU is missing, then ArtifactError when the
    engine was built for others, both before it is deserialised; EdgeError when the library does not answer.
    """
    flavour = flavour_of(manifest)
    trt = load_tensorrt(flavour)
    cuda = open_cuda()
    check_match(manifest, trt, cuda.device)
    before = cuda.free_memory()
    with closing(Engine(trt, data, manifest, None)) as engine:
        taken = before - cuda.free_memory()
        batch = engine.profiles[0].opt
        with (
            closing(CudaStream(cuda)) as stream,
            closing(DeviceMemory(cuda, max(1, engine.scratch_bytes))) as scratch,
        ):
            found = parse_layers(_ask(engine, batch, stream, scratch))
        return Inspection(
            library=f"{LIBRARY_NAMES[flavour]} {trt.__version__}",
            device=f"{cuda.device.name} ({cuda.device.sm})",
            verbosity=engine.verbosity,
            batch=batch,
            profiles=engine.profiles,
            num_layers=engine.num_layers,
            weight_bytes=sum(weights.bytes or 0 for layer in found.layers for weights in layer.weights),
            scratch_bytes=engine.scratch_bytes,
            taken_bytes=taken,
            tensors=found.tensors,
            layers=found.layers,
            details=found.details,
        )


def _ask(engine: Engine, batch: int, stream: CudaStream, scratch: DeviceMemory) -> str:
    """The inspector's JSON of the first profile's batch size `batch`."""
    source = engine.manifest.inputs[0]
    context: IExecutionContext = engine.make_context()
    try:
        with captured() as lines:
            context.set_device_memory(scratch.address, scratch.nbytes)
            bound = context.set_optimization_profile_async(0, stream.address) and context.set_input_shape(
                source.name, (batch, *source.shape[1:])
            )
        if not bound:
            raise EdgeError(f"TensorRT refused a batch of {batch} in profile 0{said(lines)}")
        stream.synchronize()  # the switch of profile may copy
        return engine.information(context)
    except BaseException:
        stream.settle()
        raise
    finally:
        del context  # now: an error's traceback keeps these variables, and must not keep GPU memory
