"""Expressions made of others: displays, comprehensions, conditions; and what assignment does to variables."""

from __future__ import annotations

import ast

from tests.contracts.api_calls import Calls
from tests.contracts.api_source import Scope
from tests.contracts.api_types import NONE, PLAIN, UNKNOWN, Type, container, join, pair


class Expressions(Calls):
    """Everything else that has a value."""

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Type:
        owner = self.infer(node.value, scope)
        self.infer(node.slice, scope)
        if (
            owner.kind == "tuple"
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, int)
        ):
            return owner.items[node.slice.value]
        if isinstance(node.slice, ast.Slice) and owner.kind in ("container", "tuple"):
            return container(owner.element)
        return owner.element

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Type:
        if not node.elts:
            return NONE  # empty: it agrees with whatever it stands beside
        if any(isinstance(item, ast.Starred) for item in node.elts):
            return self._list(node, scope)
        return pair(*(self.infer(item, scope) for item in node.elts))

    def _list(self, node: ast.List | ast.Set | ast.Tuple, scope: Scope) -> Type:
        return container(join(*(self._item(item, scope) for item in node.elts))) if node.elts else NONE

    _set = _list

    def _item(self, node: ast.expr, scope: Scope) -> Type:
        return (
            self.infer(node.value, scope).element
            if isinstance(node, ast.Starred)
            else self.infer(node, scope)
        )

    def _dict(self, node: ast.Dict, scope: Scope) -> Type:
        for key in node.keys:
            if key is not None:
                self.infer(key, scope)
        values = [self.infer(value, scope) for value in node.values]
        spread = [kind.element if key is None else kind for key, kind in zip(node.keys, values, strict=True)]
        return container(join(*spread))

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Type:
        self.infer(node.test, scope)
        return join(self.infer(node.body, scope), self.infer(node.orelse, scope))

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Type:
        return join(*(self.infer(value, scope) for value in node.values))

    def _binop(self, node: ast.BinOp, scope: Scope) -> Type:
        sides = join(self.infer(node.left, scope), self.infer(node.right, scope))
        return sides if sides.kind in ("container", "tuple", "unknown") else PLAIN

    def _namedexpr(self, node: ast.NamedExpr, scope: Scope) -> Type:
        kind = self.infer(node.value, scope)
        self.bind(node.target, kind, scope)
        return kind

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Type:
        return self.lambda_of(node, scope, UNKNOWN)

    def _listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Type:
        return container(self.infer(node.elt, self._comprehension(node.generators, scope)))

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp, scope: Scope) -> Type:
        inner = self._comprehension(node.generators, scope)
        self.infer(node.key, inner)
        return container(self.infer(node.value, inner))

    def _comprehension(self, generators: list[ast.comprehension], scope: Scope) -> Scope:
        inner = scope.inner()
        for generator in generators:
            self.bind(generator.target, self.infer(generator.iter, inner).element, inner)
            for condition in generator.ifs:
                self.infer(condition, inner)
        return inner

    def _yield(self, node: ast.Yield, scope: Scope) -> Type:
        kind = self.infer(node.value, scope) if node.value is not None else NONE
        if not self.agree(kind, scope.result.element):
            self.fault(node, f"`{ast.unparse(node)}` gives a {kind} as {scope.result.element}")
        return PLAIN

    def bind(self, target: ast.expr, kind: Type, scope: Scope) -> None:
        """Give `target` the value: a variable, several, an attribute or an element."""
        if isinstance(target, ast.Name):
            declared = scope.declared.get(target.id)
            if declared is not None and not self.agree(kind, declared):
                self.fault(target, f"`{target.id}` is declared {declared}, and given a {kind}")
            scope.variables[target.id] = declared or kind
        elif isinstance(target, ast.Tuple | ast.List):
            for index, item in enumerate(target.elts):
                alone = kind.kind == "tuple" and index < len(kind.items) and not isinstance(item, ast.Starred)
                self.bind(item, kind.items[index] if alone else kind.element, scope)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, container(kind), scope)
        else:
            owner = self.infer(target.value, scope)  # type: ignore[attr-defined]  # Attribute or Subscript
            place = self.infer(target, scope)
            if kind.tainted and owner.kind in ("plain", "unknown") and not self.agree(kind, place):
                self.fault(target, f"`{ast.unparse(target)}` hides a {kind}")
