"""What the neutral interface lacks of the SDK's: the HTTP response, for there is none."""

from __future__ import annotations

from typing import NoReturn


class WithoutRawResponses:
    """Says to whoever ports a program where raw responses are to be had. `hasattr` finds neither name."""

    @property
    def with_raw_response(self) -> NoReturn:
        """Absent here; `threadbridge.openai_client()` has it."""
        raise _build_missing_attribute_error(self, "with_raw_response")

    @property
    def with_streaming_response(self) -> NoReturn:
        """Absent here; `threadbridge.openai_client()` has it."""
        raise _build_missing_attribute_error(self, "with_streaming_response")


def _build_missing_attribute_error(owner: object, name: str) -> AttributeError:
    return AttributeError(
        f"{type(owner).__name__} has no {name}: nothing travels by HTTP here, so there is no response to show; "
        "the client of threadbridge.openai_client() has both."
    )
