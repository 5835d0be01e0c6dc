"""The little language in which the last user message tells the simulator what to do.

One instruction a line; every other line is ordinary text.

    CALL name {"city": "Bern"}     call the function if it is among the request's tools; lines in a row are parallel
    CALL name {broken              the text after the name is sent as arguments as it stands
    CALL! name {}                  call it even if the request does not declare it
    THEN CALL name {}              begins the next round, after the outputs of the round before; CALL lines may follow
    SAY text                       the text of the final message, word for word (several lines: several lines)
    THINK text                     a reasoning item before the first output, with this summary
    REFUSE text                    the final message is a refusal
    INCOMPLETE reason              the final message is cut off: max_output_tokens or content_filter
    FAIL code message              the response fails in place of the final message (after SAY: in the middle of it)
    HTTP status [seconds]          answer with this error status; seconds go into Retry-After
    BREAK n                        break the connection after n events of the final answer
    SLOW seconds                   wait so long between events
    SEARCH words                   a file_search call; several queries of one call stand between bars: `one | two`
    PYTHON code                    a code_interpreter call; lines in a row are one code, which is not run
    PRINTS text                    what the code above prints
    WRITES name.csv text           a file the code above writes; `\\n` in the text is a line break
    DRAWS name.png                 a chart the code above shows, and saves under this name; the name may be left out
    DIES                           the container is gone while the code above runs, and the response fails; one in which
                                   no code ran before lives

Without any of them the answer is `ECHO: ` and the text; after function calls it is `RESULT: ` and the outputs, joined
by `; `; after searches and code it tells what they gave, cited. In SAY, `[[1]]` cites the first result and
`[[name.csv]]` links to a file. SEARCH and PYTHON take effect if the request has the tool. What concerns the final
message takes effect once all rounds of calls have been answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_LINE = re.compile(
    r"(?P<word>(?:THEN )?CALL!?|SAY|THINK|REFUSE|INCOMPLETE|FAIL|HTTP|BREAK|SLOW"
    r"|SEARCH|PYTHON|PRINTS|WRITES|DRAWS|DIES)(?:[ \t](?P<rest>.*)|$)"
)
_CALL = re.compile(r"(?P<name>[A-Za-z0-9_-]+)[ \t]*(?P<arguments>.*)")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_REASONS = ("max_output_tokens", "content_filter")
_INSTRUCTION_WORDS = (
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
class ScriptedCall:
    """A CALL line."""

    name: str
    arguments: str
    line: str
    undeclared: bool = False


@dataclass(slots=True)
class ScriptedTool:
    """A SEARCH line, or PYTHON lines with what belongs to them."""

    tool: str  # the type of the tool it needs
    lines: list[str]
    queries: list[str] = field(default_factory=list[str])
    code: list[str] = field(default_factory=list[str])
    prints: list[str] = field(default_factory=list[str])
    writes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    draws: list[str] = field(default_factory=list[str])
    dies: bool = False

    @property
    def line(self) -> str:
        """Everything that was written."""
        return "\n".join(self.lines)

    @property
    def has_results(self) -> bool:
        """What the code gives was said: another PYTHON line begins another call."""
        return bool(self.prints or self.writes or self.draws)


@dataclass(slots=True)
class Instructions:
    """What one message asks for."""

    rounds: list[list[ScriptedCall]] = field(default_factory=list[list[ScriptedCall]])
    tools: list[ScriptedTool] = field(default_factory=list[ScriptedTool])
    #: Everything that is not an instruction, and the CALL, SEARCH and PYTHON lines, in order: those that cannot be
    #: obeyed are text too.
    rest: list[str | ScriptedCall | ScriptedTool] = field(default_factory=list["str | ScriptedCall | ScriptedTool"])
    say: str | None = None
    think: str | None = None
    refuse: str | None = None
    incomplete: str | None = None
    fail: tuple[str, str] | None = None
    http: tuple[int, float | None] | None = None
    break_after: int | None = None
    slow: float = 0.0


def read(text: str) -> Instructions:
    """Read a message. A line that looks like an instruction and is not one is ordinary text."""
    out = Instructions()
    if not any(word in text for word in _INSTRUCTION_WORDS):
        out.rest = [text]
        return out
    for line in text.split("\n"):
        found = _LINE.fullmatch(line.strip())
        if found is None or not _obey(out, found["word"], found["rest"] or "", line):
            out.rest.append(line)
    return out


def _obey(out: Instructions, word: str, rest: str, line: str) -> bool:
    """Take one instruction; False if what follows the word makes no sense."""
    if word.removeprefix("THEN ").startswith("CALL"):
        return _call(out, word, rest, line)
    if word in _TOOL_WORDS:
        return _TOOL_WORDS[word](out, rest, line)
    return _WORDS[word](out, rest)


def _call(out: Instructions, word: str, rest: str, line: str) -> bool:
    found = _CALL.fullmatch(rest)
    if found is None:
        return False
    if word.startswith("THEN ") or not out.rounds:
        out.rounds.append([])
    call = ScriptedCall(found["name"], found["arguments"] or "{}", line, undeclared=word.endswith("!"))
    out.rounds[-1].append(call)
    out.rest.append(call)
    return True


def _say(out: Instructions, rest: str) -> bool:
    out.say = rest if out.say is None else f"{out.say}\n{rest}"
    return True


def _think(out: Instructions, rest: str) -> bool:
    out.think = rest
    return True


def _refuse(out: Instructions, rest: str) -> bool:
    out.refuse = rest
    return bool(rest)


def _incomplete(out: Instructions, rest: str) -> bool:
    if rest not in _REASONS:
        return False
    out.incomplete = rest
    return True


def _fail(out: Instructions, rest: str) -> bool:
    code, _, message = rest.partition(" ")
    if not code:
        return False
    out.fail = (code, message or "The simulator was told to fail.")
    return True


def _http(out: Instructions, rest: str) -> bool:
    words = _numbers(rest)
    if not words or not 400 <= words[0] <= 599:
        return False
    out.http = (int(words[0]), words[1] if len(words) > 1 else None)
    return True


def _break(out: Instructions, rest: str) -> bool:
    if not rest.isdecimal():
        return False
    out.break_after = int(rest)
    return True


def _slow(out: Instructions, rest: str) -> bool:
    words = _numbers(rest)
    if len(words) != 1:
        return False
    out.slow = words[0]
    return True


def _search(out: Instructions, rest: str, line: str) -> bool:
    queries = [query.strip() for query in rest.split("|") if query.strip()]
    if queries:
        _take_tool(out, ScriptedTool("file_search", [line], queries=queries))
    return bool(queries)


def _python(out: Instructions, rest: str, line: str) -> bool:
    current = _current_code(out)
    if current is None or current.has_results:
        _take_tool(out, ScriptedTool("code_interpreter", [line], code=[rest]))
    else:
        current.lines.append(line)
        current.code.append(rest)
    return True


def _prints(out: Instructions, rest: str, line: str) -> bool:
    current = _current_code(out)
    if current is None:
        return False
    current.lines.append(line)
    current.prints.append(rest)
    return True


def _writes(out: Instructions, rest: str, line: str) -> bool:
    current = _current_code(out)
    name, _, text = rest.partition(" ")
    if current is None or not name:
        return False
    current.lines.append(line)
    current.writes.append((name, text.replace("\\n", "\n")))
    return True


def _draws(out: Instructions, rest: str, line: str) -> bool:
    current = _current_code(out)
    if current is None:
        return False
    current.lines.append(line)
    current.draws.append(rest.strip())
    return True


def _dies(out: Instructions, rest: str, line: str) -> bool:
    current = _current_code(out)
    if current is None or rest:
        return False
    current.lines.append(line)
    current.dies = True
    return True


def _take_tool(out: Instructions, tool: ScriptedTool) -> None:
    out.tools.append(tool)
    out.rest.append(tool)


def _current_code(out: Instructions) -> ScriptedTool | None:
    """The PYTHON lines just above."""
    last = out.rest[-1] if out.rest else None
    return last if isinstance(last, ScriptedTool) and last.tool == "code_interpreter" else None


def _numbers(rest: str) -> Sequence[float]:
    words = rest.split()
    return [float(word) for word in words] if all(_NUMBER.fullmatch(word) for word in words) else ()


_WORDS: Mapping[str, Callable[[Instructions, str], bool]] = {
    "SAY": _say,
    "THINK": _think,
    "REFUSE": _refuse,
    "INCOMPLETE": _incomplete,
    "FAIL": _fail,
    "HTTP": _http,
    "BREAK": _break,
    "SLOW": _slow,
}
_TOOL_WORDS: Mapping[str, Callable[[Instructions, str, str], bool]] = {
    "SEARCH": _search,
    "PYTHON": _python,
    "PRINTS": _prints,
    "WRITES": _writes,
    "DRAWS": _draws,
    "DIES": _dies,
}
