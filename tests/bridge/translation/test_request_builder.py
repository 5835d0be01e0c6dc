from __future__ import annotations

import time
from typing import Any, cast

import pytest

from tests.bridge.translation.recorded_streams import collect_request_fields, needs_recordings
from tests.bridge.translation.upstream_events import NO_USAGE, RUN
from threadbridge.ports import Entry
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.request_builder import RequestPlan, build_request, is_budget_exhausted

PLAIN = ResolvedModel("gpt-4o", "gpt-4o")
THINKING = ResolvedModel("o3", "gpt-6-sol", reasoning_effort="high", accepts_sampling=False, is_reasoning=True)
LOOK: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def said(text: str) -> Entry:
    part: Any = {"type": "text", "text": {"value": text, "annotations": []}}
    message: Any = {"id": "msg_0", "role": "user", "content": [part]}
    return Entry(message=message)


def plan(
    *,
    model: ResolvedModel = PLAIN,
    first_turn: bool = True,
    prior_usage: Any | None = None,
    hosted: HostedToolResources | None = None,
    **run: Any,
) -> Any:
    return build_request(
        RUN | run,
        [said("Hi")],
        model=model,
        stream=True,
        first_turn=first_turn,
        prior_usage=prior_usage,
        hosted_tools=hosted,
    )


def test_a_plain_run_becomes_a_plain_stateless_request() -> None:
    assert plan().body == {
        "model": "gpt-4o",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "store": False,
        "stream": True,
        "instructions": "Be brief.",
        "prompt_cache_key": "thread_1",
    }


def test_everything_a_run_asks_for_is_in_the_request() -> None:
    request = plan(
        model=ResolvedModel("gpt-4o", "gpt-6-luna", reasoning_effort="none"),
        tools=[LOOK],
        tool_choice={"type": "function", "function": {"name": "look"}},
        parallel_tool_calls=False,
        response_format={"type": "text"},
        temperature=0.2,
        top_p=0.9,
        max_completion_tokens=1000,
    )

    expected: dict[str, Any] = {
        "model": "gpt-6-luna",
        "tools": [
            {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
        ],
        "tool_choice": {"type": "function", "name": "look"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "text"}},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_output_tokens": 1000,
        "reasoning": {"effort": "none"},
    }
    assert request == RequestPlan(plan().body | expected)


JSON_NOTICE = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Answer in JSON."}]}


def build_json_input(*timeline: Entry, response_format: Any = None) -> list[Any]:
    run = RUN | {"instructions": "Answer as JSON.", "response_format": response_format or {"type": "json_object"}}
    body: Any = build_request(run, timeline, model=PLAIN, stream=True, first_turn=True).body
    return list(body["input"])


def test_json_mode_adds_the_word_json_to_an_input_without_it() -> None:
    answer: Any = {"id": "msg_1", "role": "assistant", "content": said("json").message["content"]}  # type: ignore[index]
    timeline = [said("Hi"), Entry(message=answer), said("Go on")]

    sent = build_json_input(*timeline)

    assert sent[0] == JSON_NOTICE
    assert [item["role"] for item in sent] == ["developer", "user", "assistant", "user"]
    assert build_json_input()[0] == JSON_NOTICE


def test_json_mode_adds_nothing_where_a_message_has_the_word() -> None:
    assert [item["role"] for item in build_json_input(said("Hi"), said("Now as Json, please"))] == ["user", "user"]


def test_other_formats_need_no_word() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}}

    assert JSON_NOTICE not in build_json_input(said("Hi"), response_format=schema)
    assert JSON_NOTICE not in build_json_input(said("Hi"), response_format={"type": "text"})


def test_a_strict_function_without_parameters_has_a_strict_schema() -> None:
    empty: dict[str, Any] = {"type": "object", "properties": {}}
    tools = [{"type": "function", "function": {"name": "now", "strict": True, "parameters": empty}}]

    [sent] = plan(tools=tools).body["tools"]

    assert sent["parameters"] == {**empty, "required": [], "additionalProperties": False}


def test_without_instructions_none_are_sent() -> None:
    assert "instructions" not in plan(instructions=None).body


def test_a_reasoning_model_is_asked_for_reasoning_that_can_be_replayed() -> None:
    body = plan(model=THINKING).body

    assert body["reasoning"] == {"effort": "high"}
    assert body["include"] == ["reasoning.encrypted_content"]


def test_sampling_a_model_refuses_is_left_out_with_a_warning() -> None:
    request = plan(model=THINKING, temperature=0.5, top_p=1.0)

    assert "temperature" not in request.body
    assert request.warnings == ("The model gpt-6-sol does not accept temperature; 0.5 has no effect.",)


@pytest.mark.parametrize("value", [None, 1.0, 1])
def test_default_sampling_is_not_sent_and_not_worth_a_warning(value: float | None) -> None:
    request = plan(model=THINKING, temperature=value, top_p=value)

    assert request.warnings == ()
    assert not {"temperature", "top_p"} & request.body.keys()


def test_tools_that_are_not_sent_are_named() -> None:
    request = plan(tools=[{"type": "file_search"}, {"type": "code_interpreter"}, {"type": "file_search"}])

    assert not {"tools", "tool_choice", "parallel_tool_calls"} & request.body.keys()
    assert request.warnings == (
        "The tool file_search is not sent to the model.",
        "The tool code_interpreter is not sent to the model.",
    )


def test_the_models_warnings_are_the_plans_too() -> None:
    model = ResolvedModel("gpt-4", "gpt-5.6-sol", warnings=("Retired.",))

    assert plan(model=model).warnings == ("Retired.",)


@pytest.mark.parametrize(
    ("choice", "first", "later"),
    [
        ("auto", "auto", "auto"),
        ("none", "none", "none"),
        ("required", "required", "auto"),
        (None, "auto", "auto"),
        ({"type": "function", "function": {"name": "look"}}, {"type": "function", "name": "look"}, "auto"),
        ({"type": "file_search"}, "auto", "auto"),
    ],
)
def test_a_choice_that_forces_a_call_holds_for_the_first_turn_only(choice: Any, first: Any, later: Any) -> None:
    assert plan(tools=[LOOK], tool_choice=choice).body["tool_choice"] == first
    assert plan(tools=[LOOK], tool_choice=choice, first_turn=False).body["tool_choice"] == later


@pytest.mark.parametrize(("used", "sent"), [(0, 300), (100, 200), (290, 16), (400, 16)])
def test_each_turn_gets_what_is_left_of_the_budget_but_never_less_than_the_api_accepts(used: int, sent: int) -> None:
    usage = {**NO_USAGE, "completion_tokens": used}

    assert plan(max_completion_tokens=300, prior_usage=usage).body["max_output_tokens"] == sent


@pytest.mark.parametrize(
    ("budget", "used", "exhausted"), [(None, 9999, False), (300, 299, False), (300, 300, True), (300, 301, True)]
)
def test_a_budget_is_exhausted_when_nothing_is_left(budget: int | None, used: int, exhausted: bool) -> None:
    usage = {**NO_USAGE, "completion_tokens": used}

    assert is_budget_exhausted(RUN | {"max_completion_tokens": budget}, cast("Any", usage)) is exhausted


def test_a_budget_is_not_exhausted_before_the_first_turn() -> None:
    assert not is_budget_exhausted(RUN | {"max_completion_tokens": 300}, None)


SCHEMA: Any = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("response_format", "text"),
    [
        ("auto", None),
        (None, None),
        ({"type": "text"}, {"format": {"type": "text"}}),
        ({"type": "json_object"}, {"format": {"type": "json_object"}}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": False}},
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True}},
            {"format": {"type": "json_schema", "name": "n", "description": "d", "schema": SCHEMA, "strict": True}},
        ),
    ],
)
def test_the_answer_format_is_said_in_the_words_of_the_responses_api(response_format: Any, text: Any) -> None:
    assert plan(response_format=response_format).body.get("text") == text


@pytest.mark.parametrize(
    ("function", "flat"),
    [
        (
            {"name": "f"},
            {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False},
        ),
        (
            {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
            {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        ),
        ({"name": "f", "parameters": SCHEMA, "strict": None}, {"name": "f", "parameters": SCHEMA, "strict": False}),
    ],
)
def test_function_tools_are_flat_and_always_say_whether_they_are_strict(function: Any, flat: Any) -> None:
    body = plan(tools=[{"type": "function", "function": function}]).body

    assert body["tools"] == [{"type": "function", **flat}]


def test_the_run_and_its_timeline_are_not_changed() -> None:
    run = RUN | {"tools": [LOOK]}
    entry = said("Hi")
    before = repr((run, entry))

    build_request(run, [entry], model=THINKING, stream=False, first_turn=True)

    assert repr((run, entry)) == before


@needs_recordings
def test_every_field_of_a_request_was_accepted_by_the_real_service() -> None:
    body = plan(
        model=THINKING,
        tools=[LOOK],
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        max_completion_tokens=1000,
    ).body

    assert body.keys() <= collect_request_fields()


def test_ten_thousand_messages_cost_microseconds_each() -> None:
    timeline = [said("Hello there, how are you?")] * 10_000
    started = time.process_time()

    build_request(RUN, timeline, model=PLAIN, stream=True, first_turn=True)

    assert time.process_time() - started < 0.5  # about 0.03 on the machine it was written on


# -- Hosted tools ----------------------------------------------------------------------------------------------------

SEARCH: Any = {"type": "file_search", "file_search": {}}
CODE: Any = {"type": "code_interpreter"}
STORES = HostedToolResources(vector_store_ids=("vs_assistant", "vs_thread"))


def searching(options: Any, **run: Any) -> Any:
    body = plan(tools=[{"type": "file_search", "file_search": options}], hosted=STORES, **run).body
    [tool] = body["tools"]
    assert body["include"] == ["file_search_call.results"]
    sent: Any = tool
    return sent


def test_a82_a_search_looks_in_both_stores_as_deep_as_the_legacy_service_did() -> None:
    options = {"ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}}

    assert searching(options) == {
        "type": "file_search",
        "vector_store_ids": ["vs_assistant", "vs_thread"],
        "max_num_results": 20,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
    }


def test_the_options_of_a_search_are_sent() -> None:
    hybrid = {"embedding_weight": 0.7, "text_weight": 0.3}
    ranking = {"ranker": "default-2024-11-15", "score_threshold": 0.5, "hybrid_search": hybrid}

    sent = searching({"max_num_results": 3, "ranking_options": ranking})

    assert (sent["max_num_results"], sent["ranking_options"]) == (3, ranking)


@pytest.mark.parametrize(
    ("name", "most"),
    [("gpt-3.5-turbo", 5), ("ft:gpt-3.5-turbo-0125:acme::AbC", 5), ("gpt-4", 20), ("gpt-3.5-of-somebody-else", 20)],
)
def test_a82_models_with_little_room_are_shown_fewer_results_a_name_alone_says_nothing(name: str, most: int) -> None:
    assert searching({}, model=ResolvedModel(name, "gpt-5.4-mini"))["max_num_results"] == most


def test_a_search_without_any_store_is_left_out_with_a_warning() -> None:
    request = plan(tools=[SEARCH], hosted=HostedToolResources())

    assert "tools" not in request.body
    assert request.warnings == ("The tool file_search is not sent to the model.",)


@pytest.mark.parametrize(
    ("hosted", "container"),
    [
        (HostedToolResources(file_ids=("file-1",)), {"type": "auto", "file_ids": ["file-1"]}),
        (HostedToolResources(file_ids=("file-1",), container_id="cntr_1"), "cntr_1"),
    ],
    ids=["a fresh one", "the thread's own"],
)
def test_code_runs_in_a_container(hosted: HostedToolResources, container: object) -> None:
    body = plan(tools=[CODE], hosted=hosted).body

    assert body["tools"] == [{"type": "code_interpreter", "container": container}]
    assert body["include"] == ["code_interpreter_call.outputs"]


def test_what_is_to_be_included_is_asked_for_together() -> None:
    body = plan(tools=[LOOK, CODE, SEARCH], hosted=STORES, model=THINKING).body

    assert [tool["type"] for tool in body["tools"]] == ["function", "code_interpreter", "file_search"]
    assert body["include"] == [
        "reasoning.encrypted_content",
        "code_interpreter_call.outputs",
        "file_search_call.results",
    ]


@pytest.mark.parametrize(
    ("hosted", "first", "sent"),
    [
        (STORES, True, {"type": "file_search"}),
        (STORES, False, "auto"),
        (HostedToolResources(), True, "auto"),
        (None, True, "auto"),
    ],
    ids=["sent", "a later turn", "left out", "no hosted tools"],
)
def test_a_hosted_tool_can_be_forced_where_it_is_sent(
    hosted: HostedToolResources | None, first: bool, sent: object
) -> None:
    request = plan(tools=[LOOK, SEARCH], hosted=hosted, tool_choice={"type": "file_search"}, first_turn=first)

    assert request.body["tool_choice"] == sent


@pytest.mark.parametrize(
    ("tools", "choice", "warned"),
    [
        ([LOOK], {"type": "code_interpreter"}, True),
        ([], "required", True),
        ([], {"type": "function", "function": {"name": "look"}}, True),
        ([], "none", False),
        ([], "auto", False),
        ([LOOK], "required", False),
        ([LOOK, CODE], {"type": "code_interpreter"}, False),
    ],
)
def test_a55_a_choice_that_no_tool_can_make_true_is_warned_about(
    tools: list[Any], choice: object, warned: bool
) -> None:
    plans = [
        plan(tools=tools, tool_choice=choice, hosted=STORES, first_turn=first_turn) for first_turn in (True, False)
    ]

    told = "The tool that tool_choice requires is not available, so the model may answer without it."
    assert [request.warnings for request in plans] == [(told,) if warned else (), ()]


def test_a_thread_whose_id_is_too_long_for_a_cache_key_is_known_by_its_beginning() -> None:
    assert plan(thread_id="thread_" + "x" * 100).body["prompt_cache_key"] == "thread_" + "x" * 57
