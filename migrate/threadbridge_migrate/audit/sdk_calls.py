"""Calls of the API through SDKs and frameworks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from threadbridge_migrate.audit.client_names import CLIENT_NAME, FOUNDRY_NAME, ClientNames, Origin
from threadbridge_migrate.audit.languages import Language
from threadbridge_migrate.audit.member_chains import MemberChain, find_chains
from threadbridge_migrate.audit.name_bindings import ResourceAliases, find_aliases
from threadbridge_migrate.audit.operations import (
    FLAT_METHODS,
    find_operations,
    is_method,
    is_transparent,
    normalise,
    split_resource,
)

if TYPE_CHECKING:
    from ast_grep_py import SgNode

_CALL_WORDS = re.compile(r"thread|assistant|\bagents?\b|create_?run|\bruns\b", re.IGNORECASE)
_BETA = re.compile(r"beta", re.IGNORECASE)

#: Languages whose SDKs have `client.threads` without `beta`; in others only Foundry's clients have.
_DIRECT_RESOURCES = frozenset({"ruby", "php", "java", "kotlin", "csharp"})
#: What is below `beta`; other SDKs and newer resources of OpenAI have other names there.
_BETA_RESOURCES = frozenset({"assistants", "threads"})
#: Languages with SDKs whose methods name their object: `client.CreateThread`.
_FLAT_LANGUAGES = frozenset({"go", "java", "csharp", "php"})
#: Arguments that only this API has.
_API_ARGUMENT = re.compile(r"(?i)\b(?:thread|assistant)_?id\b")

_RESOURCE = r"beta|[Bb]eta|assistants|Assistants|threads|Threads"
#: Frameworks that call the API themselves: classes and functions by their library.
FRAMEWORKS: Mapping[str, str] = {
    name: library
    for library, names in (
        ("langchain", "OpenAIAssistantRunnable OpenAIAssistantV2Runnable"),
        ("llama-index", "OpenAIAssistantAgent"),
        ("autogen", "GPTAssistantAgent OpenAIAssistantAgent"),
        ("semantic-kernel", "OpenAIAssistantAgent AzureAssistantAgent"),
        ("ai", "AssistantResponse useAssistant experimental_AssistantResponse"),
    )
    for name in names.split()
}
#: Clients that need no `beta` in any language.
_OTHER_CLIENT = re.compile(rf"{FOUNDRY_NAME.pattern}|\b(?:{'|'.join(FRAMEWORKS)})\b")


def may_contain_calls(text: str, language: Language) -> bool:
    """Whether a file has to be parsed: it has words of the API, and `beta`, or a client that needs no `beta`."""
    if _CALL_WORDS.search(text) is None:
        return False
    has_client = CLIENT_NAME if language.name in _DIRECT_RESOURCES | _FLAT_LANGUAGES else _OTHER_CLIENT
    return _BETA.search(text) is not None or has_client.search(text) is not None


@dataclass(frozen=True, slots=True)
class SdkCall:
    """A chain that is a call of the API, and the index of its method."""

    chain: MemberChain
    index: int
    operations: tuple[str, ...]
    node: SgNode
    #: Whether a client of the API is visible in the file; else another file has to use one.
    is_certain: bool
    client: str


def find_sdk_calls(root: SgNode, text: str, language: Language, names: ClientNames) -> Iterator[SdkCall]:
    """Each call through an SDK, or reference to one of its methods, in the order of the tree."""
    aliases = find_aliases(text, language)
    words = [_RESOURCE, *(re.escape(key.split(".")[-1]) for key in aliases.paths)]
    if language.name in _DIRECT_RESOURCES or FOUNDRY_NAME.search(text):
        words.append(
            r"runs|Runs|messages|Messages|run_steps|runSteps|agents|Administration|\w+(?:Endpoint|Messages|Runs)"
        )
    if language.name in _FLAT_LANGUAGES or FOUNDRY_NAME.search(text):
        words.append(r"(?i:\w*(?:assistant|agent|thread|message|run|step|tool_?output)s?\w*)")
    if language.name == "kotlin":
        words.append(
            r"assistants?|threads?|messages?|createRun|getRun|runs|cancel|submitToolOutput|createThreadRun|runSteps?"
        )
    pattern = rf"^(?:{'|'.join(dict.fromkeys(words))})$"
    chains = list(find_chains(root, language, pattern))
    called = {chain.names[0] for chain in chains if len(chain.names) == 1}
    for chain in chains:
        call = _match(chain, language, names, aliases, called)
        if call is not None:
            yield call


def _match(
    chain: MemberChain, language: Language, names: ClientNames, aliases: ResourceAliases, called: set[str]
) -> SdkCall | None:
    expanded, added = aliases.expand(chain.names)
    words = [normalise(name) for name in expanded]
    beta = words.index("beta", 1) if "beta" in words[1:] else None
    if beta is not None:
        return _match_resource(chain, expanded, words, beta + 1, added, language, names, called)
    if language.name == "kotlin" and len(words) == 2:
        return _match_kotlin(chain, language, names)
    for start in range(1, len(words)):
        if split_resource(words[start:]) is not None:
            found = _match_resource(chain, expanded, words, start, added, language, names, called)
            if found is not None:
                return found
    return _match_flat(chain, words, language, names)


def _match_resource(
    chain: MemberChain,
    expanded: tuple[str, ...],
    words: list[str],
    start: int,
    added: int,
    language: Language,
    names: ClientNames,
    called: set[str],
) -> SdkCall | None:
    """A method of a resource, whose path begins at `start`."""
    resource = split_resource(words[start:])
    if resource is None:
        return None
    subject, count = resource
    below_beta = words[start - 1] == "beta"
    if below_beta and words[start] not in _BETA_RESOURCES and language.name != "csharp":
        return None
    index = start + count
    while index < len(words) and is_transparent(words[index]):
        index += 1
    if index - added < 0 or index >= len(words):
        return None
    position = max(index - added, 0)
    node = chain.find_call(position, language)
    is_call = node.text().rstrip().endswith((")", "}", "end")) or node.kind() == "call"
    if not is_call and (not is_method(words[index]) or _is_called_by_name(node, called)):
        return None
    root = ".".join(expanded[: start - below_beta])
    origin = names.classify(root)
    if origin is Origin.OTHER:
        return None
    if not below_beta:
        allowed = language.name in _DIRECT_RESOURCES or FOUNDRY_NAME.search(names.text) is not None
        if not allowed or not _is_likely(origin, node, names):
            return None
    operations = find_operations(subject, words[index])
    certain = origin is Origin.CLIENT or names.imports_client
    return SdkCall(chain, position, operations, node, certain, _name_client(names.text, language))


def _is_called_by_name(node: SgNode, called: set[str]) -> bool:
    """Whether a method is only given a name here, and called by it."""
    parent = node.parent()
    if parent is None:
        return False
    names = (parent.field("left"), parent.field("name"))
    return any(name is not None and name.text() in called for name in names)


def _is_likely(origin: Origin, node: SgNode, names: ClientNames) -> bool:
    """Whether a call without `beta` is the API's: other SDKs have `messages` and `threads` too."""
    return origin is Origin.CLIENT or (names.imports_client and _API_ARGUMENT.search(node.text()[:2000]) is not None)


def _match_flat(chain: MemberChain, words: list[str], language: Language, names: ClientNames) -> SdkCall | None:
    """A method that names its object, of a client."""
    if language.name not in _FLAT_LANGUAGES and FOUNDRY_NAME.search(names.text) is None:
        return None
    for index in range(1, len(words)):
        operation = FLAT_METHODS.get(words[index])
        if operation is None:
            continue
        node = chain.find_call(index, language)
        origin = names.classify(".".join(chain.names[:index]))
        if origin is not Origin.OTHER and _is_likely(origin, node, names):
            return SdkCall(chain, index, (operation,), node, True, _name_client(names.text, language))
    return None


#: The methods of openai-kotlin that say neither verb nor resource, with and without a request.
_KOTLIN_METHODS = {
    "assistant": ("create_assistant", "retrieve_assistant"),
    "assistants": ("list_assistants", "list_assistants"),
    "thread": ("create_thread", "create_thread"),
    "message": ("create_message", "retrieve_message"),
    "messages": ("list_messages", "list_messages"),
    "runs": ("list_runs", "list_runs"),
    "runsteps": ("list_steps", "list_steps"),
    "runstep": ("retrieve_step", "retrieve_step"),
    "cancel": ("cancel_run", "cancel_run"),
    "updaterun": ("update_run", "update_run"),
}


def _match_kotlin(chain: MemberChain, language: Language, names: ClientNames) -> SdkCall | None:
    method = normalise(chain.names[1])
    node = chain.find_call(1, language)
    text = node.text()
    if method in FLAT_METHODS:
        operation = FLAT_METHODS[method]
    elif method in _KOTLIN_METHODS and "(" in text:
        with_request, without = _KOTLIN_METHODS[method]
        operation = with_request if re.search(r"[rR]equest\b|Request\(", text) else without
        if method == "thread" and re.search(r"\.thread\(\s*(?:id\s*=\s*)?(?!request)\w*(?i:id)\b", text):
            operation = "retrieve_thread"
    else:
        return None
    if names.classify(chain.names[0]) is not Origin.CLIENT or not names.imports_client:
        return None
    return SdkCall(chain, 1, (operation,), node, True, _name_client(names.text, language))


_CLIENT_LABELS = (
    (
        re.compile(r"azure[./-]ai[./-]agents|PersistentAgentsClient|AIProjectClient|@azure/ai-(?:agents|projects)"),
        "Foundry agents SDK",
    ),
    (re.compile(r"sashabaranov/go-openai"), "go-openai (sashabaranov)"),
    (re.compile(r"com\.theokanning\.openai"), "openai-java (theokanning)"),
    (
        re.compile(r"com\.azure\.ai\.openai|Azure\.AI\.OpenAI\.Assistants|@azure/openai-assistants"),
        "Azure OpenAI Assistants SDK",
    ),
    (re.compile(r"com\.aallam\.openai"), "openai-kotlin (aallam)"),
    (re.compile(r"Betalgo|Betalgo\.Ranul"), "Betalgo.OpenAI"),
    (re.compile(r"\bOpenAI::|ruby/openai"), "ruby openai gem"),
)


def _name_client(text: str, language: Language) -> str:
    """The SDK that a file uses, for reports."""
    for pattern, label in _CLIENT_LABELS:
        if pattern.search(text):
            return label
    return f"openai SDK ({language.name})"
