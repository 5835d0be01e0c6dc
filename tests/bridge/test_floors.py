"""The floors also forbid builtins that need no import, which import-linter cannot check."""

from __future__ import annotations

import ast
from pathlib import Path

BRIDGE = Path(__file__).parents[2] / "bridge" / "threadbridge"
#: The engine and what stands above it.
UPPER_FLOORS = frozenset({"client", "doctor", "tool_loop", "runtime", "wire", "engine"})


def test_no_module_below_the_engine_opens_a_file_or_reads_the_terminal() -> None:
    calls = [
        f"{path.relative_to(BRIDGE)}:{node.lineno}"
        for path in sorted(BRIDGE.rglob("*.py"))
        if path.relative_to(BRIDGE).with_suffix("").parts[0] not in UPPER_FLOORS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "input"}
    ]

    assert calls == []
