"""Generate the synchronous client and the synchronous tour of the openai SDK from the asynchronous ones.

With `--check`, only report whether they are up to date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Each has a folder `_async`, to be edited, and a folder `_sync`, generated from it.
PACKAGES = (ROOT / "bridge/threadbridge/client", ROOT / "tests/clients/tour")
HEADER = "# Generated from ../_async by .ci/unasync.py: edit there.\n"

#: Applied in order to the whole text.
RULES: tuple[tuple[str, str], ...] = (
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+(?:\[\w+\])?)\]", r"\1"),
    (r"\bpaginate_async\b", "paginate"),
    (r"\bAsyncPaginator\b", "CursorPage"),
    (r"\bAsync([A-Z]\w*)", r"\1"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\b_async\b", "_sync"),
)


def make_synchronous(text: str, *, target: Path) -> str:
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return _format_with_ruff(HEADER + text, target)


def _format_with_ruff(text: str, target: Path) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    where = ["--stdin-filename", str(target), "-"]
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


def render_sync_files() -> dict[Path, str]:
    """The expected text of each synchronous file."""
    sources = [source for place in PACKAGES for source in sorted((place / "_async").glob("*.py"))]
    targets = {source: source.parents[1] / "_sync" / source.name for source in sources}
    return {target: make_synchronous(source.read_text("utf-8"), target=target) for source, target in targets.items()}


def main(*, check: bool) -> int:
    files = render_sync_files()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    orphans = [path for place in PACKAGES for path in (place / "_sync").glob("*.py") if path not in files]
    if check:
        for path in [*stale, *orphans]:
            print(f"{path} is out of date; run .ci/unasync.py", file=sys.stderr)
        return 1 if stale or orphans else 0
    for path in stale:
        path.write_text(files[path], "utf-8")
    for path in orphans:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
