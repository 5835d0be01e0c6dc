"""The files and vector stores that objects of the API name."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from threadbridge.api_types.objects import Identified

#: Keys whose values are ids, as orjson writes them. The quotes of a text are escaped, so no text matches.
_REFERENCE = re.compile(
    rb'"(?:(file_ids?)|(vector_store_ids))":(?:"([^"\\]+)"|\[((?:"[^"\\]+",?)*)\])',
)
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,255}")


def is_usable_id(object_id: str) -> bool:
    """Whether the id can be the name of a file: a source may send anything, a path out of the archive for example."""
    return _ID.fullmatch(object_id) is not None


class References:
    """Ids of files and of vector stores."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.vector_stores: set[str] = set()

    def note(self, objects: Iterable[Identified]) -> None:
        """Add what these objects name: attachments, images, citations, outputs of code, resources of tools."""
        content = orjson.dumps(list(objects))
        if b'"file_id' not in content and b'"vector_store_ids' not in content:
            return
        for files, _, one, many in _REFERENCE.findall(content):
            ids = one or many
            found = {each.strip('"') for each in ids.decode(errors="replace").split(",")}
            usable = {each for each in found if is_usable_id(each)}
            if files:
                self.files |= usable
            else:
                self.vector_stores |= usable
