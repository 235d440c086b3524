"""SVHN, cropped digits, from its MATLAB files; the arrays go to `arrays` and to evaluation.

Format: Netzer et al. 2011, "Reading Digits in Natural Images", format 2: MATLAB 5 files with `X`, uint8
(32, 32, 3, n), and `y`, (n, 1), where the digit 0 has the label 10. Only these two variables are read, after
their types and shapes were looked at, so that no object or struct of a foreign file is ever built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.data.idx import Split
from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.images import PixelArray
from dcgan_edge.machine import available_memory
from dcgan_edge.words import quoted

FILES: dict[Split, str] = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
NUMBERS = {"uint8", "double", "single", "int32", "uint16", "int16", "int8"}


def is_svhn_folder(folder: Path) -> bool:
    """Return whether `folder` has the training or test images of SVHN."""
    return any((folder / name).is_file() for name in FILES.values())


def load_svhn(folder: Path, split: Split = "train") -> tuple[PixelArray, PixelArray]:
    """Return images uint8 (n, 3, 32, 32) and labels uint8 (n,), 0 to 9, of `split`.

    Raises UnavailableError without scipy, EdgeError when the file is missing, damaged or of another kind.
    """
    path = folder / FILES[split]
    if not path.is_file():
        remedy = f"dcgan-edge data fetch svhn --out {quoted(folder)}"
        raise EdgeError(f"{folder} has no {path.name}; fetch it: {remedy}")
    variables = _read(path)
    images = np.ascontiguousarray(variables["X"].transpose(3, 2, 0, 1))
    labels = np.asarray(variables["y"]).reshape(-1)
    if not ((labels >= 0) & (labels <= 10)).all():
        raise EdgeError(f"{path.name} has labels other than those of digits, 1 to 10.")
    return images, (labels % 10).astype(np.uint8)


def _read(path: Path) -> dict[str, Any]:
    try:
        from scipy import io
    except ImportError as error:
        raise UnavailableError(
            f"{path.name} is a MATLAB file, which is read with scipy: pip install 'dcgan-edge[data]'"
        ) from error
    try:
        _check({name: (shape, kind) for name, shape, kind in io.whosmat(str(path))}, path.name)
        variables: dict[str, Any] = io.loadmat(str(path), variable_names=["X", "y"])
        return variables
    except EdgeError:
        raise
    except NotImplementedError as error:  # what scipy says to MATLAB 7.3, which is HDF5
        raise EdgeError(f"{path.name} is a MATLAB file of version 7.3; SVHN comes as version 5.") from error
    except Exception as error:  # its parser raises nearly anything for a malformed file
        raise EdgeError(f"{path.name} is damaged or no MATLAB file ({error}).") from error


def _check(found: dict[str, tuple[tuple[int, ...], str]], name: str) -> None:
    """Raises EdgeError unless the variables are those of SVHN and fit into memory."""
    shape, kind = found.get("X", ((), "none"))
    if kind != "uint8" or len(shape) != 4 or shape[:3] != (32, 32, 3) or shape[3] < 1:
        raise EdgeError(f"{name} has no images uint8 (32, 32, 3, n) named X; it is not a file of SVHN.")
    labels, kind = found.get("y", ((), "none"))
    if kind not in NUMBERS or sorted(labels) != sorted((1, shape[3])):
        raise EdgeError(f"{name} has no {shape[3]} labels named y; it is not a file of SVHN.")
    if 2 * 3072 * shape[3] > available_memory():  # as in the file, and as (n, c, h, w)
        raise EdgeError(f"{name} holds {shape[3]} images, more than fit into the memory that is free.")
