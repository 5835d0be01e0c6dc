"""Which requests outside the Assistants API concern objects that a backend stores itself."""

from __future__ import annotations

import re

#: Files that runs created have ids of ours (A85); clients can read and delete them, but never upload them.
_FILE_PATH = re.compile(r"/files(/[^/]+(/content)?)?")


def may_be_handled_locally(method: str, path: str) -> bool:
    """Whether a request below `/v1` may concern an object of the backend, which must then see it first."""
    return method in ("GET", "DELETE") and _FILE_PATH.fullmatch(path) is not None
