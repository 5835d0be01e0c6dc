"""The command of an export in a separate process."""

from __future__ import annotations

import sys
from pathlib import Path


def make_export_command(url: str, ids: list[str], out: Path) -> list[str]:
    """The arguments of an export of these threads."""
    migrate = [sys.executable, "-c", "from threadbridge_migrate.cli.application import main; main()"]
    return [*migrate, "export-threads", "--base-url", url, "--concurrency", "8", "--out", str(out), "--ids", *ids]
