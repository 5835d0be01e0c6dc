"""Citations: marks in an output text become annotations, with indexes as recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from threadbridge.ports import Wire
from threadbridge_adapters.simulator._containers import ContainerFile
from threadbridge_adapters.simulator._scenarios import TextMessage

#: `[[2]]` for a search result, `[[name.csv]]` for a file that code wrote.
_MARK: Final = re.compile(r"\[\[([^\[\]\n]+)\]\]")


def annotate_citations(
    text: str, results: Sequence[Wire], files: Mapping[str, ContainerFile], charts: Sequence[ContainerFile]
) -> TextMessage:
    """The text without marks, and the annotations; charts are cited at the beginning, as at the service.

    A mark without a matching result or file remains in the text.
    """
    annotations = [_container_citation(chart, 0, 0) for chart in charts]
    pieces: list[str] = []
    length = consumed = 0
    for mark in _MARK.finditer(text):
        before = text[consumed : mark.start()]
        name = mark[1]
        if name in files:
            link = f"sandbox:{files[name].path}"
            start = length + len(before)
            annotations.append(_container_citation(files[name], start, start + len(link)))
        elif name.isdecimal() and 1 <= int(name) <= len(results):
            link = ""
            annotations.append(_file_citation(results[int(name) - 1], length + len(before)))
        else:
            continue
        pieces += [before, link]
        length += len(before) + len(link)
        consumed = mark.end()
    return TextMessage("".join([*pieces, text[consumed:]]), annotations)


def _file_citation(result: Wire, index: int) -> Wire:
    return {
        "type": "file_citation",
        "file_id": result["file_id"],
        "filename": result["filename"],
        "index": index,
    }


def _container_citation(file: ContainerFile, start: int, end: int) -> Wire:
    return {
        "type": "container_file_citation",
        "container_id": file.container_id,
        "end_index": end,
        "file_id": file.id,
        "filename": file.name,
        "start_index": start,
    }
