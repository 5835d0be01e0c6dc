"""What the real service took and refused, told by its recordings."""

from __future__ import annotations

import pytest

from tests.bridge.validation.recorded_requests import RECORDINGS, exchanges
from threadbridge.errors import InvalidRequest
from threadbridge.validation import validate_body

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the shared recordings are not beside this checkout")


def test_every_body_the_service_took_is_taken_unchanged() -> None:
    taken = [exchange for exchange in exchanges() if exchange.status == 200]

    kept = [validate_body(exchange.spec, exchange.body) for exchange in taken]

    assert len(kept) > 100
    assert kept == [exchange.body for exchange in taken]


def test_every_body_the_service_refused_as_invalid_type_is_refused_in_the_same_words() -> None:
    refused = [exchange for exchange in exchanges() if exchange.error and exchange.error["code"] == "invalid_type"]
    told: list[object] = []

    for exchange in refused:
        with pytest.raises(InvalidRequest) as caught:
            validate_body(exchange.spec, exchange.body)
        error = caught.value
        told.append({"message": error.message, "type": error.type, "param": error.param, "code": error.code})

    assert told
    assert told == [exchange.error for exchange in refused]
