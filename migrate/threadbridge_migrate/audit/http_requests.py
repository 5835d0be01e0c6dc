"""Requests to the API without an SDK: URLs in string literals, in commands of a shell, and in other text.

A string counts only as a whole, so prose that mentions a URL does not. A path without a host of the API counts only in
a file that sends the header `OpenAI-Beta: assistants=…`, or after a variable in a file that names such a host, because
the routes of any server may look the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from threadbridge.errors import MethodNotAllowed, NotFound
from threadbridge.wire.routes import find_api_path, match_operation
from threadbridge_migrate.audit.languages import Language
from threadbridge_migrate.audit.member_chains import find_nodes

if TYPE_CHECKING:
    from ast_grep_py import SgNode

#: Hosts that serve, or served, the API.
API_HOST = re.compile(
    r"api\.openai\.com|[\w.*-]+\.openai\.azure\.(?:com|us)|[\w.*-]+\.(?:services\.ai|cognitiveservices)\.azure\.com",
    re.I,
)
BETA_HEADER = re.compile(r"assistants=v[12]")
#: Files without any of these are not searched.
REQUEST_WORDS = re.compile(r"/(?:threads|assistants)\b|assistants=v[12]")

_METHODS = ("GET", "POST", "DELETE")
#: What a language puts into a string; it becomes a star.
_INTERPOLATION = re.compile(
    r"\$\{\{.*?\}\}|\$\{[^}]*\}|#\{[^}]*\}|\{\{[^}]*\}\}|\{[^{}]*\}|\\\([^)]*\)|\$\w+(?:->\w+|\[\w+\])*|%\w|<\w+>|(?<=/):\w+"
)
_URL = re.compile(
    r"(?P<base>https?://[^\s/\"'`]+|\*)?(?P<path>/?(?:[\w.*-]+/)*(?:threads|assistants)(?:/[\w.*/-]*)?)(?:\?\S*)?"
)
_EXPLICIT_METHOD = re.compile(r"['\"`.:\s(](POST|GET|DELETE)\b")
_CALLED_METHOD = re.compile(
    r"(?i:[.:>\s](post|delete)(?:_?\w*)\s*[(<!.]|http(?:method\.)?(post|delete)\b)|\b(?:Post|Delete)(?=As|\()"
)
_CALLED_GET = re.compile(r"(?i:[.:>]get(?:async|stringasync|fromjsonasync)?\s*[(<!]|\bhttp(?:method\.)?get\b)|\bGet\(")
_BODY = re.compile(
    r"\b(?:json|data|body|content|payload|CURLOPT_POST(?:FIELDS)?)\s*(?:[=:,]|=>)|JSON\.stringify|\.POST\("
)
_STOP = re.compile(
    r".*block|.*body|program|module|source_file|compilation_unit|method|.*_(?:definition|item)|class.*|statements"
    r"|(?:function|method|class|namespace|constructor)_declaration|statement_list|declaration_list|arrow_function"
    r"|lambda.*|(?:if|for|while|try|do|switch)_.*|foreach_statement"
)
_MAX_STATEMENT = 3000
#: Calls that register a route of a server.
_ROUTES = re.compile(
    r"(?:\b(?:app|router|server|fastify|blueprint|bp|mux|Route|http|[\w]*[rR]outer)(?:\.|::|->)"
    r"(?:get|post|put|delete|patch|route|all|use|match|any|HandleFunc|Handle|Map\w+|add_\w+)\s*$)"
    r"|(?<![.\w>:])(?:path|re_path|route|get|post|delete|HandleFunc)\s*$|\bMap(?:Get|Post|Delete|Group)\s*$"
)
_ROUTE_NODES = frozenset({"decorator", "annotation", "marker_annotation", "attribute_list"})
_BINARY = frozenset({"binary_operator", "binary_expression", "additive_expression", "binary"})
_COMMANDS = re.compile(r"^\s*(?:\w+=\S+\s+)*(?:sudo\s+)?(?:\S*/)?(curl|wget|http|https|xh|curlie|hurl)\b|^\w+=")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A URL of the API and the operations that its request may be."""

    line: int
    column: int
    end_line: int
    text: str
    operations: tuple[str, ...]
    #: Whether the URL names a host of the API.
    has_host: bool


def find_operations(url: str, method: str | None, *, has_evidence: bool) -> tuple[tuple[str, ...], bool] | None:
    """The operations of a URL, with stars for what a program inserts, and whether it names a host; None for others."""
    matched = _URL.fullmatch(url.strip())
    if matched is None or "/" not in url:
        return None
    base, path = matched["base"] or "", "/" + matched["path"].lstrip("/")
    host = urlsplit(base).netloc if base.startswith("http") else ""
    has_host = API_HOST.fullmatch(host.split(":")[0]) is not None if host else False
    if not has_host and not has_evidence:
        return None
    path = find_api_path(path.removeprefix("/*") if path.startswith("/*/") else path) or ""
    if not path:
        return None
    path = re.sub(r"\*", "id", path).rstrip("/")
    operations: list[str] = []
    for each in (method,) if method else _METHODS:
        try:
            operations.append(match_operation(each, path).operation.name)
        except (NotFound, MethodNotAllowed):
            continue
    if method is None:
        # Without a method only what an SDK would call counts: nobody lists threads.
        operations = [name for name in operations if name != "list_threads"]
    if not operations and not has_host:
        return None
    return tuple(operations), has_host


def detect_method(statement: str) -> str | None:
    """The HTTP method of the request that a statement sends; None if it does not say."""
    if explicit := _EXPLICIT_METHOD.search(statement):
        return explicit[1]
    if called := _CALLED_METHOD.search(statement):
        return "DELETE" if "delete" in called[0].lower() else "POST"
    if _BODY.search(statement):
        return "POST"
    return "GET" if _CALLED_GET.search(statement) else None


def find_requests(root: SgNode, text: str, language: Language) -> Iterator[HttpRequest]:
    """The requests of a program, in the order of the tree."""
    has_header = BETA_HEADER.search(text) is not None
    has_host = API_HOST.search(text) is not None
    if not has_header and not has_host:
        return
    seen: set[int] = set()
    for node in find_nodes(root, language.strings, "threads|assistants"):
        top = _join(node)
        start = top.range().start
        parent = top.parent()
        if start.index in seen or parent is None:
            continue
        seen.add(start.index)
        if language.name == "python" and parent.kind() == "expression_statement":
            continue  # a docstring
        statement = _find_command(top) if language.name == "bash" else _find_statement(top)
        source = statement.text()[:_MAX_STATEMENT]
        if language.name == "bash":
            if _COMMANDS.match(source) is None:
                continue
            method = _detect_shell_method(source)
        else:
            if _registers_route(top):
                continue
            method = detect_method(source) or _detect_later(statement, text)
        url = _read_url(top, language)
        evidence = has_header or (has_host and url.startswith("*"))
        found = find_operations(url, method, has_evidence=evidence)
        if found is not None:
            end = top.range().end
            yield HttpRequest(start.line, start.column, end.line, top.text(), *found)


def _join(node: SgNode) -> SgNode:
    """The concatenation that a string is part of."""
    parent = node.parent()
    while parent is not None and parent.kind() in (*_BINARY, "concatenation", "concatenated_string"):
        if parent.kind() in _BINARY and not re.search(r"['\"`\w)\]]\s*[+.]\s*['\"`\w(@$]", parent.text()):
            break
        node, parent = parent, parent.parent()
    return node


def _read_url(node: SgNode, language: Language) -> str:
    """The text of a string or concatenation with a star for each inserted value."""
    if node.kind() in _BINARY or node.kind() in ("concatenation", "concatenated_string"):
        return re.sub(r"\*+", "*", "".join(_read_url(child, language) for child in node.named_children()))
    if node.kind() not in language.strings:
        return "*"
    text = re.sub(r"^[\w@$]*(['\"`]{3}|['\"`])|(['\"`]{3}|['\"`])$", "", node.text().strip())
    return re.sub(r"\*+", "*", _INTERPOLATION.sub("*", text))


def _find_statement(node: SgNode) -> SgNode:
    """The statement around a node."""
    parent = node.parent()
    while parent is not None and _STOP.fullmatch(parent.kind()) is None:
        size = parent.range().end.index - parent.range().start.index
        if size > _MAX_STATEMENT:
            break
        node, parent = parent, parent.parent()
    return node


def _find_command(node: SgNode) -> SgNode:
    """The command of a shell, or the assignment, around a word."""
    kinds = ("command", "variable_assignment")
    return next((each for each in node.ancestors() if each.kind() in kinds), node)


_ASSIGNED = re.compile(r"\s*(?:\w+\s+){0,3}?[$@]?(\w+)\s*(?::\s*[\w.]+\s*)?:?=(?!=)")
_MAX_FOLLOWING = 1200
_MAX_ARGUMENT_LINES = 6


def _detect_later(statement: SgNode, text: str) -> str | None:
    """The method of the request that later uses the variable to which the URL is assigned."""
    assigned = _ASSIGNED.match(statement.text())
    if assigned is None:
        return None
    following = text[statement.range().end.index :][:_MAX_FOLLOWING]
    if "curl_init" in statement.text():
        return detect_method(following.split("curl_exec")[0]) or "GET"
    used = re.search(rf"\b{re.escape(assigned[1])}\b", following)
    if used is None:
        return None
    lines = following[following.rfind("\n", 0, used.start()) + 1 :].split("\n")[:_MAX_ARGUMENT_LINES]
    windows = ("\n".join(lines[:count]) for count in range(1, len(lines) + 1))
    return next((method for method in map(detect_method, windows) if method is not None), None)


def _detect_shell_method(command: str) -> str | None:
    if re.match(r"\s*\w+=", command):
        return None
    explicit = re.search(
        r"(?:-X|--request)[ =]*['\"]?(\w+)|\b(?:http|https|xh)\s+(?:-\S+\s+)*(POST|GET|DELETE)\b", command
    )
    if explicit is not None:
        return (explicit[1] or explicit[2]).upper()
    if re.search(r"\s(?:-G|--get)\b", command):
        return "GET"
    return "POST" if re.search(r"\s(?:-d|--data\S*|--json|-F|--form|--post-data)\b", command) else "GET"


def _registers_route(node: SgNode) -> bool:
    """Whether a string is the path of a route that a server handles."""
    for ancestor in node.ancestors()[:6]:
        kind = ancestor.kind()
        if kind in _ROUTE_NODES:
            return True
        if "call" in kind or "invocation" in kind:
            function = ancestor.text().split("(")[0][-80:]
            return _ROUTES.search(function) is not None and "://" not in node.text()
    return False


_LINE_COMMENT = re.compile(r"^\s*(?:#(?!\!)|//|--\s|;|\*|<!--|rem\s)", re.I)
_TEXT_URL = re.compile(
    r"(?P<quote>['\"`]?)(?P<url>(?:https?://|\{\{\w+\}\}|\$\{?\w+\}?|\\\(\w+\)|\{\w*\})[^\s'\"`|;<>]*?/(?:threads|assistants)\b[^\s'\"`|;<>]*)"
)


def find_requests_in_text(text: str) -> Iterator[HttpRequest]:
    """Requests in languages that are not parsed: quoted URLs, arguments of curl, lines of `.http` files."""
    has_header = BETA_HEADER.search(text) is not None
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if ("threads" not in line and "assistants" not in line) or _LINE_COMMENT.match(line):
            continue
        for found in _TEXT_URL.finditer(line):
            before = "\n".join([*lines[max(0, number - 1) : number], line[: found.start()]])
            is_request = re.search(r"\b(?:curl|wget|http|Invoke-\w+|POST|GET|DELETE)\b", before, re.I)
            if not found["quote"] and not is_request:
                continue
            window = "\n".join([line, *lines[number + 1 : number + 7]])
            words = re.match(r"\s*(GET|POST|DELETE)\s", line)
            curl = "curl" in before or re.search(r"\scurl\s", window.split("\n")[0]) is not None
            method = words[1] if words else _detect_shell_method(window) if curl else detect_method(window)
            url = re.sub(r"\*+", "*", _INTERPOLATION.sub("*", found["url"]))
            operations = find_operations(url, method, has_evidence=has_header)
            if operations is not None:
                yield HttpRequest(number, found.start("url"), number, found["url"], *operations)
