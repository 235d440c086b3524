"""From checkpoints to artifacts with proof: ONNX graphs, precisions, engines, and the PyTorch reference.

`dcgan_edge.export` is this package and the public function at once: calling it is `pipeline.export`, so that
`dcgan_edge.export(checkpoint, out)` and `from dcgan_edge.export.pipeline import export` hold in any order.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Export a checkpoint; see `dcgan_edge.export.pipeline.export`."""
        from .pipeline import export

        return export(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
