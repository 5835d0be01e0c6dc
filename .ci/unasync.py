"""Write the synchronous client from the asynchronous one; with `--check`, only say whether it is up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "bridge/threadbridge/client"
HEADER = "# Generated from ../_async by .ci/unasync.py: edit there.\n"

#: Applied in order to the whole text.
RULES: tuple[tuple[str, str], ...] = (
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+(?:\[\w+\])?)\]", r"\1"),
    (r"\basync_listing\b", "listing"),
    (r"\bAsyncPaginator\b", "CursorPage"),
    (r"\bAsync([A-Z]\w*)", r"\1"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\b_async\b", "_sync"),
)


def synchronous(text: str) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return _formatted(HEADER + text)


def _formatted(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    where = ["--stdin-filename", str(CLIENT / "_sync/generated.py"), "-"]
    # F401: `Awaitable` is imported for the asynchronous side only; I001: shorter names sort differently.
    fix = subprocess.run(
        [*ruff, "check", "--quiet", "--fix", "--select", "F401,I001", *where],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return subprocess.run(
        [*ruff, "format", *where], input=fix.stdout, capture_output=True, text=True, check=True
    ).stdout


def main(*, check: bool) -> int:
    sources = sorted((CLIENT / "_async").glob("*.py"))
    wanted = {CLIENT / "_sync" / source.name: synchronous(source.read_text("utf-8")) for source in sources}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    left_over = [path for path in (CLIENT / "_sync").glob("*.py") if path not in wanted]
    if check:
        for path in [*stale, *left_over]:
            print(f"{path} is out of date; run .ci/unasync.py", file=sys.stderr)
        return 1 if stale or left_over else 0
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
