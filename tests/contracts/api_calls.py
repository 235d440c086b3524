"""Calls: they must fit the bindings' signatures, and hide no TensorRT object from the checker."""

from __future__ import annotations

import ast

from tests.contracts.api_attributes import Attributes
from tests.contracts.api_source import Scope
from tests.contracts.api_tables import Api, Signature
from tests.contracts.api_types import PLAIN, UNKNOWN, Type, container, from_table, join, pair

HARMLESS = frozenset(("bool", "bytes", "float", "int", "isinstance", "len", "range", "repr", "str"))
PASSING_ON = frozenset(
    ("enumerate", "iter", "list", "max", "min", "next", "reversed", "set", "sorted", "tuple")
)
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "vars", "attrgetter", "methodcaller", "eval", "exec"}


class Calls(Attributes):
    """What a call gives back, by the bindings' signatures or our own annotations."""

    def _call(self, node: ast.Call, scope: Scope) -> Type:
        function = node.func.id if isinstance(node.func, ast.Name) else ""
        given = [self.infer(a.value if isinstance(a, ast.Starred) else a, scope) for a in node.args]
        named = {k.arg or "**": self._argument(k, given, scope) for k in node.keywords}
        if function in ("optional", "set_optional") and given:
            return self._optional(node, given[0], scope)
        if function in BY_NAME and given and (given[0].tainted or given[0].kind in ("unknown", "cuda")):
            return self.fault(node, f"`{ast.unparse(node)}` reaches a name that cannot be checked")
        if function in (*HARMLESS, *PASSING_ON, "zip"):  # builtins, which know no attribute
            return _of_builtin(function, given)
        return self._result(node, given, named, scope)

    def _result(self, node: ast.Call, given: list[Type], named: dict[str, Type], scope: Scope) -> Type:
        callee = self.infer(node.func, scope)
        if callee.kind == "class":
            self._signature(node, callee.name, "__init__", given, named, scope)
            return Type("object", callee.name)
        if callee.kind == "method":
            owner, _, member = callee.name.partition(".")
            return self._signature(node, owner, member, given, named, scope)
        if callee.kind in ("function", "maker") and callee.name:
            self._hand_over(node, callee, given, named, scope)
            return callee.items[0] if callee.kind == "function" else Type("project", callee.name)
        if isinstance(node.func, ast.Attribute):
            owner_type = self.quietly(node.func.value, scope)
            if owner_type.kind in ("container", "tuple"):
                return _of_container(owner_type, node.func.attr)
        for kind in (*given, *named.values()):
            if kind.tainted:
                self.fault(node, f"`{ast.unparse(node)}` hands a {kind} to code that is not checked")
        if callee.kind == "function":  # a Callable
            return callee.items[0]
        unknown = callee.kind in ("unknown", "cuda") or ast.unparse(node.func) == "importlib.import_module"
        return UNKNOWN if unknown else PLAIN

    def _argument(self, node: ast.keyword, given: list[Type], scope: Scope) -> Type:
        """A keyword argument; the function of `key=` is given the elements of the first argument."""
        if node.arg == "key" and isinstance(node.value, ast.Lambda) and given:
            return self.lambda_of(node.value, scope, given[0].element)
        return self.infer(node.value, scope)

    def lambda_of(self, node: ast.Lambda, scope: Scope, given: Type) -> Type:
        inner = scope.inner()
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            inner.variables[argument.arg] = given
        return Type("function", items=(self.infer(node.body, inner),))

    def _optional(self, node: ast.Call, owner: Type, scope: Scope) -> Type:
        """`optional(owner, "name", versions=(...))`: the versions must be those of the tables."""
        api = self.api(scope)
        try:
            name = ast.literal_eval(node.args[1])
            versions = frozenset(
                next(ast.literal_eval(k.value) for k in node.keywords if k.arg == "versions")
            )
        except (ValueError, IndexError, StopIteration):
            return self.fault(node, f"`{ast.unparse(node)}`: the name and its versions must be literals")
        if owner.kind == "module":
            there, what = self.every_api.with_name(name), f"trt.{name}"
        elif owner.kind in ("class", "object"):
            there, what = self.every_api.with_member(owner.name, name), f"{owner.name}.{name}"
        else:
            return self.fault(node, f"`{ast.unparse(node)}`: {owner} is no TensorRT object")
        if there != versions:
            self.fault(node, f"`{what}` is in {sorted(there)}, not in {sorted(versions)}")
        if there == self.every_api.labels:
            self.fault(node, f"`{what}` is in every version; use it directly")
        if owner.kind == "module":
            return Type("class", name) if api.is_enum(name) or api.is_class(name) else PLAIN
        return self.member(owner, name, api)

    def _signature(
        self, node: ast.Call, owner: str, member: str, given: list[Type], named: dict[str, Type], scope: Scope
    ) -> Type:
        """The result of a TensorRT method; a fault unless every version has an overload for the call."""
        api = self.api(scope)
        results = []
        for label, overloads in api.signatures(owner, member).items():
            fitting = [s for s in overloads if _fits(api, s, node, given, named)]
            if overloads and not fitting:
                self.fault(node, f"{label}: no overload of {owner}.{member} takes `{ast.unparse(node)}`")
            results += [from_table(api, s.result) for s in fitting[:1]]
        return join(*results) if results else UNKNOWN

    def _hand_over(
        self, node: ast.Call, callee: Type, given: list[Type], named: dict[str, Type], scope: Scope
    ) -> None:
        """A fault where a TensorRT object goes to a parameter that is declared as something else."""
        parameters = self.source.parameters(callee.name)
        by_name = dict(parameters)
        pairs = [(kind, *parameter) for kind, parameter in zip(given, parameters, strict=False)]
        pairs += [(kind, name, by_name[name]) for name, kind in named.items() if name in by_name]
        for kind, name, declared in pairs:
            lost = declared.kind == "unknown" and not self.source.home(callee.name).knows_tensorrt
            hidden = kind.kind == "unknown" and lost and scope.module.knows_tensorrt
            if hidden or (kind.tainted and (lost or not self.agree(kind, declared))):
                self.fault(
                    node, f"`{ast.unparse(node)}` hands a {kind} over as `{name}`, declared {declared}"
                )

    def agree(self, found: Type, declared: Type) -> bool:
        """Whether a value may be declared so. Any is allowed: nothing can be done with it."""
        if declared.kind == "unknown" or not found.tainted:
            return True
        if found.kind == "object" and declared.kind == "object":
            return self.every_api.related(found.name, declared.name) or found.name == declared.name
        if found.kind in ("container", "tuple") and declared.kind in ("container", "tuple"):
            return self.agree(found.element, declared.element)
        return found == declared


def _of_builtin(name: str, given: list[Type]) -> Type:
    if name == "zip":
        return container(pair(*(kind.element for kind in given)))
    if name not in PASSING_ON or not given:
        return PLAIN
    element = given[0].element
    if name == "enumerate":
        return container(pair(PLAIN, element))
    return element if name in ("next", "max", "min") else container(element)


def _of_container(owner: Type, method: str) -> Type:
    if method in ("get", "pop", "popleft", "popitem"):
        return owner.element
    if method in ("values", "copy", "union"):
        return container(owner.element)
    return container(pair(PLAIN, owner.element)) if method == "items" else PLAIN


def _fits(api: Api, signature: Signature, node: ast.Call, given: list[Type], named: dict[str, Type]) -> bool:
    """Whether an overload takes the call: the number and names of arguments, and TensorRT's classes."""
    if any(isinstance(argument, ast.Starred) for argument in node.args) or "**" in named:
        return True
    if not signature.takes(len(given), set(named)):
        return False
    wanted = {p.name: p.type for p in signature.parameters}
    pairs = [
        *zip(given, wanted.values(), strict=False),
        *((kind, wanted[name]) for name, kind in named.items()),
    ]
    return all(_may_be(api, kind, wanted) for kind, wanted in pairs)


def _may_be(api: Api, kind: Type, wanted: str) -> bool:
    known = api.is_class(wanted) or api.is_enum(wanted)
    if kind.kind != "object" or not known:
        return True
    return kind.name == wanted or api.related(kind.name, wanted)
