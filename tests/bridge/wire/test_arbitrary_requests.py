"""Whatever a client sends, it gets an answer it can read."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridge.wire.recording_backend import RecordingBackend
from tests.request_context import CONTEXT
from threadbridge.errors import InvalidRequest
from threadbridge.ports import WireRequest
from threadbridge.schemas.schema_types import Object
from threadbridge.validation import ASSISTANT_CREATE, RUN_CREATE, THREAD_AND_RUN_CREATE, TOOL_OUTPUTS, validate_body
from threadbridge.wire import OPERATIONS, dispatch_request, find_api_path

WORDS = [*sorted({word for operation in OPERATIONS for word in operation.path.split("/")}), "..", "%2f", "\udc80"]
PATHS = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=7).map("/".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
BODIES = st.binary(max_size=50) | JSON.map(lambda value: orjson.dumps(value))
QUERIES = st.lists(
    st.tuples(st.sampled_from(["limit", "order", "after", "include[]", "include%5B%5D", "%"]), st.text(max_size=10)),
    max_size=4,
)
HEADERS = st.sampled_from([{"openai-beta": "assistants=v2"}, {}])


@given(st.sampled_from(["GET", "POST", "DELETE", "PUT", ""]), PATHS, QUERIES, HEADERS, BODIES)
async def test_every_request_is_answered_with_an_object_or_an_envelope(
    method: str, path: str, query: list[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> None:
    backend = RecordingBackend(result={"id": "x"})
    request = WireRequest(method, path, query, headers, body)

    response = await dispatch_request(backend.as_backend(), CONTEXT, request, max_body_bytes=40)

    told = response.status
    assert told in (200, 400, 404, 405, 413, 500)
    assert (told == 500) <= any(name == "retrieve_run" for name, _, _ in backend.calls)  # it answers no PolledRun here


@given(PATHS)
def test_what_is_ours_of_a_path_is_its_end_from_a_root_on(path: str) -> None:
    own = find_api_path(path)

    assert own is None or (own.startswith(("/assistants", "/threads")) and path.endswith(own))


@given(st.sampled_from([ASSISTANT_CREATE, RUN_CREATE, THREAD_AND_RUN_CREATE, TOOL_OUTPUTS]), st.data())
def test_a_body_of_anything_is_taken_or_refused_by_name(spec: Object, data: st.DataObject) -> None:
    body = data.draw(st.dictionaries(st.sampled_from(sorted(spec.fields)) | st.text(max_size=3), JSON, min_size=1))
    body.pop(spec.required[0], None)

    with pytest.raises(InvalidRequest) as caught:
        validate_body(spec, body)

    assert caught.value.message
    assert caught.value.param is not None
    assert caught.value.code is not None
