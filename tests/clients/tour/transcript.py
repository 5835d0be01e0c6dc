"""What a tour printed, made comparable: ids by their order of appearance, times as words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeAlias

#: The operations of a chapter in order, each with what it gave.
Chapter: TypeAlias = Mapping[str, object]

_ID = re.compile(
    r"\b(asst_|thread_|msg_|run_|step_|call_|vs_|cntr_|file-)(?=[A-Za-z0-9]*[0-9A-Z])[A-Za-z0-9]{12,}(?:_[A-Za-z0-9]+)?"
)
_TIME = re.compile(r'("\w+_at": )\d+')


def parse_chapters(printed: str) -> dict[str, Chapter]:
    """The chapters of a tour by name. No chapter's ids depend on what happened in another one."""
    names = [json.loads(heading)["chapter"] for heading in re.findall(r'^\{"chapter".*$', printed, re.MULTILINE)]
    texts = re.split(r'^\{"chapter".*\n', printed, flags=re.MULTILINE)[1:]
    return {name: parse_chapter(normalize(text)) for name, text in zip(names, texts, strict=True)}


def parse_chapter(lines: str) -> Chapter:
    """The operations that lines of JSON tell of."""
    results = [json.loads(line) for line in lines.splitlines()]
    return {one["operation"]: one["result"] for one in results}


def format_chapter(chapter: Chapter) -> str:
    """The lines of JSON that tell of these operations."""
    results = [{"operation": operation, "result": result} for operation, result in chapter.items()]
    return "".join(f"{json.dumps(one, sort_keys=True, ensure_ascii=False)}\n" for one in results)


def normalize(lines: str) -> str:
    """The same lines without what is different each time."""
    numbers: dict[str, str] = {}

    def replace_id(found: re.Match[str]) -> str:
        kind, known = found[1], numbers.get(found[0])
        count = sum(number.startswith(kind) for number in numbers.values())
        return known or numbers.setdefault(found[0], f"{kind}{count + 1}")

    sorted_keys = "".join(f"{json.dumps(json.loads(line), sort_keys=True)}\n" for line in lines.splitlines())
    return _ID.sub(replace_id, _TIME.sub(r'\1"a time"', sorted_keys))
