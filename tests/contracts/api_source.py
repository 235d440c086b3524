"""The source that is checked: its modules, functions and classes, and what a name means in a place of it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.contracts.api_types import MODULE, PLAIN, PREFIXES, UNKNOWN, Type, container, from_annotation

LIBRARIES = ("tensorrt", "tensorrt_rtx")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def absolute(node: ast.ImportFrom, module: str) -> str:
    """The full name of the module that `node` imports from, in the module of the name `module`."""
    if node.level == 0:
        return node.module or ""
    package = module.split(".")[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


@dataclass
class Module:
    """One parsed file. `vocabulary` are the TensorRT classes it names in annotations."""

    name: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    vocabulary: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Type] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    local = alias.asname or alias.name
                    origin = absolute(node, self.name)
                    if origin in LIBRARIES:
                        self.vocabulary[local] = origin
                    else:
                        self.imports[local] = (origin, alias.name)

    @property
    def knows_tensorrt(self) -> bool:
        """Whether it may hold TensorRT objects; one that only calls CUDA may not, and may use Any freely."""
        return not self.name.rpartition(".")[2].startswith("cuda")

    @property
    def rtx_only(self) -> bool:
        """Whether it speaks of TensorRT-RTX alone."""
        return set(self.vocabulary.values()) == {"tensorrt_rtx"}


@dataclass
class Scope:
    """A place in the source. `declared` variables keep their annotation, whatever is assigned."""

    module: Module
    variables: dict[str, Type] = field(default_factory=dict)
    declared: dict[str, Type] = field(default_factory=dict)
    result: Type = PLAIN

    def inner(self) -> Scope:
        return Scope(self.module, dict(self.variables), dict(self.declared), self.result)


class Source:
    """All modules that are checked together; functions and classes by "module:name"."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.modules = {name: Module(name, ast.parse(text)) for name, text in texts.items()}
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        for module in self.modules.values():
            self._index(module.name, "", module.tree.body)

    def name(self, module: Module, name: str) -> Type:
        """What `name` means at the top of `module`."""
        if name in PREFIXES:
            return PREFIXES[name]
        if name in module.vocabulary:
            return Type("class", name)
        if name in module.variables:
            return module.variables[name]
        key = f"{module.name}:{name}"
        if key in self.functions:
            return self.function(key)
        if key in self.classes:
            return Type("maker", key)
        if name in module.imports:
            home, original = module.imports[name]
            if home in self.modules:
                return self.name(self.modules[home], original)
        return PLAIN

    def annotation(self, module: Module, node: ast.expr | None) -> Type:
        def resolve(name: str) -> Type:
            if name in ("Any", "object"):
                return UNKNOWN
            if name == "ModuleType":
                return MODULE
            found = self.name(module, name)
            if found.kind == "class":
                return Type("object", found.name)
            return Type("project", found.name) if found.kind == "maker" else PLAIN

        return from_annotation(node, resolve)

    def function(self, key: str) -> Type:
        node = self.functions[key]
        module = self.home(key)
        result = self.annotation(module, node.returns)
        if any(isinstance(d, ast.Name) and d.id == "contextmanager" for d in node.decorator_list):
            result = result.element
        return Type("function", key, (result,))

    def parameters(self, key: str) -> list[tuple[str, Type]]:
        """Names and types of a function's parameters, `self` left out; of a class, what makes one."""
        if key in self.classes:
            initialiser = f"{key}.__init__"
            if initialiser not in self.functions:
                return self.fields(key)
            key = initialiser
        node = self.functions[key]
        module = self.home(key)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        found = [(a.arg, PREFIXES.get(a.arg, self.annotation(module, a.annotation))) for a in arguments]
        return found[1:] if found and found[0][0] in ("self", "cls") else found

    def home(self, key: str) -> Module:
        return self.modules[key.partition(":")[0]]

    def bases(self, key: str) -> list[ast.expr]:
        return self.classes[key].bases

    def fields(self, key: str) -> list[tuple[str, Type]]:
        """What the body of a class declares."""
        return [
            (node.target.id, self.annotation(self.home(key), node.annotation))
            for node in self.classes[key].body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        ]

    def is_property(self, key: str) -> bool:
        return any(isinstance(d, ast.Name) and d.id == "property" for d in self.functions[key].decorator_list)

    def assigned(self, key: str, name: str) -> tuple[str, ast.Assign | ast.AnnAssign] | None:
        """Where a method of the class assigns `self.name`, and in which method; an annotation goes first."""
        found: list[tuple[str, ast.Assign | ast.AnnAssign]] = []
        for method in self.classes[key].body:
            if isinstance(method, Function):
                for node in ast.walk(method):
                    targets = (
                        node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                    )
                    if isinstance(node, ast.Assign | ast.AnnAssign) and any(
                        _is_own(t, name) for t in targets
                    ):
                        found.append((f"{key}.{method.name}", node))
        found.sort(key=lambda item: isinstance(item[1], ast.Assign))
        return found[0] if found else None

    def scope(self, key: str, outer: Scope | None = None) -> Scope:
        """The inside of a function, with its parameters."""
        node = self.functions[key]
        module = self.home(key)
        variables = dict(outer.variables) if outer else {}
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            variables[argument.arg] = self.annotation(module, argument.annotation)
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                variables[rest.arg] = container(self.annotation(module, rest.annotation))
        cls = key.partition(":")[2].rpartition(".")[0]
        if cls and not any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list):
            variables[arguments.args[0].arg] = Type("project", f"{module.name}:{cls}")
        return Scope(module, variables, {}, self.annotation(module, node.returns))

    def _index(self, module: str, prefix: str, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, Function):
                self.functions[f"{module}:{prefix}{node.name}"] = node
                self._index(module, "", node.body)  # what is defined inside is known by its own name
            elif isinstance(node, ast.ClassDef):
                self.classes[f"{module}:{node.name}"] = node
                self._index(module, f"{node.name}.", node.body)
            else:
                for part in ("body", "orelse", "finalbody"):
                    self._index(module, prefix, getattr(node, part, []))


def _is_own(target: ast.AST | None, name: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and target.attr == name
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
    )
