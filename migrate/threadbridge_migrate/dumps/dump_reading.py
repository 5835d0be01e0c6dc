"""A file that is being read, with what all readers need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from threadbridge_migrate.dumps.dump_files import DumpFile
from threadbridge_migrate.dumps.object_collection import ObjectCollection, Origin


class Reading(NamedTuple):
    """A file that is being read: its sample as text, the collection, and the columns that the user named."""

    file: DumpFile
    sample: str
    start: bytes
    collection: ObjectCollection
    mapping: Mapping[str, str]

    def locate(self, format_name: str, position: str = "") -> Origin:
        """The origin of something in this file."""
        return Origin(format_name, self.file.label, position)
