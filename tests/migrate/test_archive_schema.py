"""Archives of exports, of every quirk and of dumps have the form that the JSON Schema describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from typer.testing import CliRunner

from tests.legacy_service import InjectedFault, LegacyService, make_error_body
from tests.migrate.conftest import Migrate
from tests.migrate.dumps.dump_shapes import DUMPS
from tests.migrate.load.quirky_threads import QUIRKS, write_archive
from tests.migrate.test_files import add_files
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.cli.application import app

OUT = Path("archive")


def read_schema() -> dict[str, Any]:
    result = CliRunner().invoke(app, ["archive-schema"])
    assert result.exit_code == 0
    schema: dict[str, Any] = orjson.loads(result.stdout)
    return schema


def assert_described(path: Path) -> int:
    """Hold every file of an archive against the schema; how many lines there were."""
    schema = read_schema()
    jsonschema_rs.validator_for(schema).validate(orjson.loads((path / "manifest.json").read_bytes()))
    count = 0
    for name in (*(part.value for part in Part), "journal"):
        validator = jsonschema_rs.validator_for({**schema, "$ref": f"#/$defs/{name}"})
        for line in (path / f"{name}.jsonl").read_bytes().splitlines():
            validator.validate(orjson.loads(line))
            count += 1
    return count


def test_an_export_with_files_and_failures(migrate: Migrate, service: LegacyService) -> None:
    ids = add_files(service)
    service.faults.append(InjectedFault("/file-image/content", 500, make_error_body("Oops."), times=3))
    migrate("--ids", *ids, "thread_nope", "--out", str(OUT))

    assert assert_described(OUT) > 30


def test_every_quirk(tmp_path: Path) -> None:
    assert assert_described(write_archive(tmp_path / "archive", QUIRKS.values())) > 50


@pytest.mark.parametrize("name", ["one JSON a thread", "training", "ids with titles"])
def test_imported_dumps(tmp_path: Path, name: str) -> None:
    DUMPS[name].write(tmp_path / "saved")
    CliRunner().invoke(app, ["import-dump", str(tmp_path / "saved"), "--out", str(tmp_path / "archive")])

    assert assert_described(tmp_path / "archive") > 3


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("messages", {"id": "msg_1"}),
        ("contents", {"id": "file-1", "path": "../x", "bytes": 1, "sha256": "0" * 64}),
        ("contents", {"id": "file-1", "path": None, "bytes": 0, "sha256": None}),
        ("provenance", {"id": "thread_1", "origin": {}, "grade": "full", "derived": [], "missing": []}),
    ],
)
def test_other_lines_are_refused(name: str, line: dict[str, object]) -> None:
    validator = jsonschema_rs.validator_for({**read_schema(), "$ref": f"#/$defs/{name}"})

    assert not validator.is_valid(line)
