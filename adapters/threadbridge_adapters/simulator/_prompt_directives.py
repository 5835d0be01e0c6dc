"""Directives in the last user message that control the simulator's response.

One directive per line; every other line is ordinary text.

    CALL name {"city": "Bern"}     call the function if it is among the request's tools; lines in a row are parallel
    CALL name {broken              the text after the name is sent as arguments unchanged
    CALL! name {}                  call it even if the request does not declare it
    THEN CALL name {}              starts the next round, after the outputs of the previous one; CALL lines may follow
    SAY text                       the exact text of the final message (several lines: several lines)
    THINK text                     a reasoning item before the first output, with this summary
    REFUSE text                    the final message is a refusal
    INCOMPLETE reason              the final message is cut off: max_output_tokens or content_filter
    FAIL code message              the response fails without a final message (after SAY: in the middle of it)
    HTTP status [seconds]          respond with this error status; seconds are sent as Retry-After
    BREAK n                        break the connection after n events of the final response
    SLOW seconds                   wait this long between events
    SEARCH words                   a file_search call; several queries of one call are separated by bars: `one | two`
    PYTHON code                    a code_interpreter call; lines in a row are one code, which is not run
    PRINTS text                    the output of the code above
    WRITES name.csv text           a file the code above writes; `\\n` in the text is a line break
    DRAWS name.png                 a chart the code above displays and saves under this name; the name is optional
    DIES                           the container expires while the code above runs, and the response fails; a container
                                   in which no code has run before does not expire

Without directives the output text is `ECHO: ` and the text; after function calls it is `RESULT: ` and the outputs,
joined by `; `; after searches and code it quotes and cites their results. In SAY, `[[1]]` cites the first result and
`[[name.csv]]` links to a file. SEARCH and PYTHON take effect if the request has the tool. Directives for the final
message take effect when all rounds of calls have outputs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DIRECTIVE_LINE = re.compile(
    r"(?P<word>(?:THEN )?CALL!?|SAY|THINK|REFUSE|INCOMPLETE|FAIL|HTTP|BREAK|SLOW"
    r"|SEARCH|PYTHON|PRINTS|WRITES|DRAWS|DIES)(?:[ \t](?P<rest>.*)|$)"
)
_CALL_ARGUMENTS = re.compile(r"(?P<name>[A-Za-z0-9_-]+)[ \t]*(?P<arguments>.*)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_INCOMPLETE_REASONS = ("max_output_tokens", "content_filter")
_DIRECTIVE_WORDS = (
    "CALL",
    "SAY",
    "THINK",
    "REFUSE",
    "INCOMPLETE",
    "FAIL",
    "HTTP",
    "BREAK",
    "SLOW",
    "SEARCH",
    "PYTHON",
)


@dataclass(frozen=True, slots=True)
class CallDirective:
    """A CALL line."""

    name: str
    arguments: str
    line: str
    undeclared: bool = False


@dataclass(slots=True)
class ToolDirective:
    """A SEARCH directive, or PYTHON lines with their PRINTS, WRITES, DRAWS and DIES."""

    tool_type: str  # the type of the required tool
    lines: list[str]
    queries: list[str] = field(default_factory=list[str])
    code: list[str] = field(default_factory=list[str])
    printed_texts: list[str] = field(default_factory=list[str])
    written_files: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    drawn_charts: list[str] = field(default_factory=list[str])
    loses_container: bool = False

    @property
    def line(self) -> str:
        """All lines of the directive."""
        return "\n".join(self.lines)

    @property
    def has_results(self) -> bool:
        """Whether the code has an output directive, after which a PYTHON line starts another call."""
        return bool(self.printed_texts or self.written_files or self.drawn_charts)


@dataclass(slots=True)
class Directives:
    """The directives of one message."""

    rounds: list[list[CallDirective]] = field(default_factory=list[list[CallDirective]])
    tools: list[ToolDirective] = field(default_factory=list[ToolDirective])
    #: Ordinary text and the CALL, SEARCH and PYTHON directives, in order: directives that cannot be followed are text.
    text_parts: list[str | CallDirective | ToolDirective] = field(
        default_factory=list["str | CallDirective | ToolDirective"]
    )
    say: str | None = None
    think: str | None = None
    refuse: str | None = None
    incomplete: str | None = None
    fail: tuple[str, str] | None = None
    http: tuple[int, float | None] | None = None
    break_after: int | None = None
    event_delay: float = 0.0


def parse_directives(text: str) -> Directives:
    """Parse a message. A malformed directive is ordinary text."""
    out = Directives()
    if not any(word in text for word in _DIRECTIVE_WORDS):
        out.text_parts = [text]
        return out
    for line in text.split("\n"):
        parsed_line = _DIRECTIVE_LINE.fullmatch(line.strip())
        if parsed_line is None or not _apply(out, parsed_line["word"], parsed_line["rest"] or "", line):
            out.text_parts.append(line)
    return out


def _apply(out: Directives, word: str, rest: str, line: str) -> bool:
    """Apply one directive; False if its arguments are malformed."""
    if word.removeprefix("THEN ").startswith("CALL"):
        parsed_call = _CALL_ARGUMENTS.fullmatch(rest)
        if parsed_call is None:
            return False
        if word.startswith("THEN ") or not out.rounds:
            out.rounds.append([])
        call = CallDirective(parsed_call["name"], parsed_call["arguments"] or "{}", line, undeclared=word.endswith("!"))
        out.rounds[-1].append(call)
        out.text_parts.append(call)
        return True
    if word in ("SEARCH", "PYTHON"):
        return _apply_tool(out, word, rest, line)
    if word in ("PRINTS", "WRITES", "DRAWS", "DIES"):
        return _apply_code_result(_find_current_code(out), word, rest, line)
    return _apply_to_message(out, word, rest)


def _apply_to_message(out: Directives, word: str, rest: str) -> bool:
    """Apply a directive for the response or its final message."""
    numbers = [float(number) for number in rest.split() if _NUMBER.fullmatch(number)]
    has_only_numbers = len(numbers) == len(rest.split())
    match word:
        case "SAY":
            out.say = rest if out.say is None else f"{out.say}\n{rest}"
        case "THINK":
            out.think = rest
        case "REFUSE" if rest:
            out.refuse = rest
        case "INCOMPLETE" if rest in _INCOMPLETE_REASONS:
            out.incomplete = rest
        case "FAIL" if rest and not rest.startswith(" "):
            code, _, message = rest.partition(" ")
            out.fail = (code, message or "The simulator was scripted to fail.")
        case "HTTP" if has_only_numbers and numbers and 400 <= numbers[0] <= 599:
            out.http = (int(numbers[0]), numbers[1] if len(numbers) > 1 else None)
        case "BREAK" if rest.isdecimal():
            out.break_after = int(rest)
        case "SLOW" if has_only_numbers and len(numbers) == 1:
            out.event_delay = numbers[0]
        case _:
            return False
    return True


def _apply_tool(out: Directives, word: str, rest: str, line: str) -> bool:
    """Apply SEARCH or PYTHON. PYTHON lines in a row are one code, until it has an output directive."""
    current = _find_current_code(out)
    if word == "PYTHON" and current is not None and not current.has_results:
        current.lines.append(line)
        current.code.append(rest)
        return True
    if word == "PYTHON":
        tool = ToolDirective("code_interpreter", [line], code=[rest])
    else:
        queries = [query.strip() for query in rest.split("|") if query.strip()]
        if not queries:
            return False
        tool = ToolDirective("file_search", [line], queries=queries)
    out.tools.append(tool)
    out.text_parts.append(tool)
    return True


def _apply_code_result(code: ToolDirective | None, word: str, rest: str, line: str) -> bool:
    """Apply a directive for the code directly above it."""
    if code is None:
        return False
    name, _, text = rest.partition(" ")
    match word:
        case "PRINTS":
            code.printed_texts.append(rest)
        case "WRITES" if name:
            code.written_files.append((name, text.replace("\\n", "\n")))
        case "DRAWS":
            code.drawn_charts.append(rest.strip())
        case "DIES" if not rest:
            code.loses_container = True
        case _:
            return False
    code.lines.append(line)
    return True


def _find_current_code(out: Directives) -> ToolDirective | None:
    """The PYTHON directive directly above."""
    last = out.text_parts[-1] if out.text_parts else None
    return last if isinstance(last, ToolDirective) and last.tool_type == "code_interpreter" else None
