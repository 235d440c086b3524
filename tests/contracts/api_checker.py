"""Holds our TensorRT code to the tables: whatever is reached from a TensorRT object must be in all of them.

The source is read, not run. Each expression gets a type (`api_types`): from annotations with TensorRT's class
names, from the bindings' own signatures, from our functions' annotations. Then:

- an attribute of a TensorRT object, class or enum must exist in every supported version, or be reached
  through `optional(owner, "name", versions=(...))` with exactly the versions that have it;
- a call must fit a signature in every version;
- an attribute of something unknown (Any) is a fault, and so is whatever hides a TensorRT object: handing it
  to code that is not checked, declaring it as something else, `getattr`.

A module whose type vocabulary is imported from `tensorrt_rtx` is held to TensorRT-RTX alone. `trt` (`_trt`)
always means the library's module, `rt` always `cuda.bindings.runtime`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from tests.contracts.api_expressions import Expressions
from tests.contracts.api_source import Function, Scope, Source, absolute
from tests.contracts.api_tables import Api
from tests.contracts.api_types import PLAIN, Type

LIBRARIES = ("tensorrt", "tensorrt_rtx", "cuda")  # imported through load_tensorrt and open_cuda alone
EXEMPT = (  # the two functions that reach names given as text
    "dcgan_edge.runtime.tensorrt.library:optional",
    "dcgan_edge.runtime.tensorrt.library:set_optional",
)


class Checker(Expressions):
    """The statements of the modules `texts` (name: source), with what they do to the variables."""

    def __init__(self, texts: Mapping[str, str], api: Api, cuda: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(Source(texts), api, cuda)
        for module in self.source.modules.values():
            for node in module.tree.body:  # constants that other modules may import
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    module.variables[node.target.id] = self.source.annotation(module, node.annotation)

    def check(self, name: str) -> list[str]:
        """The faults of the module `name`, as "name:line: text". `seen` then has what was looked up."""
        self.faults, self.seen = [], set()
        module = self.source.modules[name]
        self._run(module.tree.body, Scope(module), "")
        return [f"{name}:{line}: {text}" for line, text in sorted(set(self.faults))]

    def _run(self, body: list[ast.stmt], scope: Scope, cls: str) -> None:
        for node in body:
            if isinstance(node, Function):
                self._function(node, scope, cls)
            elif isinstance(node, ast.ClassDef):
                self._class(node, scope)
            else:
                self._statement(node, scope, cls)

    def _function(self, node: Function, scope: Scope, cls: str) -> None:
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            self.infer(default, scope)
        key = f"{scope.module.name}:{cls}{node.name}"
        if key not in EXEMPT:
            self._run(node.body, self.source.scope(key, scope), "")

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        bases = [self.infer(base, scope) for base in node.bases]
        api = self.api(scope)
        for base in bases:
            if base.kind == "class":  # its public methods are called by the library
                for method in node.body:
                    if isinstance(method, Function) and not method.name.startswith("_"):
                        there = api.with_member(base.name, method.name)
                        self._require(method, f"{base.name}.{method.name}", there, api.with_name(base.name))
        self._run(node.body, scope.inner(), f"{node.name}.")

    def _statement(self, node: ast.stmt, scope: Scope, cls: str) -> None:
        if isinstance(node, ast.AnnAssign):
            self._declare(node, scope)
        elif isinstance(node, ast.Assign):
            kind = self.infer(node.value, scope)
            for target in node.targets:
                self.bind(target, kind, scope)
        elif isinstance(node, ast.For):
            self.bind(node.target, self.infer(node.iter, scope).element, scope)
        elif isinstance(node, ast.With):
            for item in node.items:
                kind = self.infer(item.context_expr, scope)
                if item.optional_vars is not None:
                    self.bind(item.optional_vars, kind, scope)
        elif isinstance(node, ast.Return) and node.value is not None:
            self._give_back(node, self.infer(node.value, scope), scope.result)
        elif isinstance(node, ast.Try):
            for handler in node.handlers:
                scope.variables[handler.name or ""] = PLAIN
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, scope.module.name)
        elif isinstance(node, ast.Match):
            self.fault(node, "the checker does not understand `match`")
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.infer(child, scope)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        for part in ("body", "handlers", "orelse", "finalbody"):
            for inner in getattr(node, part, []):
                self._run(inner.body if isinstance(inner, ast.ExceptHandler) else [inner], scope, cls)

    def _import(self, node: ast.Import | ast.ImportFrom, module: str) -> None:
        """A fault for an import that brings in the library, or a checked module as a whole, unseen."""
        origin = f"{absolute(node, module)}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            name = f"{origin}{alias.name}"
            if name.partition(".")[0] in LIBRARIES or name in self.source.modules or alias.name == "*":
                self.fault(node, f"`{ast.unparse(node)}` brings in names that cannot be checked")

    def _declare(self, node: ast.AnnAssign, scope: Scope) -> None:
        declared = self.source.annotation(scope.module, node.annotation)
        kind = self.infer(node.value, scope) if node.value is not None else PLAIN
        if kind.tainted and (declared.kind == "unknown" or not self.agree(kind, declared)):
            self.fault(node, f"`{ast.unparse(node.target)}` is declared {declared}, and given a {kind}")
        if isinstance(node.target, ast.Name):
            scope.declared[node.target.id] = scope.variables[node.target.id] = declared

    def _give_back(self, node: ast.Return, kind: Type, declared: Type) -> None:
        if kind.tainted and (declared.kind == "unknown" or not self.agree(kind, declared)):
            self.fault(node, f"`{ast.unparse(node)}` returns a {kind} as {declared}")
