"""Models that source code names, as literals or as constants of SDKs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from threadbridge.translation.models.data import MODEL_FAMILIES, RETIREMENTS
from threadbridge_migrate.audit.languages import Language
from threadbridge_migrate.audit.member_chains import find_nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_LITERAL = re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o\d)[\w.-]*(?::[\w:.-]*)?")
_LITERAL_NODE = r"^[\w@$]{0,2}[\"'`](?:ft:)?(?:gpt-[345]|gpt-6|chatgpt-|o\d)"
_CONSTANT = r"^(?:ChatModel|AssistantModel|Models?)?_?(?:GPT|Gpt|CHATGPT|O[134])_?\w*$"


@cache
def _list_constants() -> dict[str, str]:
    return {re.sub(r"[^a-z0-9]", "", name): name for name in (*RETIREMENTS, *MODEL_FAMILIES)}


def find_models(root: SgNode, language: Language) -> Iterator[tuple[str, SgNode]]:
    """Each model with its node. A literal counts if it looks like the name of a model, also of an unknown one."""
    for node in find_nodes(root, language.strings, _LITERAL_NODE):
        name = node.text().strip("@$\"'`bfru")
        if _LITERAL.fullmatch(name):
            yield name, node
    if not language.names:
        return
    for node in find_nodes(root, language.names, _CONSTANT):
        bare = re.sub(r"[^a-z0-9]", "", re.sub(r"dot", "", node.text().lower()))
        model = _list_constants().get(re.sub(r"^(?:chatmodel|assistantmodel|models?)", "", bare))
        if model is not None:
            yield model, node
