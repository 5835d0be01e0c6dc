"""Which requests beside the Assistants API concern what a backend keeps itself."""

from __future__ import annotations

import re

#: Files that runs made have ids of ours (A85); they can be looked at, fetched and deleted, and are never uploaded.
_FILE_PATH = re.compile(r"/files(/[^/]+(/content)?)?")


def may_be_handled_locally(method: str, path: str) -> bool:
    """Whether a request below `/v1` may be about something of the backend's own, so that it must be asked first."""
    return method in ("GET", "DELETE") and _FILE_PATH.fullmatch(path) is not None
