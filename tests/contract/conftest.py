from __future__ import annotations

from tests.conformance.schema_check import published_schema as published_schema
