"""The schema of metadata (A18)."""

from __future__ import annotations

from threadbridge.schemas.schema_types import String, StringMap

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY_CHARACTERS = 64
MAX_METADATA_VALUE_CHARACTERS = 512

METADATA = StringMap(MAX_METADATA_PAIRS, MAX_METADATA_KEY_CHARACTERS, String(MAX_METADATA_VALUE_CHARACTERS))
