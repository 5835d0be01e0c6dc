"""Files that were cut off, altered or made to do harm: a sentence, an exit code, and never a traceback."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tests.migrate.dumps.dump_shapes import DUMPS, make_messages
from threadbridge_migrate.cli.application import app


def import_dump(*words: str) -> Result:
    return CliRunner().invoke(app, ["import-dump", *words])


@cache
def read_dump(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        DUMPS[name].write(Path(folder) / "saved")
        return (Path(folder) / "saved").read_bytes()


@st.composite
def altered_dumps(draw: st.DrawFn) -> bytes:
    """A dump that was cut off, or of which some bytes were replaced."""
    content = bytearray(read_dump(draw(st.sampled_from(sorted(DUMPS)))))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        content[start : start + draw(st.integers(0, 30))] = draw(st.binary(max_size=30))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@settings(max_examples=25)
@given(altered_dumps())
def test_no_file_ends_in_a_traceback(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "saved").write_bytes(content)

        result = import_dump(f"{folder}/saved", "--out", f"{folder}/archive")

    assert result.exit_code in (0, 1, 4), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "id object data messages role content thread_id type text value runs run_steps created_at threads "
                "toolCalls parentMessageId question answer log entries response request title step_details".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=25)
@given(JSON)
def test_no_json_ends_in_a_traceback(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "saved").write_bytes(orjson.dumps([*make_messages("thread_a"), value]))

        result = import_dump(f"{folder}/saved", "--out", f"{folder}/archive")

    assert result.exit_code in (0, 1), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)


def test_names_in_a_zip_archive_are_not_paths(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../escaped.json", read_dump("list page"))
        archive.writestr("/abs.json", read_dump("CSV of messages"))

    result = import_dump(str(tmp_path / "a.zip"), "--out", str(tmp_path / "in" / "archive"))

    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "in"]


def test_a_zip_bomb_is_refused_by_name_and_the_rest_is_imported(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b"[" + b" " * (64 << 20))
        archive.writestr("good.json", read_dump("list page"))

    result = import_dump(str(tmp_path / "a.zip"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 1
    assert "a.zip!bomb.json" in result.output
    assert "Threads: 1 messages" in result.output


@pytest.mark.parametrize("cut", [1, 40])
def test_a_gzip_file_that_was_cut_off_is_named(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(read_dump("list page"))[:-cut])

    result = import_dump(str(tmp_path / "a.json.gz"), "--out", str(tmp_path / "archive"))

    assert (result.exit_code, "is damaged" in result.output) == (4, True), result.output


def test_a_gzip_file_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(read_dump("list page")))

    assert import_dump(str(tmp_path / "a.json.gz"), "--out", str(tmp_path / "archive")).exit_code == 0


def test_deep_nesting_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"data":' * 900 + b"1" + b"}" * 900)
    (tmp_path / "b.yaml").write_text("interactions: " + "[" * 5000)

    result = import_dump(str(tmp_path), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 4
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
