"""The cassette files, and the open cassette."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pytest_recording.plugin import get_default_cassette_name

from tests.recorded.cassette_format import Serializer
from threadbridge.api_types import JsonObject

_ROOT = Path(__file__).parents[2]

CASSETTES = _ROOT / "cassettes"


def list_unplayed(cassette: Any) -> list[str]:
    """The exchanges of an open cassette that were not requested."""
    return [
        f"{request.method} {request.uri}"
        for index, request in enumerate(cassette.requests)
        if not cassette.play_counts[index]
    ]


def list_cassette_files() -> set[str]:
    """Every file under `cassettes/`, relative to it."""
    return {path.relative_to(CASSETTES).as_posix() for path in CASSETTES.rglob("*") if path.is_file()}


def list_test_cassettes() -> set[str]:
    """The cassettes of all recorded tests, as pytest collects them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-m", "vcr", "tests/recorded"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    printed = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    tests = [line.split("::") for line in printed.stdout.splitlines() if "::" in line]
    return {f"{Path(module).stem}/{get_default_cassette_name(None, name)}.yaml" for module, name in tests}


def read_exchanges(cassette: str) -> list[JsonObject]:
    """The exchanges of a cassette, with bodies as bytes."""
    interactions: list[JsonObject] = Serializer.deserialize((CASSETTES / cassette).read_text(encoding="utf-8"))[
        "interactions"
    ]
    return interactions
