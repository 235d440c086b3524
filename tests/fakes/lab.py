"""A laboratory: an in-memory machine with one version of NVIDIA's libraries, and the program's modules on it.

The modules are the program's own, or a copy of them in which one line was changed (`mutants.py`). Leaving the
laboratory fails the test if anything leaked or was used as no GPU would allow.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcgan_edge.artifact import Architecture, BatchProfile, Manifest, generator_tensors
from dcgan_edge.latents import FloatArray, latents
from tests.fakes.blob import Blob, evaluate
from tests.fakes.cudart import make_cudart
from tests.fakes.gpu import Gpu
from tests.fakes.surface import table
from tests.fakes.tensorrt import make_tensorrt

ARCHITECTURE = Architecture("dcgan", 8, 1, 2, latent_dim=4)
PROFILES = ((1, 4, 8),)
PACKAGE = "dcgan_edge.runtime"
MODULES = (
    "cuda", "cuda_resources", "tensorrt.profiles", "tensorrt.match", "tensorrt.rtx", "tensorrt.engine",
    "tensorrt.buffers", "tensorrt.context", "tensorrt.stream", "tensorrt.pool", "tensorrt.session",
    "tensorrt.layers", "tensorrt.inspect",
)  # fmt: skip
# The largest difference between batch sizes of one ONNX Runtime evaluation: sums in another order, float32.
SAME = 1e-6


@functools.cache
def tiny_onnx() -> bytes:
    """A generator of 8x8 pixels: two transposed convolutions and a tanh, weights from a fixed seed."""
    random = np.random.default_rng(0)
    dim, width = ARCHITECTURE.latent_dim, ARCHITECTURE.width
    weights = {
        "w1": random.normal(0, 1, (dim, width, 4, 4)).astype(np.float32),
        "w2": random.normal(0, 1, (width, ARCHITECTURE.channels, 4, 4)).astype(np.float32),
    }
    nodes = [
        helper.make_node("ConvTranspose", ["latents", "w1"], ["a"], strides=[1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("ConvTranspose", ["b", "w2"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["c"], ["images"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["batch", dim, 1, 1])],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class Lab:
    """`version` is a table's name; `modules` are the program's modules by the names that `MODULES` has."""

    def __init__(
        self, version: str = "10.3.0", *, modules: dict[str, ModuleType] | None = None, **machine: Any
    ) -> None:
        self.version = version
        self.is_rtx = version.startswith("rtx")
        self.modules = modules or {name: importlib.import_module(f"{PACKAGE}.{name}") for name in MODULES}
        self.cache = tempfile.TemporaryDirectory()
        self.opened: list[Any] = []
        self.reset(**machine)

    def reset(self, **machine: Any) -> None:
        """Another machine, fresh from the factory; files stay."""
        self.gpu = Gpu(**machine)
        self.cudart = make_cudart(self.gpu)
        self.trt = make_tensorrt(self.gpu, self.version)

    def blob(self, **changes: Any) -> Blob:
        version = table(self.version)["version"].removeprefix("rtx-")
        return dataclasses.replace(Blob(version, (self.gpu.sm,), PROFILES, tiny_onnx()), **changes)

    def manifest(self, data: bytes, **changes: Any) -> Manifest:
        """The manifest that the builder would write for an engine of this machine."""
        source, result = generator_tensors(ARCHITECTURE)
        version = str(self.trt.__version__)
        short = ".".join(version.split(".")[:3])
        manifest = Manifest(
            kind="engine",
            architecture=ARCHITECTURE,
            precision="fp16",
            inputs=(source,),
            outputs=(result,),
            batch=BatchProfile(1, 4, 8),
            parent_sha256="0" * 64,
            builder=f"{'rtx' if self.is_rtx else 'trt'}{short}",
            versions={self.trt.__name__: version},
            targets=(self.gpu.sm,),
            built_on={"gpu": self.gpu.name, "sm": self.gpu.sm},
        )
        return dataclasses.replace(manifest, **changes).sealed(data)

    def open(self, blob: Blob | None = None, manifest: dict[str, Any] | None = None, **options: Any) -> Any:
        """An open session of an engine of this machine; `manifest` changes what its manifest says."""
        data = (blob or self.blob()).pack()
        with self.installed():
            session = self.modules["tensorrt.session"].open_engine(
                self.manifest(data, **(manifest or {})), data, **options
            )
        self.opened.append(session)
        return session

    def inspect(self, blob: Blob | None = None, manifest: dict[str, Any] | None = None) -> Any:
        """What the inspector says of an engine of this machine."""
        data = (blob or self.blob()).pack()
        with self.installed():
            return self.modules["tensorrt.inspect"].inspect_engine(
                self.manifest(data, **(manifest or {})), data
            )

    @contextmanager
    def installed(self) -> Iterator[None]:
        """NVIDIA's modules are the fakes, and the user's cache is the laboratory's."""
        fakes = {self.trt.__name__: self.trt, "cuda.bindings.runtime": self.cudart}
        kept = {name: sys.modules.get(name) for name in fakes}
        cache = os.environ.get("DCGAN_EDGE_CACHE")
        sys.modules.update(fakes)
        os.environ["DCGAN_EDGE_CACHE"] = self.cache.name
        try:
            yield
        finally:
            for name, module in kept.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module
            if cache is None:
                del os.environ["DCGAN_EDGE_CACHE"]
            else:
                os.environ["DCGAN_EDGE_CACHE"] = cache

    def fail_from(self, first: int, last: int | None = None) -> None:
        """Let the calls number `first` to `last` (None: to the end of time) fail."""
        self.gpu.fail = lambda index, name: first <= index and (last is None or index <= last)

    def fail_on(self, wanted: Callable[[str], bool]) -> None:
        """Let the calls with a name that is `wanted` fail."""
        self.gpu.fail = lambda index, name: wanted(name)

    def check(self) -> None:
        """Everything opened is closed now: no violation, no leak."""
        for session in self.opened:
            session.close()
        self.opened.clear()
        assert not self.gpu.violations, self.gpu.violations
        assert not self.gpu.leaks(), self.gpu.leaks()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.check()
        finally:
            self.cache.cleanup()


@functools.cache
def draw(count: int, first_seed: int = 0) -> FloatArray:
    """Latents of `count` seeds; they cannot be written to."""
    drawn = latents(range(first_seed, first_seed + count), ARCHITECTURE.latent_dim)
    drawn.flags.writeable = False
    return drawn


def expect(images: FloatArray, of: FloatArray) -> None:
    """The images are those that the ONNX file makes of the latents, and poison nowhere."""
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, evaluate(tiny_onnx(), of), rtol=0, atol=SAME)
