"""Images and files in the input: which of their sources are given, whether URLs are valid and can be downloaded, and
whether files exist.

The texts are those that public reports and tests of other gateways quote of the service.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from threadbridge.api_types import JsonObject, is_json_list
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._files import Files

#: The members that can be the source of a content part, by its type.
MEDIA_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "input_image": ("file_id", "image_url"),
    "input_file": ("file_id", "file_data", "file_url"),
}
_IMAGE_TYPES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_DATA_URL: Final = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>[^,]*),(?P<data>.*)", re.DOTALL)
#: Ends of host names that no public resolver knows.
_PRIVATE_DOMAINS: Final = (".invalid", ".localhost", ".local", ".internal")


def check_media_source(path: str, part: JsonObject) -> None:
    """Check the source of an `input_image` or `input_file`: exactly one, and a URL that is one."""
    sources = MEDIA_SOURCES[part["type"]]
    given = [name for name in sources if part.get(name) is not None]
    if not given:
        raise errors.missing_source(path, sources)
    if len(given) > 1:
        raise errors.more_than_one_source(path, sources)
    for name in ("image_url", "file_url"):
        url = part.get(name)
        if url is None:
            continue
        if name == "file_url" or url[:5].lower() != "data:":
            if not _is_web_url(url):
                raise errors.invalid_url(f"{path}.{name}")
            continue
        found = _DATA_URL.fullmatch(url)
        if found is None:
            raise errors.invalid_url(f"{path}.{name}")
        if not found["parameters"].lower().endswith(";base64"):
            raise errors.invalid_image_data(f"{path}.{name}", "a value without the ';base64' separator.")
        if found["type"].lower() not in _IMAGE_TYPES:
            raise errors.invalid_image_data(f"{path}.{name}", f"unsupported MIME type '{found['type']}'.")
        try:
            base64.b64decode(found["data"], validate=True)
        except ValueError:
            raise errors.invalid_image_data(f"{path}.{name}", "an invalid base64-encoded value.") from None


def check_media_availability(context: Sequence[JsonObject], files: Files, unavailable_urls: Mapping[str, int]) -> None:
    """Raise the service's errors for files that do not exist and URLs that cannot be downloaded, in the whole context.

    `unavailable_urls` has the HTTP status of the download of each.
    """
    for item in context:
        for content in (item.get("content"), item.get("output")):
            for part in content if is_json_list(content) else ():
                if part.get("type") not in MEDIA_SOURCES:
                    continue
                if part.get("file_id") is not None:
                    files.get_file(part["file_id"])
                url = part.get("image_url") or part.get("file_url")
                if url is not None and (url in unavailable_urls or not _is_public_url(url)):
                    raise errors.download_failed(url, unavailable_urls.get(url), is_image=part["type"] == "input_image")


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(host) and not re.search(r"\s", url)


def _is_public_url(url: str) -> bool:
    """Whether the service could reach the host: no address or name of a private network."""
    host = None if url[:5].lower() == "data:" else urlsplit(url).hostname
    if host is None:
        return True
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_PRIVATE_DOMAINS)
