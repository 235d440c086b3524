"""Attributes: where TensorRT's names are looked up."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from tests.contracts.api_source import Scope, Source
from tests.contracts.api_tables import Api
from tests.contracts.api_types import NONE, PLAIN, PREFIXES, UNKNOWN, Type, from_table, join

DUNDER = {"__class__", "__init__", "__name__", "__version__"}
OF_ENUM_MEMBERS = {"name", "value"}


class Attributes:
    """`infer` gives an expression's type and records faults as (line, text)."""

    def __init__(self, source: Source, api: Api, cuda: Mapping[str, Mapping[str, Any]]) -> None:
        self.source = source
        self.every_api = api
        self.cuda = cuda
        self.faults: list[tuple[int, str]] = []
        self.seen: set[tuple[int, str]] = set()  # the line and the last name of each look-up
        self._attributes: dict[tuple[str, str], Type] = {}

    def fault(self, node: ast.AST, text: str) -> Type:
        self.faults.append((getattr(node, "lineno", 0), text))
        return UNKNOWN

    def api(self, scope: Scope) -> Api:
        return self.every_api.only(frozenset({"rtx"})) if scope.module.rtx_only else self.every_api

    def infer(self, node: ast.expr, scope: Scope) -> Type:
        """The type of `node`, by the method that is named after its class."""
        method: Callable[[ast.expr, Scope], Type] = getattr(
            self, f"_{type(node).__name__.lower()}", self._other
        )
        return method(node, scope)

    def _other(self, node: ast.expr, scope: Scope) -> Type:
        """Comparisons, formatted strings and the like: the parts are looked at, the whole is Python's own."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.infer(child, scope)
        return PLAIN

    def _constant(self, node: ast.Constant, scope: Scope) -> Type:
        return NONE if node.value is None else PLAIN

    def _name(self, node: ast.Name, scope: Scope) -> Type:
        if node.id in PREFIXES:
            return PREFIXES[node.id]
        if node.id in scope.variables:
            return scope.variables[node.id]
        return self.source.name(scope.module, node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Type:
        owner = self.infer(node.value, scope)
        return self.attribute(node, owner, scope)

    def attribute(self, node: ast.Attribute, owner: Type, scope: Scope) -> Type:
        """The type of `owner.name`; a fault where it is not in every version, or cannot be known."""
        name = node.attr
        if name in DUNDER and owner.kind in ("module", "class", "object"):
            return PLAIN
        if owner.kind == "module":
            return self._of_module(node, name, scope)
        if owner.kind in ("class", "object"):
            return self._of_class(node, owner, name, scope)
        if owner.kind == "cuda":
            return self._of_cuda(node, owner, name)
        if owner.kind in ("project", "maker"):
            return PREFIXES.get(name) or self.of_project(owner.name, name, scope)
        if owner.kind in ("unknown", "method") and scope.module.knows_tensorrt:
            return self.fault(
                node, f"`{ast.unparse(node)}`: what `{ast.unparse(node.value)}` is, is not known"
            )
        return PLAIN

    def _of_module(self, node: ast.AST, name: str, scope: Scope) -> Type:
        api = self.api(scope)
        self._require(node, f"trt.{name}", api.with_name(name), api.labels)
        return Type("class", name) if api.is_enum(name) or api.is_class(name) else PLAIN

    def _of_class(self, node: ast.AST, owner: Type, name: str, scope: Scope) -> Type:
        api = self.api(scope)
        if owner.kind == "object" and api.is_enum(owner.name):
            return (
                PLAIN if name in OF_ENUM_MEMBERS else self.fault(node, f"{owner.name} members have no {name}")
            )
        self._require(
            node, f"{owner.name}.{name}", api.with_member(owner.name, name), api.with_name(owner.name)
        )
        return self.member(owner, name, api)

    def member(self, owner: Type, name: str, api: Api) -> Type:
        """What a member of a class or enum is, by the bindings' own signatures."""
        if owner.kind == "class":
            return Type("object", owner.name) if api.is_enum(owner.name) else PLAIN
        signatures = api.signatures(owner.name, name)
        properties = [s for found in signatures.values() for s in found if s.is_property]
        if properties:
            return join(*(from_table(api, s.result) for s in properties))
        return Type("method", f"{owner.name}.{name}") if any(signatures.values()) else UNKNOWN

    def _require(self, node: ast.AST, what: str, there: frozenset[str], needed: frozenset[str]) -> None:
        self.seen.add((getattr(node, "lineno", 0), what.rpartition(".")[2]))
        if not there >= needed or not needed:
            missing = ", ".join(sorted(needed - there)) or "every version"
            self.fault(node, f"`{what}` is missing in {missing}")

    def _of_cuda(self, node: ast.AST, owner: Type, name: str) -> Type:
        path = f"{owner.name}.{name}".lstrip(".")
        self.seen.add((getattr(node, "lineno", 0), name))
        missing = sorted(label for label, table in self.cuda.items() if not _has_path(table, path))
        if missing:
            self.fault(node, f"`cuda.bindings.runtime.{path}` is missing in {', '.join(missing)}")
        return Type("cuda", path)

    def of_project(self, key: str, name: str, scope: Scope) -> Type:
        """An attribute of a class of ours: a field, a method, a property, or what a method assigns to it."""
        if (key, name) not in self._attributes:
            self._attributes[key, name] = UNKNOWN  # while it is worked out, nothing is known
            self._attributes[key, name] = self._find_attribute(key, name, scope)
        return self._attributes[key, name]

    def _find_attribute(self, key: str, name: str, scope: Scope) -> Type:
        for field_name, kind in self.source.fields(key):
            if field_name == name:
                return kind
        method = f"{key}.{name}"
        if method in self.source.functions:
            found = self.source.function(method)
            return found.items[0] if self.source.is_property(method) else found
        assigned = self.source.assigned(key, name)
        if assigned is not None:
            function, node = assigned
            if isinstance(node, ast.AnnAssign):
                return self.source.annotation(self.source.home(key), node.annotation)
            return self.quietly(node.value, self.source.scope(function))
        for base in self.source.bases(key):
            owner = self.quietly(base, Scope(self.source.home(key)))
            if owner.kind == "maker":
                return self.of_project(owner.name, name, scope)
            if owner.kind == "class":
                return self.member(Type("object", owner.name), name, self.api(scope))
        return PLAIN

    def quietly(self, node: ast.expr, scope: Scope) -> Type:
        before = list(self.faults)
        try:
            return self.infer(node, scope)
        finally:
            self.faults = before


def _has_path(table: Mapping[str, Any], path: str) -> bool:
    name, _, member = path.partition(".")
    if member:
        return member in table["enums"].get(name, ()) or member in table["classes"].get(name, {}).get(
            "members", {}
        )
    return any(name in table[kind] for kind in ("enums", "classes", "names"))
