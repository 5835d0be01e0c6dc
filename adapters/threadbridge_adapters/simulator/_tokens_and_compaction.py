"""Token counts, which depend only on the text; encrypted content; and the compaction of long contexts (§11)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from threadbridge.api_types import JsonObject
from threadbridge.ports import IdGenerator
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators

_WORD_PIECES = re.compile(r"\s*\S+|\s+$")
_ARGUMENT_PIECES = re.compile(r"[A-Za-z0-9_.-]+|[^A-Za-z0-9_.-]+")
_BYTES_PER_TOKEN = 4
_TOKENS_PER_ITEM = 4
_TOKENS_PER_REQUEST = 3


def split_words(text: str) -> list[str]:
    """The text deltas of a stream; each counts as one token."""
    return _WORD_PIECES.findall(text)


def iterate_word_starts(text: str) -> Iterator[int]:
    """The start index of each delta."""
    return (found.start() for found in _WORD_PIECES.finditer(text))


def split_arguments(arguments: str) -> list[str]:
    """The deltas of function arguments in a stream; each counts as one token."""
    return _ARGUMENT_PIECES.findall(arguments)


def count_input_tokens(items: Iterable[JsonObject], instructions: str | None, tools: Iterable[JsonObject]) -> int:
    """The input tokens of a request: its whole context, its instructions and its tools."""
    total = _TOKENS_PER_REQUEST + (estimate_tokens(instructions) if instructions else 0)
    for item in items:
        total += _TOKENS_PER_ITEM
        match item.get("type"):
            case "function_call":
                total += estimate_tokens(item["name"]) + estimate_tokens(item["arguments"])
            case "function_call_output":
                total += _count_content_tokens(item["output"])
            case "file_search_call":
                total += sum(estimate_tokens(result["text"]) for result in item.get("results") or ())
            case "code_interpreter_call":
                logs = [output["logs"] for output in item.get("outputs") or () if output["type"] == "logs"]
                total += sum(estimate_tokens(text) for text in (item.get("code") or "", *logs))
            case "reasoning":
                total += sum(estimate_tokens(part["text"]) for part in item.get("summary") or ())
            case "compaction":
                total += estimate_tokens(item["encrypted_content"])
            case _:
                total += _count_content_tokens(item["content"])
    for tool in tools:
        total += _TOKENS_PER_ITEM + estimate_tokens(orjson.dumps(tool).decode())
    return total


def _count_content_tokens(content: Any) -> int:
    if isinstance(content, str):
        return estimate_tokens(content)
    return sum(estimate_tokens(part.get("text") or part.get("refusal") or "") for part in content)


def estimate_tokens(text: str) -> int:
    """The token count of a text without splitting it."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


_PREFIX = "gAAAAA"
_SIGNING_KEY = b"threadbridge simulator"
_SIGNATURE_LENGTH = 16


def make_encrypted_content(text: str) -> str:
    """An opaque token like the service's; the same text gives the same token."""
    content = text.encode()
    return _PREFIX + base64.urlsafe_b64encode(_sign(content) + content).decode()


def is_own_encrypted_content(token: str) -> bool:
    """Whether this token was created here and is unchanged."""
    try:
        raw = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return token.startswith(_PREFIX) and hmac.compare_digest(raw[:_SIGNATURE_LENGTH], _sign(raw[_SIGNATURE_LENGTH:]))


def unverifiable_content_error(token: str) -> errors.ServiceError:
    """The service's error for a token that cannot be verified."""
    excerpt = f"{token[:4]}...{token[-4:]}"
    text = f"The encrypted content {excerpt} could not be verified. "
    return errors.ServiceError(
        text + "Reason: Encrypted content could not be decrypted or parsed.", code="invalid_encrypted_content"
    )


def _sign(content: bytes) -> bytes:
    return hmac.digest(_SIGNING_KEY, content, hashlib.sha256)[:_SIGNATURE_LENGTH]


MIN_COMPACT_THRESHOLD = 1000
_check_rule = validators.object_with(
    {"type": validators.one_of("compaction"), "compact_threshold": validators.integer(minimum=MIN_COMPACT_THRESHOLD)},
    required=("type",),
)


def check_context_management(path: str, value: Any) -> None:
    """Check a list of rules; the service has one type of rule."""
    for index, rule in enumerate(validators.require_array(path, value)):
        _check_rule(f"{path}[{index}]", rule)


def select_visible_context(context: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """The part of a context that the model reads: the newest compaction and the items after it."""
    for index in range(len(context) - 1, -1, -1):
        if context[index].get("type") == "compaction":
            return context[index:]
    return context


def compact_response(
    response: JsonObject, body: JsonObject, context: Sequence[JsonObject], new_id: IdGenerator
) -> JsonObject:
    """The finished response, with a compaction as its last item if the context exceeds the threshold (recorded)."""
    rules: Sequence[JsonObject] = body.get("context_management") or ()
    thresholds = [rule["compact_threshold"] for rule in rules if rule.get("compact_threshold") is not None]
    usage, threshold = response["usage"], thresholds[0] if thresholds else None
    if threshold is None or response["status"] != "completed" or usage["total_tokens"] <= threshold:
        return response
    item_id = new_id("cmp")
    content = make_encrypted_content(f"{item_id} {len(context) + len(response['output'])} items")
    tokens = estimate_tokens(content)
    more = {name: usage[name] + tokens for name in ("output_tokens", "total_tokens")}
    item = {"id": item_id, "type": "compaction", "encrypted_content": content}
    return {**response, "output": [*response["output"], item], "usage": {**usage, **more}}
