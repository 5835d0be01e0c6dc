"""What becomes of a request where the service lacks something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.bridge.translation.upstream_events import RUN
from threadbridge.errors import ConfigurationError, Unsupported
from threadbridge.ports import Entry, UpstreamCapabilities
from threadbridge.service.attachments import NewVectorStore, ProvisioningPlan, restrict_to_capabilities
from threadbridge.settings import TruncationSettings
from threadbridge.translation.capability_fallbacks import reject_missing_tools, require_compaction
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.request_builder import RequestPlan, build_request

LOOK: Any = {"type": "function", "function": {"name": "look"}}
WAIT: Any = {"type": "function", "function": {"name": "wait"}}
SEARCH: Any = {"type": "file_search"}
CODE: Any = {"type": "code_interpreter"}
HOSTED = HostedToolResources(vector_store_ids=("vs_1",), container_id="cntr_1")
FORCED: Any = {"type": "function", "function": {"name": "look"}}


def plan(*parts: Any, reasons: bool = False, compact_at: int | None = None, run: Any, **lacks: Any) -> Any:
    message: Any = {"id": "msg_0", "role": "user", "content": list(parts)}
    return build_request(
        RUN | run,
        [Entry(message=message)],
        model=ResolvedModel("gpt-4o", "gpt-4o", is_reasoning=reasons),
        stream=True,
        first_turn=True,
        hosted_tools=HOSTED,
        compact_threshold=compact_at,
        profile=replace(UpstreamCapabilities(), **lacks),
    )


def names(request: RequestPlan) -> list[str]:
    tools: Any = request.body.get("tools", ())
    return [tool.get("name", tool["type"]) for tool in tools]


def test_a_hosted_tool_the_service_lacks_is_left_out_by_name() -> None:
    request = plan(run={"tools": [SEARCH, CODE, LOOK]}, code_interpreter=False)

    assert names(request) == ["file_search", "look"]
    assert request.body["include"] == ["file_search_call.results"]
    assert request.warnings == (
        "The upstream service does not support code_interpreter, so the tool is not sent to the model.",
    )


def test_a_service_that_knows_no_cache_keys_is_told_none() -> None:
    assert "prompt_cache_key" not in plan(run={}, prompt_cache_key=False).body


def test_without_any_tool_left_nothing_is_said_of_tools() -> None:
    request = plan(run={"tools": [SEARCH], "tool_choice": "required", "parallel_tool_calls": False}, file_search=False)

    assert request.body.keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls", "include"})


def test_a_choice_that_forces_a_tool_the_service_lacks_is_given_up() -> None:
    request = plan(run={"tools": [SEARCH, LOOK], "tool_choice": {"type": "file_search"}}, file_search=False)

    assert (names(request), request.body["tool_choice"]) == (["look"], "auto")


@pytest.mark.parametrize(
    ("tools", "choice", "lacks", "shown", "sent", "warns"),
    [
        ([LOOK, WAIT], FORCED, {"required_tool_choice"}, ["look", "wait"], {"type": "function", "name": "look"}, 0),
        ([LOOK, WAIT], FORCED, {"forced_tool_choice"}, ["look"], "required", 0),
        ([LOOK, WAIT], FORCED, {"forced_tool_choice", "required_tool_choice"}, ["look"], "auto", 1),
        ([LOOK, WAIT], "required", {"forced_tool_choice"}, ["look", "wait"], "required", 0),
        ([LOOK], "required", {"required_tool_choice"}, ["look"], {"type": "function", "name": "look"}, 0),
        ([SEARCH], "required", {"required_tool_choice"}, ["file_search"], {"type": "file_search"}, 0),
        ([LOOK, WAIT], "required", {"required_tool_choice"}, ["look", "wait"], "auto", 1),
        ([LOOK], "required", {"forced_tool_choice", "required_tool_choice"}, ["look"], "auto", 1),
        ([LOOK], "none", {"forced_tool_choice", "required_tool_choice"}, ["look"], "none", 0),
        ([LOOK], "auto", {"forced_tool_choice", "required_tool_choice"}, ["look"], "auto", 0),
    ],
)
def test_s10_a_choice_the_service_does_not_hear_is_said_in_another_way(
    tools: list[Any], choice: Any, lacks: set[str], shown: list[str], sent: Any, warns: int
) -> None:
    request = plan(run={"tools": tools, "tool_choice": choice}, **dict.fromkeys(lacks, False))

    assert (names(request), request.body["tool_choice"], len(request.warnings)) == (shown, sent, warns)


def test_store_is_not_said_where_the_service_does_not_know_it() -> None:
    assert "store" not in plan(run={}, store_parameter=False).body


def test_encrypted_reasoning_is_not_asked_for_where_there_is_none() -> None:
    request = plan(run={"tools": [SEARCH]}, reasons=True, encrypted_reasoning=False)
    plain = plan(run={}, reasons=True, encrypted_reasoning=False)

    assert request.body["include"] == ["file_search_call.results"]
    assert "include" not in plain.body


def test_a_service_without_compaction_is_not_asked_for_it() -> None:
    assert "context_management" not in plan(run={}, compact_at=5000, compaction=False).body
    assert "context_management" in plan(run={}, compact_at=5000).body


def test_threads_are_not_to_be_compacted_by_a_service_that_cannot() -> None:
    with pytest.raises(
        ConfigurationError, match="According to the profile 'vllm', the upstream service does not support compaction"
    ):
        require_compaction(TruncationSettings(auto="compact"), UpstreamCapabilities(compaction=False), "vllm")

    require_compaction(TruncationSettings(auto="drop"), UpstreamCapabilities(compaction=False), "vllm")
    require_compaction(TruncationSettings(auto="compact"), UpstreamCapabilities(), "openai")


def test_images_that_are_files_become_words_where_there_are_no_files() -> None:
    text: Any = {"type": "text", "text": {"value": "What is it?", "annotations": []}}
    file = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    url = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    request = plan(text, file, url, run={}, files=False)

    [item] = cast("list[Any]", request.body.get("input"))
    assert item["content"] == [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_text", "text": "[image file-1]"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
    ]
    assert request.warnings == (
        "The upstream service does not store files, so the model gets the file IDs of images instead of the images.",
    )


def test_a_thread_without_such_images_is_sent_as_it_is() -> None:
    text: Any = {"type": "text", "text": {"value": "Hi", "annotations": []}}

    assert plan(text, run={}, files=False) == plan(text, run={})


def test_a_service_that_lacks_everything_is_asked_for_a_plain_answer() -> None:
    nothing = dict.fromkeys(UpstreamCapabilities.__slots__, False)

    request = plan(run={"tools": [SEARCH, CODE]}, reasons=True, compact_at=5000, **nothing)

    assert request.body.keys() == {"model", "input", "stream", "instructions"}


def test_a_run_with_a_missing_tool_is_refused_by_name_where_the_policy_says_so() -> None:
    lacking = UpstreamCapabilities(code_interpreter=False)

    with pytest.raises(Unsupported, match="The upstream service does not support code_interpreter") as caught:
        reject_missing_tools([SEARCH, CODE], lacking, "refuse")

    assert (caught.value.status, caught.value.param, caught.value.code) == (400, "tools", "unsupported_tool")
    reject_missing_tools([SEARCH, LOOK], lacking, "refuse")
    reject_missing_tools([SEARCH, CODE], lacking, "leave_out")


@pytest.mark.parametrize(
    ("profile", "left"),
    [
        (
            UpstreamCapabilities(),
            ProvisioningPlan(
                new_vector_store=NewVectorStore({}), search_file_ids=("file-1",), required_file_ids=("file-2",)
            ),
        ),
        (UpstreamCapabilities(file_search=False), ProvisioningPlan(required_file_ids=("file-2",))),
        (UpstreamCapabilities(files=False), None),
    ],
)
def test_only_what_the_service_has_is_made_there(profile: UpstreamCapabilities, left: ProvisioningPlan | None) -> None:
    needs = ProvisioningPlan(
        new_vector_store=NewVectorStore({}), search_file_ids=("file-1",), required_file_ids=("file-2",)
    )

    assert restrict_to_capabilities(needs, profile) == left
