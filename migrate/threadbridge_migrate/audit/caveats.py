"""What a person should know before a call site runs on ThreadBridge, found by patterns of the code."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from threadbridge_migrate.audit.http_requests import API_HOST

Level = Literal["note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Caveat:
    """One rule: errors need other code, warnings a decision, notes nothing."""

    id: str
    level: Level
    #: What is the case, and what to do.
    text: str
    #: A page of the documentation, and a place there.
    page: str
    pattern: re.Pattern[str] | None = None


def _caveat(id: str, level: Level, page: str, text: str, pattern: str | None = None) -> Caveat:
    return Caveat(id, level, text, page, re.compile(pattern) if pattern else None)


_USE = "docs/tutorial/getting-started.md"
_COMPATIBILITY = "docs/compatibility.md"
_DEMANDS = "docs/reference/client-demands.md"

CAVEATS: Mapping[str, Caveat] = {
    caveat.id: caveat
    for caveat in (
        _caveat(
            "hard-coded-base-url",
            "warning",
            _USE,
            "The address of the service is written into the code: make it the gateway's, or a setting.",
            rf"(?i)https?://(?:{API_HOST.pattern})",
        ),
        _caveat(
            "azure-client",
            "note",
            f"{_DEMANDS}#c19",
            "A client of Azure: its endpoint becomes the gateway's; the header api-key and api-version are accepted.",
            r"\b(?:Async)?AzureOpenAI(?:Client)?\b|azure_endpoint|azure\.WithEndpoint|AzureOpenAIServiceVersion",
        ),
        _caveat(
            "foundry-client",
            "note",
            _COMPATIBILITY,
            "A client of Foundry's classic agents: its endpoint becomes the gateway's, …/api/projects/NAME (D117).",
            r"\b(?:Persistent)?AgentsClient\b|\bAIProjectClient\b",
        ),
        _caveat(
            "assistants-v1",
            "error",
            "README.md#what-is-not-supported",
            "Version 1 of the API is not supported: send assistants=v2 and port what v2 changed.",
            r"assistants=v1\b",
        ),
        _caveat(
            "file-ids",
            "error",
            _COMPATIBILITY,
            "file_ids of assistants and messages are version 1: use tool_resources, or attachments of messages.",
        ),
        _caveat(
            "retrieval-tool",
            "error",
            _COMPATIBILITY,
            "The tool retrieval is version 1: use file_search with a vector store.",
            r"""["']?\btype["']?\s*(?:=>|[:=])\s*["']retrieval["']|ToolTypeRetrieval|\bRetrievalTool\w*""",
        ),
        _caveat(
            "assistant-files",
            "error",
            _COMPATIBILITY,
            "The files of assistants and messages were resources of version 1: use tool_resources and attachments.",
        ),
        _caveat(
            "unknown-operation",
            "error",
            "docs/reference/conformance.md",
            "The API has no such operation: compare the path, the method and the names with the reference.",
        ),
        _caveat(
            "legacy-module",
            "error",
            _USE,
            "Settings of openai before 1.0 have no effect in the SDK that has assistants: use OpenAI(base_url=…).",
            r"\bopenai\.(?:api_base|api_type|ChatCompletion|Completion)\b",
        ),
        _caveat(
            "module-client",
            "note",
            _USE,
            "The SDK's own global client: set OPENAI_BASE_URL to the gateway, or create a client.",
        ),
        _caveat(
            "poll-timeout",
            "warning",
            f"{_COMPATIBILITY}",
            "The poll helper has no limit of its own and follows the server's interval (D16): the time limit around it "
            "has to cover the whole run, and does not cancel it.",
        ),
        _caveat(
            "endless-polling",
            "warning",
            f"{_DEMANDS}#c10",
            "The loop waits for completed only and never ends at failed, cancelled, expired or incomplete.",
        ),
        _caveat(
            "stored-id",
            "warning",
            "docs/how-to/keep-old-ids.md",
            "The id of an object of the old service: load it (migrate load), or declare it in the settings.",
            r"""["'`](?:asst|thread|run|msg|vs|file)[_-][A-Za-z0-9]{16,}["'`]|\b[A-Z][A-Z0-9_]*(?:ASSISTANT|THREAD)_ID\b"""
            r"""|\b(?:ASSISTANT|THREAD)_ID\b""",
        ),
        _caveat(
            "beta-vector-stores",
            "note",
            "docs/reference/responses-mapping.md",
            "Vector stores pass through to the upstream; newer SDKs have them as client.vector_stores.",
            r"\bbeta\.vector_?[sS]tores\b",
        ),
        _caveat(
            "browser-client",
            "warning",
            _COMPATIBILITY,
            "The page is the client: the gateway answers it if gateway.allowed_origins names its origin (D88).",
            r"dangerouslyAllowBrowser\s*:\s*true",
        ),
        _caveat(
            "framework",
            "note",
            _DEMANDS,
            "The framework calls the API: give it a client or a base URL that leads to ThreadBridge.",
        ),
    )
}

_LOOP = re.compile(r"^[ \t]*\}?[ \t]*(?:while|until|do\b.*while)\b[^\n]*status[^\n]*completed[^\n]*$", re.M | re.I)
_OTHER_ENDS = re.compile(r"failed|expired|incomplete|cancelled|Terminal|requires_action", re.I)
_LOOP_LINES = 30
_MAX_TEXT = 80


def find_by_pattern(code: str) -> Iterator[tuple[str, int, str]]:
    """Caveats of a program without comments: id, offset and what was found."""
    for caveat in CAVEATS.values():
        if caveat.pattern is not None:
            seen: set[str] = set()
            for found in caveat.pattern.finditer(code):
                # The same client name on each line would say nothing new.
                if found[0] not in seen or caveat.level == "error":
                    seen.add(found[0])
                    yield caveat.id, found.start(), found[0][:_MAX_TEXT]
    for loop in _LOOP.finditer(code):
        indent = len(loop[0]) - len(loop[0].lstrip())
        if loop[0].lstrip().startswith("}"):  # a do-while: its body comes before
            body = code[: loop.start()].rsplit("\n", _LOOP_LINES)[1:]
            body = body[max((n for n, line in enumerate(body) if re.match(r"\s*do\b", line)), default=0) :]
        else:
            following = code[loop.end() + 1 :].split("\n", _LOOP_LINES)[:_LOOP_LINES]
            body = list(itertools.takewhile(lambda line: _is_inner(line, indent), following))  # noqa: B023
        rest = "\n".join([loop[0], *body])
        if re.search(r"!=|!==|not\b|until|isnt|is not", loop[0]) and _OTHER_ENDS.search(rest) is None:
            yield "endless-polling", loop.start() + indent, loop[0].strip()[:_MAX_TEXT]


def _is_inner(line: str, indent: int) -> bool:
    return not line.strip() or len(line) - len(line.lstrip()) > indent


_FILE_IDS = re.compile(r"\bfile_?ids\b[\"']?\s*(?:=>|[:=])", re.I)
_V2_FILE_IDS = re.compile(r"code_?interpreter[^\]]{0,40}$|vector_?stores?[^\]]{0,60}$", re.I)
_TIME_LIMIT = re.compile(r"\btimeout\b|wait_for\b|Promise\.race|withTimeout|setTimeout|CancelAfter", re.I)


def find_in_call(operations: tuple[str, ...], method: str, call: str, statement: str) -> Iterator[str]:
    """The ids of the caveats of one call, given its text and that of its statement."""
    if any(name in ("create_assistant", "update_assistant", "create_message", "create_thread") for name in operations):
        for found in _FILE_IDS.finditer(call):
            if _V2_FILE_IDS.search(call[max(0, found.start() - 80) : found.start()]) is None:
                yield "file-ids"
                break
    if "poll" in method.lower() and _TIME_LIMIT.search(statement):
        yield "poll-timeout"
