"""Images that code made and a user's message shows again: the service behind does not know them by our ids (A37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.ports import Wire


def collect_image_file_ids(items: Sequence[Wire]) -> frozenset[str]:
    """The ids of the files that user messages show."""
    return frozenset(
        part["file_id"]
        for item in items
        if item.get("role") == "user" and isinstance(item["content"], list)
        for part in item["content"]
        if part["type"] == "input_image" and part.get("file_id")
    )


def inline_images(items: Sequence[Wire], urls: Mapping[str, str]) -> list[Wire]:
    """The items with these files' contents, as data URLs, in place of their ids."""
    return [_inline_item(item, urls) if collect_image_file_ids([item]) & urls.keys() else item for item in items]


def _inline_item(item: Wire, urls: Mapping[str, str]) -> Wire:
    return {**item, "content": [_inline_part(part, urls) for part in item["content"]]}


def _inline_part(part: Wire, urls: Mapping[str, str]) -> Wire:
    url = urls.get(part.get("file_id") or "")
    return part if url is None else {"type": "input_image", "image_url": url, "detail": part["detail"]}
