"""The construction of openai clients in Python, put into `threadbridge.wrap(…)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider, QualifiedNameProvider

#: The classes that `threadbridge.wrap` takes, by the names under which they can be imported.
_CLASSES = frozenset(
    f"{module}.{prefix}{name}"
    for module, names in (
        ("openai", ("OpenAI", "AzureOpenAI", "Client")),
        ("openai.lib.azure", ("AzureOpenAI",)),
        ("openai._client", ("OpenAI", "Client")),
    )
    for name in names
    for prefix in ("", "Async")
)
_WRAPPERS = frozenset({"threadbridge.wrap"})
_OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = frozenset({"azure_ad_token", "azure_ad_token_provider"})


@dataclass(frozen=True, slots=True)
class LeftConstruction:
    """A construction that is not rewritten, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class PythonRewrite:
    """The new source of a module, and what was left as it is."""

    source: bytes
    #: Constructions of clients: edited, left, and those that were wrapped before.
    clients: int = 0
    left: list[LeftConstruction] = field(default_factory=list[LeftConstruction])


def rewrite_python(source: bytes) -> PythonRewrite:
    """Put each construction of an openai client into `threadbridge.wrap`, and import it.

    Everything else stays as it is, byte by byte, but for an empty line after the import; a construction that is wrapped
    already stays too. Raises `libcst.ParserSyntaxError`.
    """
    wrapper = MetadataWrapper(cst.parse_module(source))
    transformer = _ClientTransformer()
    module = wrapper.visit(transformer)
    if transformer.constructions:
        context = CodemodContext()
        AddImportsVisitor.add_needed_import(context, "threadbridge")
        module = AddImportsVisitor(context).transform_module(module)
    return PythonRewrite(module.bytes, transformer.clients, transformer.left)


class _ClientTransformer(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (QualifiedNameProvider, ParentNodeProvider, PositionProvider)

    def __init__(self) -> None:
        super().__init__()
        self.constructions = self.clients = 0
        self.left: list[LeftConstruction] = []

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:  # noqa: N802
        names = self._get_names(original_node.func)
        if not names & _CLASSES:
            return updated_node
        self.clients += 1
        if self._is_wrapped(original_node):
            return updated_node
        reason = _find_obstacle(original_node.args)
        if reason is not None:
            self.left.append(LeftConstruction(self._get_line(original_node), reason))
            return updated_node
        self.constructions += 1
        function = cst.Attribute(cst.Name("threadbridge"), cst.Name("wrap"))
        bare = updated_node.with_changes(lpar=(), rpar=())
        return cst.Call(function, [cst.Arg(bare)], lpar=updated_node.lpar, rpar=updated_node.rpar)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:  # noqa: N802
        if any(self._get_names(base.value) & _CLASSES for base in original_node.bases):
            self.clients += 1
            reason = "a class of its own is derived from the client; put threadbridge.wrap(…) around its instances"
            self.left.append(LeftConstruction(self._get_line(original_node), reason))
        return updated_node

    def _get_line(self, node: cst.CSTNode) -> int:
        position = self.get_metadata(PositionProvider, node)
        return position.start.line if isinstance(position, CodeRange) else 1

    def _get_names(self, node: cst.CSTNode) -> set[str]:
        return {name.name for name in self.get_metadata(QualifiedNameProvider, node, set())}

    def _is_wrapped(self, node: cst.Call) -> bool:
        argument = self.get_metadata(ParentNodeProvider, node)
        call = self.get_metadata(ParentNodeProvider, argument) if isinstance(argument, cst.Arg) else None
        return isinstance(call, cst.Call) and bool(self._get_names(call.func) & _WRAPPERS)


def _find_obstacle(arguments: Sequence[cst.Arg]) -> str | None:
    """Why the client cannot be wrapped without knowing more; None if it can."""
    for argument in arguments:
        name = argument.keyword.value if argument.keyword is not None else ""
        if argument.star:
            return "its options are not visible (* or **); wrap it if it is a client of OpenAI or Azure"
        if name == "base_url" and not _is_openai_url(argument.value):
            return "it has a base_url of its own; wrap it if that service has the Responses API"
        if name in _NO_KEY:
            return "it has no plain key; wrap it with upstream={'base_url': …, 'token_provider': …}"
    return None


def _is_openai_url(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Name):
        return node.value == "None"
    return isinstance(node, cst.SimpleString) and str(node.evaluated_value).rstrip("/") == _OPENAI_URL
