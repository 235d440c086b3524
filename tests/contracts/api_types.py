"""What the contract checker knows about an expression: plain Python, something of TensorRT's, or nothing."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.contracts.api_tables import VALUES, Api

Kind = Literal[
    "plain",  # Python's own, or a foreign library's; nothing of TensorRT's is reached through it
    "none",
    "unknown",  # Any: it may be anything, so no attribute of it can be trusted
    "module",  # `trt`
    "cuda",  # `rt` (name "") or something in it (dotted name)
    "class",  # a class or enum of TensorRT
    "object",  # an instance of one
    "method",  # a bound method, "Class.name"
    "project",  # an instance of a class of ours, "module:Class"
    "maker",  # that class itself
    "function",  # a function of ours that returns `items[0]`
    "container",  # holds `items[0]`
    "tuple",  # holds `items`
]


@dataclass(frozen=True)
class Type:
    kind: Kind
    name: str = ""
    items: tuple[Type, ...] = ()

    @property
    def tainted(self) -> bool:
        """Whether TensorRT objects are reached through it."""
        if self.kind in ("container", "tuple"):
            return any(item.tainted for item in self.items)
        return self.kind in ("module", "class", "object", "method")

    @property
    def element(self) -> Type:
        """What iteration gives."""
        if self.kind == "container":
            return self.items[0]
        if self.kind == "tuple":
            return join(*self.items)
        return UNKNOWN if self.kind == "unknown" else PLAIN

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


PLAIN = Type("plain")
NONE = Type("none")
UNKNOWN = Type("unknown")
MODULE = Type("module", "trt")
CUDA = Type("cuda")
PREFIXES = {"trt": MODULE, "_trt": MODULE, "rt": CUDA}  # by convention these names mean these modules
DICTIONARIES = ("dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict")


def join(*types: Type) -> Type:
    """What holds for every one of `types`; None does not count."""
    found = {kind for kind in types if kind.kind != "none"}
    if not found:
        return NONE if types else PLAIN
    return found.pop() if len(found) == 1 else UNKNOWN


def container(item: Type) -> Type:
    return PLAIN if item.kind in ("plain", "none") else Type("container", items=(item,))


def pair(*items: Type) -> Type:
    return Type("tuple", items=items) if any(item.kind not in ("plain", "none") for item in items) else PLAIN


def from_annotation(node: ast.expr | None, resolve: Callable[[str], Type]) -> Type:
    """The type that an annotation means; `resolve` knows single names."""
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return from_annotation(ast.parse(node.value, mode="eval").body, resolve)
        return NONE
    if isinstance(node, ast.Name):
        return resolve(node.id)
    if isinstance(node, ast.BinOp):
        return join(from_annotation(node.left, resolve), from_annotation(node.right, resolve))
    if isinstance(node, ast.List):  # the parameters of a Callable
        return join(*(from_annotation(item, resolve) for item in node.elts))
    if not isinstance(node, ast.Subscript):
        return PLAIN
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if base == "Literal":
        return PLAIN
    types = [from_annotation(item, resolve) for item in items if not _is_ellipsis(item)]
    if base in ("Callable", *DICTIONARIES):
        return Type("function", items=(types[-1],)) if base == "Callable" else container(types[-1])
    if base in ("tuple", "Tuple") and len(types) == len(items):
        return Type("tuple", items=tuple(types)) if any(t.kind != "plain" for t in types) else PLAIN
    if base == "type" and types[0].kind == "object":
        return Type("class", types[0].name)
    return container(join(*types))


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def from_table(api: Api, text: str) -> Type:
    """The type that the bindings' docstrings mean by `text`."""

    def resolve(name: str) -> Type:
        if name in VALUES:
            return PLAIN
        return Type("object", name) if api.is_class(name) or api.is_enum(name) else UNKNOWN

    return from_annotation(ast.parse(text, mode="eval").body, resolve)
