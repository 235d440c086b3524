"""The ranges of what goes into the layers to quantise, measured on latents by ONNX Runtime's calibrators.

Three ways to choose a range, each of which is the best somewhere: all values fit ("min-max"), all but a few
outliers do ("percentile"), or rounding and cutting together lose the least information ("entropy").
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx

from dcgan_edge.errors import EdgeError
from dcgan_edge.latents import FloatArray

Method = Literal["min-max", "percentile", "entropy"]
METHODS: tuple[Method, ...] = get_args(Method)
QUANTISED_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
OBSERVED_OPERATORS = (*QUANTISED_OPERATORS, "Relu")  # whose inputs and outputs are measured
PERCENTILE = 99.99  # of the values on which the range is measured; the rest are cut off
BINS = 256  # of a histogram by which the least entropy is searched, in a time that grows with their square
MOST_BYTES = 2**28  # of all values of the images that are run at once
Ranges = Mapping[str, tuple[float, float]]  # least and largest value, by tensor


def calibrate(model: onnx.ModelProto, latents: FloatArray, method: Method, *, image_bytes: float) -> Ranges:
    """Return the ranges of the inputs and outputs of the layers in `model` that can be quantised.

    `model` is float32 with inferred shapes; `latents` (n, input_dim, 1, 1) are run in pieces of so many that
    all values of a piece, `image_bytes` for each image, take at most 256 MiB. The same latents always give
    the same ranges.

    Raises EdgeError for values that `method` has no range for.
    """
    from onnxruntime import quantization

    kinds = {
        "min-max": quantization.CalibrationMethod.MinMax,
        "percentile": quantization.CalibrationMethod.Percentile,
        "entropy": quantization.CalibrationMethod.Entropy,
    }
    options: dict[str, dict[str, Any]] = {
        "min-max": {},
        "percentile": {"percentile": PERCENTILE, "num_bins": 2048, "symmetric": True},
        "entropy": {"num_bins": BINS, "num_quantized_bins": BINS // 2},
    }
    with tempfile.TemporaryDirectory(prefix="dcgan-edge-") as folder, quiet():
        path = Path(folder) / "generator.onnx"
        onnx.save(model, path)
        calibrator = quantization.create_calibrator(
            path,
            OBSERVED_OPERATORS,
            augmented_model_path=str(Path(folder) / "observed.onnx"),
            calibrate_method=kinds[method],
            extra_options=options[method],
        )
        try:
            for piece in _pieces(model, latents, image_bytes):
                calibrator.collect_data(_reader(model.graph.input[0].name, piece))
            found = calibrator.compute_data()
        except ValueError as error:  # from histograms of values that are infinite, or large and all alike
            raise EdgeError(f"The values of this graph cannot be measured by {method}: {error}") from error
    ends = {name: found[name].range_value for name in found.keys()}  # noqa: SIM118  # it is no mapping
    ranges = {name: (float(np.min(low)), float(np.max(high))) for name, (low, high) in ends.items()}
    if wild := [name for name, between in ranges.items() if not np.isfinite(between).all()]:
        raise EdgeError(
            f"INT8 has no range for {', '.join(wild)}, which are not finite. Leave --precision int8 out."
        )
    return ranges


def run_graph(model: onnx.ModelProto, latents: FloatArray, image_bytes: float) -> FloatArray:
    """Return the images of `latents` by ONNX Runtime on the CPU, run in pieces as `calibrate` does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = model.graph.input[0].name
    pieces = [session.run(None, {name: piece})[0] for piece in _pieces(model, latents, image_bytes)]
    images: FloatArray = np.concatenate(pieces)[: len(latents)]
    return images


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep ONNX Runtime's quantiser from printing, from warnings and from logging on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of values that are not finite
            yield
    finally:
        logging.disable(before)


def _pieces(model: onnx.ModelProto, latents: FloatArray, image_bytes: float) -> Iterator[FloatArray]:
    """Cut `latents` into what is run at once: the batch that the graph fixes, or as many as fit."""
    fixed = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    count = fixed or int(max(1, min(len(latents), MOST_BYTES // max(image_bytes, 1.0))))
    for start in range(0, len(latents), count):
        piece = latents[start : start + count]
        yield np.resize(piece, (count, *latents.shape[1:])) if fixed else piece


def _reader(name: str, latents: FloatArray) -> Any:
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # its base is untyped
        def __init__(self) -> None:
            self._waiting = [{name: latents}]

        def get_next(self) -> dict[str, FloatArray] | None:
            return self._waiting.pop() if self._waiting else None

    return Reader()
