"""The corpus: small programs in text files, with what an audit has to find written at the end of the lines.

`=== path` begins a program. `«create_run !file-ids»` at the end of a line names the call sites and the caveats (!) that
begin there; it is removed before the program is written.
"""

from __future__ import annotations

import re
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
_HEAD = re.compile(r"^=== (\S+)\n", re.MULTILINE)
_MARK = re.compile(r"[ ]*«([^»]*)»$", re.MULTILINE)

#: File name, line, and a kind of call site or `!` and a caveat.
Finding = tuple[str, int, str]


def list_projects(name: str) -> list[str]:
    """The first folders of a corpus file."""
    return list(dict.fromkeys(path.split("/")[0] for path in _HEAD.findall((CORPUS / f"{name}.txt").read_text())))


def write_project(name: str, project: str, folder: Path) -> list[Finding]:
    """Write the programs of a project into a folder; the result is what has to be found in them, sorted."""
    parts = _HEAD.split((CORPUS / f"{name}.txt").read_text())[1:]
    findings: list[Finding] = []
    for path, text in zip(parts[::2], parts[1::2], strict=True):
        if path.split("/")[0] != project:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            mark = _MARK.search(line)
            findings += [(path, number, word) for word in (mark[1].replace(" or ", "_OR_").split() if mark else ())]
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_MARK.sub("", text), encoding="utf-8")
    return sorted((path, number, word.replace("_OR_", " or ")) for path, number, word in findings)
