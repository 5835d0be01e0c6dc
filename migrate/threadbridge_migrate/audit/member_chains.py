"""Chains of members in a syntax tree: `client.beta.threads.runs.create(…)` as a list of names, in any language."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from threadbridge_migrate.audit.languages import Language

if TYPE_CHECKING:
    from ast_grep_py import Rule, SgNode

_PUNCTUATION = " \t\n.?!&:'\"`[]->()"
_MAX_ROOT = 120
_NO_OBJECTS = frozenset({"optional_chain", "type_arguments", "comment"})


@dataclass(frozen=True, slots=True)
class MemberChain:
    """The names of a chain, its first expression included, and where it is."""

    names: tuple[str, ...]
    #: For each name the node that ends with it, or calls it.
    nodes: tuple[SgNode, ...]

    def find_call(self, index: int, language: Language) -> SgNode:
        """The call of the name at this index, else the member itself."""
        node = self.nodes[index]
        parent = node.parent()
        if parent is not None and parent.kind() in language.wrappers and "call" in parent.kind() + "invocation_call":
            first = get_operand(parent)
            if first is not None and first.range().end.index == node.range().end.index:
                return parent
        return node


def get_operand(node: SgNode) -> SgNode | None:
    """What a node accesses, calls or encloses."""
    return next((child for child in node.named_children() if child.kind() not in _NO_OBJECTS), None)


def find_nodes(root: SgNode, kinds: Collection[str], regex: str = "") -> list[SgNode]:
    """The nodes of these kinds whose text has a match of the expression (of Rust: no look-around)."""
    rules: list[Rule] = [{"kind": kind} for kind in sorted(kinds)]
    return root.find_all(any=rules, regex=regex)


def find_chains(root: SgNode, language: Language, names: str) -> Iterator[MemberChain]:
    """Each longest chain that contains one of these names, once."""
    if not language.names:
        return
    seen: set[tuple[int, int]] = set()
    for leaf in find_nodes(root, language.names, names):
        top = _climb(leaf, language)
        if top is None:
            continue
        span = top.range().start.index, top.range().end.index
        if span not in seen:
            seen.add(span)
            yield flatten(top, language)


def _climb(leaf: SgNode, language: Language) -> SgNode | None:
    """The longest chain around a name; None for a name that is no part of one."""
    node, parent = leaf, leaf.parent()
    top: SgNode | None = None
    while parent is not None:
        kind = parent.kind()
        if kind in language.members:
            if kind.startswith("subscript") and _is_index(parent, node) and leaf.kind() not in _STRING_PARTS:
                break
            if _is_argument(node):
                break
            top = parent
        elif kind in language.wrappers:
            operand = get_operand(parent)
            if operand is None or operand.range().start.index != node.range().start.index:
                break
            top = parent if top is not None or "call" in kind or "invocation" in kind else top
        elif kind not in _INNER:
            break
        node, parent = parent, parent.parent()
    return top


_STRING_PARTS = frozenset({"string_fragment", "string_content"})
#: Nodes between a member and its name.
_INNER = frozenset({"navigation_suffix", "member_binding_expression", "variable_name", "string", "scope_resolution"})


def _is_index(parent: SgNode, node: SgNode) -> bool:
    operand = get_operand(parent)
    return operand is not None and operand.range().start.index != node.range().start.index


def _is_argument(node: SgNode) -> bool:
    return "argument" in node.kind() or node.kind() in ("block", "do_block")


def flatten(top: SgNode, language: Language) -> MemberChain:
    """The names of a chain from its first expression on."""
    names: list[str] = []
    nodes: list[SgNode] = []
    node = top
    while True:
        kind = node.kind()
        if kind == "member_binding_expression":
            names.append(node.text().strip(_PUNCTUATION))
            nodes.append(node)
            outer = next((each for each in node.ancestors() if each.kind() == "conditional_access_expression"), None)
            operand = get_operand(outer) if outer is not None else None
            if operand is None or operand.range().start.index == node.range().start.index:
                break
            node = operand
            continue
        children = [child for child in node.named_children() if child.kind() not in _NO_OBJECTS]
        if kind in language.members and len(children) > 1 and not _is_argument(children[1]):
            if kind == "conditional_access_expression":
                node = children[1]
                continue
            names.append(children[1].text().strip(_PUNCTUATION))
            nodes.append(node)
            node = children[0]
        elif (kind in language.members or kind in language.wrappers) and children:
            node = children[0]
        else:
            names.append(node.text()[:_MAX_ROOT].strip(_PUNCTUATION))
            nodes.append(node)
            break
    return MemberChain(tuple(reversed(names)), tuple(reversed(nodes)))
